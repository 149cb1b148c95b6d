"""How loud a file has become: measured block by block while it is written, in memory of a constant size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.narration.production.loudness import RATE, SILENT, Samples, decibels, true_peak

STEP = RATE // 10
"""Samples of a step: blocks of BS.1770 last four of them, and one begins at each."""
FLOOR_STEPS = 5
"""ACX looks for noise in stretches of silence; here half a second is looked at."""
ABSOLUTE_GATE, RELATIVE_GATE, OFFSET = -70.0, -10.0, -0.691
"""LUFS, LU and dB (ITU-R BS.1770-4)."""


@dataclass(frozen=True, slots=True)
class Levels:
    """lufs: integrated loudness. rms, peak, floor: dB of full scale; peak: the largest true peak; floor: of
    the quietest half second. seconds: of the file."""

    lufs: float
    rms: float
    peak: float
    floor: float
    seconds: float

    @property
    def acx(self) -> bool:
        """Whether these are the levels that ACX asks for: RMS -23 to -18 dB, peak at most -3 dB, floor at
        most -60 dB."""
        return -23 <= self.rms <= -18 and self.peak <= -3 and self.floor <= -60


class Meter:
    """Takes the samples of a file in order, and tells its levels.

    The loudness is that of `pyloudnorm.Meter`, whose filters it uses, without its need for the whole file.
    """

    def __init__(self) -> None:
        import pyloudnorm
        from scipy.signal import lfilter

        self._lfilter = lfilter
        # pyloudnorm has them by name; their order does not matter.
        filters = pyloudnorm.Meter(RATE)._filters.values()
        self._filters = [(one.passband_gain * one.b, one.a) for one in filters]
        self._states = [np.zeros(max(len(b), len(a)) - 1) for b, a in self._filters]
        self._rest: NDArray[Any] = np.zeros(0, np.float32)
        self._weighted_rest: NDArray[Any] = np.zeros(0)
        self._powers: list[float] = []
        self._weighted: list[float] = []
        self._peak, self._samples, self._energy = SILENT, 0, 0.0

    def write(self, samples: Samples) -> None:
        self._peak = max(self._peak, true_peak(samples))
        self._samples += len(samples)
        self._energy += float(np.square(samples, dtype=np.float64).sum())
        weighted: NDArray[Any] = samples.astype(np.float64)
        for number, (b, a) in enumerate(self._filters):
            weighted, self._states[number] = self._lfilter(b, a, weighted, zi=self._states[number])
        self._rest, powers = _steps(np.concatenate([self._rest, samples]))
        self._weighted_rest, own = _steps(np.concatenate([self._weighted_rest, weighted]))
        self._powers += powers
        self._weighted += own

    @property
    def levels(self) -> Levels:
        floors = np.array(self._powers)
        if len(floors) >= FLOOR_STEPS:
            floors = np.convolve(floors, np.full(FLOOR_STEPS, 1 / FLOOR_STEPS), mode="valid")
        mean = self._energy / max(self._samples, 1)
        return Levels(
            lufs=self._lufs(),
            rms=decibels(math.sqrt(mean)),
            peak=self._peak,
            floor=decibels(math.sqrt(max(float(floors.min(initial=mean)), 0.0))),
            seconds=self._samples / RATE,
        )

    def _lufs(self) -> float:
        if len(self._weighted) < 4:
            return SILENT
        blocks = np.convolve(np.array(self._weighted), np.full(4, 0.25), mode="valid")
        for gate in (ABSOLUTE_GATE, None):
            level = _loudness(blocks.mean()) + RELATIVE_GATE if gate is None else gate
            blocks = blocks[[_loudness(power) > level for power in blocks]]
            if not len(blocks):
                return SILENT
        return _loudness(float(blocks.mean()))


def _steps(samples: NDArray[Any]) -> tuple[NDArray[Any], list[float]]:
    """What is no whole step, and the mean power of each step."""
    count = len(samples) // STEP
    whole = samples[: count * STEP].astype(np.float64).reshape(count, STEP)
    return samples[count * STEP :], [float(one) for one in np.square(whole).mean(axis=1)]


def _loudness(power: float) -> float:
    return OFFSET + 10 * math.log10(power) if power > 0 else SILENT
