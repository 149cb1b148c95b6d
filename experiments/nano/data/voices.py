"""Voices and acted styles: how Debian's synthesizers (flite, espeak-ng, festival) are asked to speak.

A style is a change of pitch, pitch range, rate and level, the four things that all synthesizers can do.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from llasa_core.audio import SAMPLE_RATE

NEUTRAL_RMS = 0.08


@dataclass(frozen=True)
class Style:
    """Factors on a voice's pitch, pitch range and rate, and a change of level in decibels."""

    pitch: float
    range: float
    rate: float
    level_db: float


STYLES = {
    "neutral": Style(1.0, 1.0, 1.0, 0.0),
    "happy": Style(1.25, 1.8, 1.08, 2.0),
    "sad": Style(0.85, 0.35, 0.85, -5.0),
    "angry": Style(1.08, 1.5, 1.2, 5.0),
}


@dataclass(frozen=True)
class Voice:
    """One speaker: an engine, the engine's voice name and its resting pitch (Hz) and pitch deviation (Hz)."""

    name: str
    engine: str
    code: str
    pitch: float = 0.0
    deviation: float = 0.0


TRAINING_VOICES = (
    Voice("slt", "flite", "slt", 172, 11),
    Voice("awb", "flite", "awb", 133, 10),
    Voice("kal", "flite", "kal16", 98, 11),
    Voice("kit", "espeak", "en-us+klatt2"),
    Voice("rms", "flite", "rms", 103, 12),
)
"""The voices that the generator and the codec learn. ``rms`` has no pitch control: it speaks neutrally
only.
"""

UNSEEN_VOICES = (
    Voice("ked", "festival", "voice_ked_diphone"),
    Voice("hts", "festival", "voice_cmu_us_slt_arctic_hts"),
    Voice("gb", "espeak", "en-gb+m7"),
    Voice("anika", "espeak", "en-us+anika"),
    Voice("steph", "espeak", "en-us+steph"),
    Voice("klatt", "espeak", "en-us+klatt4"),
    Voice("scot", "espeak", "en-gb-scotland+f5"),
    Voice("rob", "espeak", "en-us+rob"),
)
"""Voices that no nano model is trained on."""

EXTRA_VOICES = tuple(
    Voice(f"x-{variant}".lower(), "espeak", f"{base}+{variant}")
    for base, variants in {
        "en-us": [
            "f1",
            "f4",
            "m1",
            "m4",
            "m6",
            "Annie",
            "Andy",
            "linda",
            "adam",
            "max",
            "boris",
            "edward",
            "victor",
        ],
        "en-gb-x-rp": ["f3", "m2", "m8", "Alicia", "david", "michel", "grandma"],
        "en-029": ["f5", "m5", "Lee", "travis"],
        "en-gb-x-gbcwmd": ["f2", "m1", "shelby", "antonio"],
    }.items()
    for variant in variants
)
"""Further voices for the speaker verifier and the recognisers alone."""


def has_style(voice: Voice, style: str) -> bool:
    """Whether the voice can act the style."""
    return style == "neutral" or acts(voice.name)


def acts(voice: str) -> bool:
    """Whether the voice of that name can act styles; festival's and ``rms`` speak neutrally only."""
    return voice not in {"rms", "ked", "hts"}


def speak(text: str, voice: Voice, style: str, seed: int) -> NDArray[np.int16]:
    """Speak ``text``; the seed jitters rate and pitch a little, as no two readings are the same.

    Returns 16 kHz PCM, trimmed 42 dB below its peak, levelled to the style's loudness.

    Raises subprocess.CalledProcessError when the synthesizer fails.
    """
    jitter = random.Random(seed)
    settings = STYLES[style]
    rate = settings.rate * jitter.uniform(0.88, 1.0)
    pitch = settings.pitch * jitter.uniform(0.97, 1.03)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        _ENGINES[voice.engine](text, voice, settings, rate, pitch, path)
        samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    speech = soxr.resample(samples[:, 0], sample_rate, SAMPLE_RATE)
    return level(trim(speech), NEUTRAL_RMS * 10 ** (settings.level_db / 20))


def trim(speech: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut what is 42 dB below the loudest 10 ms at both ends, leaving 40 ms before and 60 ms after."""
    frames = len(speech) // 160
    energy = np.sqrt(np.square(speech[: frames * 160].reshape(frames, 160)).mean(1) + 1e-12)
    loud = np.flatnonzero(energy > max(energy.max() * 10 ** (-42 / 20), 1e-4))
    return speech[max(0, loud[0] - 4) * 160 : min(frames, loud[-1] + 7) * 160]


def level(speech: NDArray[np.float32], rms: float) -> NDArray[np.int16]:
    """Scale to the given RMS over the frames that hold speech, without clipping."""
    frames = np.sqrt(np.square(speech[: len(speech) // 160 * 160].reshape(-1, 160)).mean(1) + 1e-12)
    voiced = frames[frames > frames.max() * 0.05]
    gain = rms / float(np.sqrt(np.square(voiced).mean()))
    gain = min(gain, 0.95 / float(np.abs(speech).max()))
    return (speech * gain * 32767).astype(np.int16)


def _flite(text: str, voice: Voice, style: Style, rate: float, pitch: float, path: Path) -> None:
    settings = {
        "duration_stretch": 1 / rate,
        "int_f0_target_mean": voice.pitch * pitch,
        "int_f0_target_stddev": voice.deviation * style.range,
    }
    options = [part for key, value in settings.items() for part in ("--setf", f"{key}={value:.3f}")]
    subprocess.run(
        ["flite", "-voice", voice.code, *options, "-t", text, "-o", path], check=True, capture_output=True
    )


def _espeak(text: str, voice: Voice, style: Style, rate: float, pitch: float, path: Path) -> None:
    # espeak-ng's pitch scale: 50 is the voice's own, 100 about 1.5 times that; SSML is its only way to a
    # range
    base = int(np.clip(50 + 100 * (pitch - 1), 0, 99))
    spoken = f'<prosody range="{int(100 * style.range)}%">{text}</prosody>'
    subprocess.run(
        [
            "espeak-ng",
            "-m",
            "-v",
            voice.code,
            "-s",
            str(int(165 * rate)),
            "-p",
            str(base),
            spoken,
            "-w",
            path,
        ],
        check=True,
        capture_output=True,
    )


def _festival(text: str, voice: Voice, style: Style, rate: float, pitch: float, path: Path) -> None:
    # only neutral is asked of festival: its pitch settings differ from voice to voice
    subprocess.run(
        ["text2wave", "-eval", f"({voice.code})", "-eval",
         f"(Parameter.set 'Duration_Stretch {0.92 / rate:.3f})", "-o", path],
        input=text.encode(),
        check=True,
        capture_output=True,
    )  # fmt: skip


_ENGINES = {"flite": _flite, "espeak": _espeak, "festival": _festival}
