"""Pitch, measured by REAPER."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from llasa_core.errors import UserError

FRAME_SECONDS = 0.005
LOWEST, HIGHEST = 50.0, 500.0

Samples = NDArray[np.float64]


def contour(wave: Samples, rate: int, frames: int) -> NDArray[np.float32]:
    """Pitch in Hz in the middle of each of ``frames`` 20 ms, 0 where nothing is voiced: [frames].

    Raises UserError where pyreaper is not installed.
    """
    try:
        import pyreaper
    except ImportError:
        raise UserError("pyreaper is not installed: pip install pyreaper") from None
    peak = np.abs(wave).max() + 1e-9
    with _silence():  # the library reports to the terminal
        _, _, _, heard, _ = pyreaper.reaper(
            (wave / peak * 30_000).astype(np.int16), rate, LOWEST, HIGHEST,
            frame_period=FRAME_SECONDS, unvoiced_cost=0.9,
        )  # fmt: skip
    pitch = np.maximum(heard, 0)[2::4][:frames]
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
