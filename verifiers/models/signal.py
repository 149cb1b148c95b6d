"""Plain checks of the signal, without a model: the cheapest filter, before a recogniser runs.

Clipping, loudness, offset, silence, pauses, and whether the text fits into the time that is spoken.
"""

import math
import re
import unicodedata
from dataclasses import dataclass, fields
from itertools import groupby
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import SAMPLE_RATE, Waveform, clipped_share, loudness_dbfs, seconds
from llasa_core.text import base_language
from verifiers.base import About, Score, Target
from verifiers.shared.verifier import BaseVerifier
from verifiers.spec import Readers

FRAME = SAMPLE_RATE // 50
"""Samples of a frame: 20 ms."""
BELOW_SPEECH_DB = 30.0
"""A frame so far below the level of speech (the 95th percentile of the audible frames) is silence."""
INAUDIBLE_DBFS = -80.0
"""A frame below this is silence, however quiet the rest is."""
LETTERS_PER_SYLLABLE = 2.5
"""Where neither vowels nor syllable characters are known (Cyrillic, Arabic, Devanagari and others)."""
_LATIN = re.compile(r"[a-z']+")
_SYLLABLE_CHARACTERS = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")


def limit(text: str) -> float:
    """An option that is a number, or `inf` to leave the check out."""
    value = float(text)
    if math.isnan(value):
        raise ValueError("has to be a number")
    return value


