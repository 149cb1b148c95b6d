"""How loud a book is: targets, measures, the gain of a chunk, and the limiter of its peaks.

Loudness is that of ITU-R BS.1770-4 as pyloudnorm (MIT) measures it. The limiter is two filters of
scipy: FFmpeg's `alimiter` would do, but the wheels of PyAV, which bring FFmpeg, hold parts under the GPL, and
so cannot be what every book needs.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from llasa_core.errors import UserError

RATE = 44_100
"""Samples a second of a book's files."""
Samples = NDArray[np.float32]
"""float32 [samples], mono, RATE, full scale -1..1."""
SILENT = -120.0
"""In dB of full scale: what is said of no sound at all."""
OVERSAMPLED = 4
"""True peaks are looked for between the samples, at so many times their rate (BS.1770-4, annex 2)."""
LOOKAHEAD = RATE // 200
"""Samples, 5 ms: the limiter turns down before a peak, and up behind it, within these."""
MOST_GAIN = 20.0
"""dB. A chunk that is farther from the target is no quiet speech but a fault, or noise."""
ROUNDS = 4
"""Times that the limiter looks at its own result; mostly it finds nothing at the second."""
PASSES, NEAR = 3, 0.2
"""Times that a chunk is brought nearer to the target, until it is so many dB from it."""
BLOCK = 0.4
"""Seconds of a block of BS.1770; shorter sound is repeated until it fills some."""


@dataclass(frozen=True, slots=True)
class Loudness:
    """What each chunk is brought to. kind: "ebu", by integrated loudness (LUFS); "acx", by the root mean
    square (dB); "none": it stays as it was spoken. ceiling: dB of full scale that no true peak passes."""

    kind: Literal["ebu", "acx", "none"] = "ebu"
    target: float = -18.0
    ceiling: float = -1.0

    def level(self, samples: Samples) -> float:
        """What the target is compared with: LUFS, or dB of full scale."""
        return rms(samples) if self.kind == "acx" else lufs(samples)

    def __str__(self) -> str:
        return self.kind if self.kind == "none" else f"{self.kind}:{self.target:g}"


RANGES = {"ebu": (-31.0, -9.0), "acx": (-22.0, -18.5)}
"""Of targets. ACX takes -23 to -18 dB of a whole file, in which pauses take some; EBU R128 itself is -23."""
DEFAULTS = {"ebu": -18.0, "acx": -19.5}
CEILINGS = {"ebu": -1.0, "acx": -3.5}
"""EBU R128: at most -1 dBTP. ACX: at most -3 dB; half a dB is left for what an encoder adds."""


def parse_loudness(text: str) -> Loudness:
    """`ebu:-18`, `acx`, `acx:-20` or `none`. Raises UserError."""
    found = re.fullmatch(r"(ebu|acx)(?::([-−]?\d{1,3}(?:\.\d{1,2})?))?", text.strip().lower())
    if text.strip().lower() == "none":
        return Loudness("none", 0.0, 0.0)
    if not found:
        raise UserError(f"--loudness {text[:40]!r}: give ebu:-18 (LUFS), acx (dB of RMS) or none")
    kind: Literal["ebu", "acx"] = "ebu" if found[1] == "ebu" else "acx"
    target = float(found[2].replace("−", "-")) if found[2] else DEFAULTS[kind]
    least, most = RANGES[kind]
    if not least <= target <= most:
        raise UserError(f"--loudness {text[:40]}: the target of {kind} is from {least:g} to {most:g}")
    return Loudness(kind, target, CEILINGS[kind])


@dataclass(frozen=True, slots=True)
class Levelled:
    """A chunk's sound at the target. gain: dB, at most MOST_GAIN up or down. before: its level as it was, in
    the unit of the target."""

    samples: Samples
    gain: float
    before: float


def levelled(samples: Samples, loudness: Loudness) -> Levelled:
    """Sound that is as loud as the target, with its peaks limited; what the limiter takes away is given back.
    Silence stays as it is."""
    before = loudness.level(samples)
    if loudness.kind == "none" or before <= SILENT + 20:
        return Levelled(samples, 0.0, before)
    gain, found = 0.0, samples
    for number in range(PASSES):
        missing = loudness.target - loudness.level(found)
        if number and abs(missing) < NEAR:
            break
        gain = float(np.clip(gain + missing, -MOST_GAIN, MOST_GAIN))
        found = limited(samples * np.float32(10 ** (gain / 20)), loudness.ceiling)
    return Levelled(found, gain, before)


def limited(samples: Samples, ceiling: float) -> Samples:
    """The samples with no true peak above `ceiling` (dB); what is 10 ms from any peak stays as it is.

    The gain is the least that any peak nearby needs, smoothed by a window no longer than "nearby": never more
    than a peak allows. A gain that changes moves what is between the samples a little, and so it is looked at
    again.
    """
    most = 10 ** (ceiling / 20)
    for _ in range(ROUNDS):
        peaks = _peaks(samples)
        if peaks.max(initial=0.0) <= most:
            break
        gain = _gain(np.minimum(1.0, 0.999 * most / np.maximum(peaks, 1e-9)))
        samples = np.asarray(samples * gain, np.float32)
    return samples


def _gain(needed: NDArray[Any]) -> NDArray[np.float64]:
    """A smooth gain that is nowhere above `needed`: [samples]."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    gain = minimum_filter1d(needed.astype(np.float64), 2 * LOOKAHEAD + 1, mode="nearest")
    for _ in range(2):  # two means over half of "nearby": a triangle over all of it
        gain = uniform_filter1d(gain, LOOKAHEAD + 1, mode="nearest")
    # The running means are off by some 1e-16, and what needs nothing stays as it is.
    return np.asarray(np.where(gain > 1 - 1e-9, 1.0, np.minimum(gain, needed)))


def _peaks(samples: Samples) -> NDArray[np.float32]:
    """The true peak around each sample."""
    dense = soxr.resample(samples, RATE, OVERSAMPLED * RATE, quality="HQ")
    padded = np.zeros(OVERSAMPLED * len(samples), np.float32)
    padded[: len(dense)] = np.abs(dense[: len(padded)])
    around = padded.reshape(-1, OVERSAMPLED).max(axis=1)
    before = np.concatenate([around[:1], around[:-1]]) if len(around) else around
    return np.asarray(np.maximum(np.maximum(around, before), np.abs(samples)))


def true_peak(samples: Samples) -> float:
    """dB of full scale, between the samples too."""
    return decibels(float(_peaks(samples).max(initial=0.0)))


def lufs(samples: Samples) -> float:
    """Integrated loudness, gated; SILENT where all is below the absolute gate."""
    import pyloudnorm

    if not samples.any():
        return SILENT
    enough = math.ceil(2 * BLOCK * RATE / len(samples))
    found = pyloudnorm.Meter(RATE).integrated_loudness(np.tile(samples, enough) if enough > 1 else samples)
    return float(found) if math.isfinite(found) else SILENT


def rms(samples: Samples) -> float:
    """Root mean square in dB of full scale."""
    if not len(samples):
        return SILENT
    return decibels(math.sqrt(float(np.mean(np.square(samples, dtype=np.float64)))))


def decibels(value: float) -> float:
    return max(20 * math.log10(value), SILENT) if value > 0 else SILENT
