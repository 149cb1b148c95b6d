"""Fifty-one voices in four styles, each a synthesizer's reading with its formants, pitch and pace moved.

The readers are those that a released recogniser understood best (``docs/nano.md``); espeak-ng's and flite's
slt are left out.

Playing a reading faster moves its formants and its pitch up together; pitch-synchronous overlap-add puts the
pitch and the pace back where they are wanted (``pitch.move``). A style is a change of pitch, pitch range,
pace, level and brightness.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from experiments.nano.data.voices import NEUTRAL_RMS, level, trim
from experiments.nano.second import engines, pitch
from llasa_core.audio import SAMPLE_RATE


@dataclass(frozen=True)
class Style:
    """Factors on pitch and pace, an exponent on the pitch range, a change of level in decibels, and how much
    of the treble is added (or taken away).
    """

    pitch: float
    spread: float
    pace: float
    level_db: float
    treble: float


STYLES = {
    "neutral": Style(1.0, 1.0, 1.0, 0.0, 0.0),
    "happy": Style(1.2, 1.45, 1.05, 1.5, 0.2),
    "sad": Style(0.87, 0.45, 0.87, -5.0, -0.4),
    "angry": Style(1.06, 1.3, 1.14, 5.0, 0.6),
}
STYLE_SHARES = {"neutral": 0.55, "happy": 0.15, "sad": 0.15, "angry": 0.15}


@dataclass(frozen=True)
class Voice:
    """One speaker: a reader, factors on its formants, pitch and pace, and an exponent on its pitch range."""

    name: str
    engine: str
    code: str
    formants: float
    pitch: float
    pace: float = 1.0
    spread: float = 1.0


def _family(engine: str, code: str, label: str, table: str) -> list[Voice]:
    """One voice for each item ``formants/pitch`` of the table, with a pace and a range of its own."""
    found = []
    for number, item in enumerate(table.split(), 1):
        formants, factor = map(float, item.split("/"))
        own = random.Random(f"{label}{number}")
        pace, spread = own.uniform(0.93, 1.07), own.uniform(0.8, 1.25)
        found.append(
            Voice(f"{label}{number}", engine, code, formants, factor, round(pace, 3), round(spread, 3))
        )
    return found


JOE = _family("joe", "", "joe", """1/1.1 0.94/1 0.97/1.25 1/1.45 1.03/1.1 1.04/1.3 1.07/1.2 1.07/1.55
    1.1/1.4 1.1/1.8 1.14/1.65 1.14/2 0.92/1.15 1/1.7 1.17/1.9 0.97/1 0.9/0.95 1.2/2.15 1.2/1.6 1.12/1.1
    1.16/1.35 0.94/1.35""")  # fmt: skip
RMS = _family(
    "flite", "rms", "rms", "1/1 0.95/0.93 1.05/1.1 1.08/1.25 1.12/1.5 1/1.2 1.04/0.95 1.1/1.1 0.95/1.2"
)
AWB = _family(
    "flite", "awb", "awb", "1/1 0.95/0.92 1.05/1.1 1.09/1.3 1.12/1.5 1/0.85 1.02/1.25 0.95/1.15 1.09/1"
)
HTS = _family(
    "festival",
    "voice_cmu_us_slt_arctic_hts",
    "hts",
    "1/1 0.94/0.85 1.06/1.12 1.1/1.25 0.92/1 1.04/0.92 1/1.2 0.91/0.82 1.12/1.35",
)
KAL = _family("flite", "kal16", "kal", "1/1")
UNHEARD = _family("festival", "voice_ked_diphone", "ked", "1/1")

HELD_OUT = frozenset({"joe6", "joe9", "joe12", "hts4", "hts5", "rms4", "awb4", *(v.name for v in UNHEARD)})
"""Voices that no model is trained on; the reader of ``UNHEARD`` is in no other voice either."""

VOICES = {v.name: v for v in (*JOE, *RMS, *AWB, *HTS, *KAL, *UNHEARD)}
READER_SHARES = {"joe": 0.48, "hts": 0.21, "rms": 0.15, "awb": 0.14, "kal": 0.02}
"""Shares of the training speech by reader: the natural one has most."""


def reader(name: str) -> str:
    """The voice's name without its number."""
    return name.rstrip("0123456789")


def shares() -> dict[str, float]:
    """The share of each training voice."""
    training = [name for name in VOICES if name not in HELD_OUT]
    sizes = Counter(map(reader, training))
    return {name: READER_SHARES[reader(name)] / sizes[reader(name)] for name in training}


def speak(written: str, voice: Voice, style: str, seed: int) -> NDArray[np.int16]:
    """Speak a text; the seed jitters pace and pitch a little, as no two readings are the same.

    Returns 16 kHz PCM, trimmed 42 dB below its peak, levelled to the style's loudness.
    """
    from scipy.signal import lfilter

    jitter, acted = random.Random(seed), STYLES[style]
    pace = voice.pace * acted.pace * jitter.uniform(0.94, 1.06)
    tone = voice.pitch * acted.pitch * jitter.uniform(0.97, 1.03)
    read, rate = engines.speak(voice.engine, voice.code, written)
    if len(read) < rate // 5:
        raise ValueError(f"{voice.name} said nothing for {written!r}")
    moved = pitch.move(read, rate, tone / voice.formants, voice.spread * acted.spread, pace / voice.formants)
    speech = soxr.resample(moved, rate * voice.formants, SAMPLE_RATE)
    speech = speech + acted.treble * (speech - lfilter([0.33], [1, -0.67], speech))  # above about 1 kHz
    trimmed = trim(speech.astype(np.float32))
    return level(trimmed, NEUTRAL_RMS * 10 ** (acted.level_db / 20))