@dataclass(frozen=True, slots=True)
class Limits:
    """What is still plausible. The defaults hold for a single sentence of careful or lively speech, with
    room.

    max_clipped, max_silence: shares of the samples and of the frames. max_dc: mean of the samples, full scale
    1. min_dbfs, max_dbfs: root mean square. max_pause (inside), max_leading, max_trailing: seconds of
    silence. min_rate, max_rate: syllables a second of what is not silent.
    """

    max_clipped: float = 0.001
    min_dbfs: float = -40.0
    max_dbfs: float = -8.0
    max_dc: float = 0.02
    max_silence: float = 0.4
    max_pause: float = 1.5
    max_leading: float = 1.0
    max_trailing: float = 1.0
    min_rate: float = 2.0
    max_rate: float = 9.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one waveform. rate: syllables a second of what is not silent; None without a text."""

    seconds: float
    dbfs: float
    clipped: float
    dc: float
    silence: float
    pause: float
    leading: float
    trailing: float
    syllables: int | None
    rate: float | None

    def failed(self, limits: Limits, partial: bool = False) -> list[str]:
        """The limits that are broken, by their option. Of partial audio the end and the rate are not
        judged."""
        broken = {
            "max_clipped": self.clipped > limits.max_clipped,
            "min_dbfs": self.dbfs < limits.min_dbfs,
            "max_dbfs": self.dbfs > limits.max_dbfs,
            "max_dc": abs(self.dc) > limits.max_dc,
            "max_silence": self.silence > limits.max_silence,
            "max_pause": self.pause > limits.max_pause,
            "max_leading": self.leading > limits.max_leading,
        }
        if not partial:
            broken["max_trailing"] = self.trailing > limits.max_trailing
        if not partial and self.rate is not None:
            broken["min_rate"] = self.rate < limits.min_rate
            broken["max_rate"] = self.rate > limits.max_rate
        return [name for name, is_broken in broken.items() if is_broken]

    def evidence(self) -> dict[str, Any]:
        """Plain JSON values, named with their units."""
        found = {
            "seconds": self.seconds,
            "loudness_dbfs": self.dbfs,
            "clipped_share": self.clipped,
            "dc_offset": self.dc,
            "silence_share": self.silence,
            "longest_pause_seconds": self.pause,
            "leading_seconds": self.leading,
            "trailing_seconds": self.trailing,
            "syllables": self.syllables,
            "syllables_per_second": self.rate,
        }
        return {name: round(value, 5) for name, value in found.items() if value is not None}


class SignalChecks(BaseVerifier):
    """Metric "signal": how many limits a waveform breaks; 0 is clean, so `signal<=0` lets only clean audio
    pass.

    Without a text in the target the speaking rate is not judged. Evidence: everything measured (with units),
    and failed, the broken limits by their option.
    """

    about = About(
        measures="clipping, loudness, silence, pauses and speaking rate: how many are out of bounds",
        needs=(),
        released={"signal": "no weights"},
        min_seconds=0.2,
    )
    metric_name = "signal"
    higher_is_better = False
    worst = float(len(fields(Limits)))
    max_seconds = math.inf
    options: ClassVar[Readers] = {entry.name: limit for entry in fields(Limits)}

    def __init__(self, *, spec: str = "signal", name: str = "signal", **limits: float) -> None:
        """limits: of `Limits`, by name."""
        super().__init__(spec=spec, name=name)
        self.limits = Limits(**limits)

    def score_one(self, waveform: Waveform, target: Target, partial: bool) -> Score:
        syllables = None if target.text is None else count_syllables(target.text, target.language)
        measured = measure(waveform, syllables)
        failed = measured.failed(self.limits, partial)
        return Score(float(len(failed)), {**measured.evidence(), "failed": failed})


def measure(waveform: Waveform, syllables: int | None = None) -> Measured:
    """waveform: float32 [samples] of at least a frame that is not digital silence. syllables: of its text."""
    silent = silent_frames(waveform)
    runs = [(quiet, sum(1 for _ in run)) for quiet, run in groupby(silent.tolist())]
    leading = runs[0][1] if runs[0][0] else 0
    trailing = runs[-1][1] if runs[-1][0] else 0
    pauses = [count for quiet, count in runs[1:-1] if quiet]
    frame = FRAME / SAMPLE_RATE
    spoken = max(len(silent) - int(silent.sum()), 1) * frame
    return Measured(
        seconds=seconds(waveform),
        dbfs=loudness_dbfs(waveform),
        clipped=clipped_share(waveform),
        dc=float(waveform.mean(dtype=np.float64)),
        silence=float(silent.mean()),
        pause=max(pauses, default=0) * frame,
        leading=leading * frame,
        trailing=trailing * frame,
        syllables=syllables,
        rate=None if syllables is None else syllables / spoken,
    )


def silent_frames(waveform: Waveform) -> NDArray[np.bool_]:
    """For each whole 20 ms whether it is BELOW_SPEECH_DB under the level of speech, or inaudible anyway.

    An offset does not count as sound.
    """
    whole = waveform[: len(waveform) // FRAME * FRAME].astype(np.float64).reshape(-1, FRAME)
    level = 10 * np.log10(np.maximum(whole.var(axis=1), 1e-12))
    audible = level[level >= INAUDIBLE_DBFS]
    speech = float(np.percentile(audible, 95)) if len(audible) else 0.0
    return np.asarray(level < max(speech - BELOW_SPEECH_DB, INAUDIBLE_DBFS))


def count_syllables(text: str, language: str = "en") -> int:
    """About how many syllables a text has, at least 1: characters of Chinese, Japanese and Korean, groups of
    vowels in Latin letters (a silent e at the end of an English word left out), letters elsewhere."""
    plain = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))
    plain = unicodedata.normalize("NFC", plain)
    latin = [_latin_syllables(found, language) for found in _LATIN.findall(plain)]
    others = [c for c in _LATIN.sub(" ", plain) if c.isalnum()]
    whole = [c for c in others if c.isdigit() or unicodedata.name(c, "").startswith(_SYLLABLE_CHARACTERS)]
    letters = len(others) - len(whole)
    return max(1, sum(latin) + len(whole) + math.ceil(letters / LETTERS_PER_SYLLABLE))


def _latin_syllables(word: str, language: str) -> int:
    groups = len(re.findall(r"[aeiouy]+", word))
    silent = base_language(language) == "en" and re.search(r"[^aeiouyl]e$|[aeiouy]le$", word)
    return max(1, groups - bool(silent)) if word.strip("'") else 0
