"""Times of the same work done in two ways, in turn: what the ratio is, and how sure that is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median over `pairs` with its 95 % percentile bootstrap interval [low, high]."""

    median: float
    low: float
    high: float
    pairs: int

    @classmethod
    def of(cls, ratios: Sequence[float], seed: int = 0) -> Self:
        """Raises ValueError for no pairs."""
        if not ratios:
            raise ValueError("no pairs to compare")
        draws = np.random.default_rng(seed).choice(ratios, (RESAMPLES, len(ratios)))
        low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
        return cls(float(np.median(ratios)), float(low), float(high), len(ratios))

    def show(self, digits: int = 2) -> str:
        """`2.63 [2.45, 2.91]`."""
        return f"{self.median:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def timed(work: Callable[[], object]) -> float:
    """Wall seconds of `work`."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def tell(what: str) -> None:
    """How far it is, on a line of its own that the next one replaces; nothing where nobody watches."""
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)
