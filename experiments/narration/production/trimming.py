"""The begin and the end of a chunk's sound, and the noise that is under it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import SAMPLE_RATE, Waveform

LEAD, TAIL = 0.06, 0.14
"""Seconds that are kept before the first and behind the last frame of sound. A weak consonant at an edge, "f"
or the breath of "t", may be below the threshold; it is within these."""
FRAME = SAMPLE_RATE // 100
BELOW_LOUDEST, ABOVE_NOISE = 45.0, 6.0
"""dB. A frame of 10 ms is sound if it is not so far below the loudest one, and this far above the noise. The
weakest consonants of English, "th" and "f", are some 30 dB below the vowels (Fletcher 1953)."""
LEAST_RANGE = 25.0
"""dB. What is nearer to the loudest frame is sound, however loud the noise is."""
QUIET_FRAMES = 3
"""The noise under the speech is what is left in the quietest 30 ms, such as the closure of a "t"."""


@dataclass(frozen=True, slots=True)
class Edges:
    """Samples of a waveform: where its sound, with LEAD and TAIL around, begins and ends. begins may be
    negative and ends beyond the end: so much silence is to be added."""

    begins: int
    ends: int


def levels(waveform: Waveform) -> NDArray[np.float64]:
    """dB of full scale of each frame of 10 ms: [frames]."""
    count = len(waveform) // FRAME
    power = np.square(waveform[: count * FRAME].reshape(count, FRAME), dtype=np.float64).mean(axis=1)
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)))


def noise(found: NDArray[np.float64]) -> tuple[float, int]:
    """The level in dB of the quietest QUIET_FRAMES of `levels`, and the first of them."""
    width = min(QUIET_FRAMES, len(found))
    means = np.convolve(10 ** (found / 10), np.full(width, 1 / width), mode="valid")
    first = int(means.argmin())
    return float(10 * np.log10(max(means[first], 1e-12))), first


def edges(waveform: Waveform) -> Edges:
    """Where the sound is, with exactly LEAD before and TAIL behind; all of a waveform without any."""
    found = levels(waveform)
    if not len(found):
        return Edges(0, len(waveform))
    loudest = float(found.max())
    threshold = max(loudest - BELOW_LOUDEST, min(noise(found)[0] + ABOVE_NOISE, loudest - LEAST_RANGE))
    sound = np.flatnonzero(found >= threshold)
    return Edges(
        int(sound[0]) * FRAME - round(LEAD * SAMPLE_RATE),
        (int(sound[-1]) + 1) * FRAME + round(TAIL * SAMPLE_RATE),
    )


def cut(waveform: Waveform, found: Edges) -> Waveform:
    """The stretch between the edges; what is outside of the waveform is silence."""
    before, behind = max(0, -found.begins), max(0, found.ends - len(waveform))
    inside = waveform[max(0, found.begins) : min(len(waveform), found.ends)]
    return np.concatenate([np.zeros(before, np.float32), inside, np.zeros(behind, np.float32)])
