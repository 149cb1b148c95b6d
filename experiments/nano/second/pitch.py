"""Pitch: measured by REAPER, moved by TD-PSOLA (Moulines & Charpentier, 1990)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from llasa_core.errors import UserError

FRAME_SECONDS = 0.005
LOWEST, HIGHEST = 50.0, 500.0
UNVOICED_SECONDS = 0.005
"""Between the grains where nothing is voiced."""

Samples = NDArray[np.float64]


def track(wave: Samples, rate: int) -> tuple[NDArray[np.int64], NDArray[np.bool_], Samples]:
    """(sample numbers of the pitch marks, whether each is voiced, pitch in Hz every 5 ms, 0 where unvoiced).

    Raises UserError where pyreaper is not installed.
    """
    try:
        import pyreaper
    except ImportError:
        raise UserError("pyreaper is not installed: pip install pyreaper") from None
    peak = np.abs(wave).max() + 1e-9
    with _silence():  # the library reports to the terminal
        times, voiced, _, pitch, _ = pyreaper.reaper(
            (wave / peak * 30_000).astype(np.int16), rate, LOWEST, HIGHEST,
            frame_period=FRAME_SECONDS, unvoiced_cost=0.9,
        )  # fmt: skip
    marks = (np.asarray(times) * rate).astype(np.int64)
    inside = (marks > 0) & (marks < len(wave) - 1)
    return marks[inside], np.asarray(voiced)[inside] > 0, np.maximum(np.asarray(pitch, np.float64), 0)


def contour(wave: Samples, rate: int, frames: int) -> NDArray[np.float32]:
    """Pitch in Hz in the middle of each of ``frames`` 20 ms, 0 where nothing is voiced: [frames]."""
    pitch = track(wave, rate)[2][2::4][:frames]
    found: NDArray[np.float32] = np.pad(pitch, (0, frames - len(pitch))).astype(np.float32)
    return found


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    saved = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in (1, 2):
            os.dup2(nowhere, number)
        yield
    finally:
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)


def move(wave: Samples, rate: int, level: float, spread: float, pace: float) -> Samples:
    """Speech with another melody and pace, and the formants it had: [samples] -> [samples / pace].

    level: factor on the pitch. spread: exponent on the distance of the pitch from its median (1: as it is, 0:
    monotone). pace: factor on the speed.
    """
    marks, voiced, pitch = track(wave, rate)
    if len(marks) < 3 or not voiced.any():
        return wave
    middle = float(np.median(pitch[pitch > 0])) if (pitch > 0).any() else 100.0
    periods = np.diff(marks, append=marks[-1] + int(rate * UNVOICED_SECONDS))
    periods = np.clip(periods, rate // 600, rate // 50)
    own = rate / periods
    step = np.full(len(marks), rate * UNVOICED_SECONDS)
    wanted = np.clip(middle * level * (own / middle) ** spread, 0.5 * own, 2.4 * own)
    step[voiced] = rate / wanted[voiced]
    length = int(len(wave) / pace)
    out, weight = np.zeros(length), np.zeros(length)
    time, last = 0.0, -1
    while time < length:
        place = time * pace
        nearest = int(np.searchsorted(marks, place))
        if nearest == len(marks) or (nearest and place - marks[nearest - 1] < marks[nearest] - place):
            nearest -= 1
        backwards = nearest == last and not voiced[nearest]  # a repeated grain of noise would buzz
        _add(out, weight, wave, int(marks[nearest]), int(time), int(periods[nearest]), backwards)
        last = nearest
        time += step[nearest]
    return out / np.maximum(weight, 0.3)


_windows: dict[int, Samples] = {}


def _add(
    out: Samples, weight: Samples, wave: Samples, source: int, target: int, period: int, backwards: bool
) -> None:
    """Add two periods around ``source`` at ``target``, under a Hann window; its weight is noted for the
    division.
    """
    window = _windows.setdefault(period, np.hanning(2 * period + 1))
    left = min(period, source, target)
    right = min(period, len(wave) - source - 1, len(out) - target - 1)
    grain = wave[source - left : source + right + 1] * window[period - left : period + right + 1]
    if backwards and left == right:
        grain = grain[::-1]
    out[target - left : target + right + 1] += grain
    weight[target - left : target + right + 1] += window[period - left : period + right + 1]
