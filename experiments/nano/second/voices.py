"""Kokoro's voices in four styles, and each of them with two more throats.

A style changes the pitch, its span and the pace where Kokoro has predicted them, before any sound is made,
and then the brightness and the level. Two more speakers come of each reading at no cost: played slower and
faster, its formants, its pitch and its pace move together.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from experiments.nano.data.voices import NEUTRAL_RMS, level, trim
from experiments.nano.second.kokoro import Acting, Kokoro
from experiments.nano.second.kokoro_decoder import SAMPLE_RATE as READ_RATE
from experiments.nano.second.phonemes import phonemes
from llasa_core.audio import SAMPLE_RATE


@dataclass(frozen=True)
class Style:
    """Factors on pitch and pace, an exponent on the span of the pitch, a change of level in decibels, and how
    much of the treble is added (or taken away).
    """

    pitch: float
    spread: float
    pace: float
    level_db: float
    treble: float


STYLES = {
    "neutral": Style(1.0, 1.0, 1.0, 0.0, 0.0),
    "happy": Style(1.2, 1.5, 1.05, 1.5, 0.2),
    "sad": Style(0.87, 0.45, 0.85, -5.0, -0.4),
    "angry": Style(1.06, 1.3, 1.16, 5.0, 0.6),
}
STYLE_SHARES = {"neutral": 0.55, "happy": 0.15, "sad": 0.15, "angry": 0.15}

THROATS = {"": 1.0, "-": 0.88, "+": 1.13}
"""How much faster than it was read a reading is played; the sign ends the speaker's name."""


@dataclass(frozen=True)
class Voice:
    """One speaker: a voice of Kokoro's, and how much faster than it was read it is played."""

    name: str
    base: str
    speed: float = 1.0

    @property
    def british(self) -> bool:
        """Whether Kokoro learned the voice from British English."""
        return self.base[0] == "b"


BASES = tuple(
    """af_alloy af_aoede af_bella af_heart af_jessica af_kore af_nova af_river af_sarah af_sky
    am_adam am_echo am_eric am_fenrir am_liam am_michael am_onyx am_puck bf_alice bf_emma bf_isabella bf_lily
    bm_daniel bm_fable bm_george bm_lewis ef_dora em_alex em_santa ff_siwis hf_alpha hf_beta hm_omega hm_psi
    if_sara im_nicola""".split()
)
"""Voices of Kokoro's: the first letter is the language that each was learned from (a, b: American and British
English), the second the sex. All read English. Left out are af_nicole, who whispers, two that are like
others here, and the Japanese and Chinese, whom a released recogniser mistakes two to six times as often.
"""
UNHEARD = ("af_sky", "am_eric", "bf_isabella", "bm_lewis")
"""Of these, those that no model is trained on."""

SPEAKERS = {base: tuple(Voice(base + sign, base, speed) for sign, speed in THROATS.items()) for base in BASES}
VOICES = {voice.name: voice for own in SPEAKERS.values() for voice in own}
HELD_OUT = frozenset(voice.name for base in UNHEARD for voice in SPEAKERS[base])


def group(name: str) -> str:
    """Language, sex and throat of a voice: "af", "af+"."""
    return name[:2] + (name[-1] if name[-1] in "+-" else "")


def read(kokoro: Kokoro, written: str, base: str, style: str, seed: int) -> NDArray[np.float32]:
    """Let a voice of Kokoro's read a text in a style, at 24 kHz; the seed jitters pitch and pace a little, as
    no two readings are the same. Raises ValueError if nothing is said.
    """
    from scipy.signal import lfilter

    jitter, acted = random.Random(seed), STYLES[style]
    acting = Acting(
        pitch=acted.pitch * jitter.uniform(0.96, 1.04),
        spread=acted.spread * jitter.uniform(0.9, 1.1),
        pace=acted.pace * jitter.uniform(0.93, 1.07),
    )
    said = phonemes(written, SPEAKERS[base][0].british)
    speech = kokoro.speak(said, kokoro.voices[base], acting, seed)
    duller = lfilter([0.33], [1, -0.67], speech).astype(np.float32)  # above about 1 kHz
    found: NDArray[np.float32] = speech + acted.treble * (speech - duller)
    return found


def play(reading: NDArray[np.float32], voice: Voice, style: str) -> NDArray[np.int16]:
    """A reading as a speaker: 16 kHz PCM, trimmed 42 dB below its peak, levelled to the style's loudness."""
    speech = soxr.resample(reading, READ_RATE * voice.speed, SAMPLE_RATE)
    return level(trim(speech), NEUTRAL_RMS * 10 ** (STYLES[style].level_db / 20))
