"""Means with bootstrap confidence intervals, shares with Wilson intervals: how sure a figure is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verifiers.errors import VerifierError

RESAMPLES = 10_000
_BLOCK = 1 << 22
"""Values drawn at once, so that memory stays small for long lists."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over `n` items with its interval [low, high] at `level`."""

    mean: float
    low: float
    high: float
    n: int
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}] (n={self.n})"


def bootstrap_mean(
    values: Sequence[float] | ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES, level: float = 0.95
) -> Interval:
    """The mean of one value per item (an utterance's WER, say) with its bootstrap interval.

    Items are resampled with replacement (Efron's percentile method); the same seed gives the same interval.
    Raises VerifierError for no values or values that are not finite.
    """
    data: NDArray[np.float64] = np.asarray(values, dtype=np.float64).reshape(-1)
    return bootstrap_ratio(data, np.ones_like(data), seed=seed, resamples=resamples, level=level)


def bootstrap_ratio(
    parts: Sequence[float] | ArrayLike,
    wholes: Sequence[float] | ArrayLike,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Interval:
    """The sum of `parts` over the sum of `wholes`, such as all errors over all words, with its bootstrap
    interval over the items, each of which has one of both.

    Raises VerifierError as `bootstrap_mean` does, for different lengths, and for a whole that is not
    positive.
    """
    data = np.asarray(parts, dtype=np.float64).reshape(-1)
    weights = np.asarray(wholes, dtype=np.float64).reshape(-1)
    if data.size != weights.size:
        raise VerifierError(f"{data.size} and {weights.size} values: give one of each for every item")
    if data.size == 0:
        raise VerifierError("no values to average: score at least one utterance")
    if not (np.isfinite(data).all() and np.isfinite(weights).all()):
        raise VerifierError("a value to average is not finite: leave out or repair that utterance")
    if not (weights > 0).all():
        raise VerifierError("an item has no words to count errors by: leave it out")
    if resamples < 1 or not 0.0 < level < 1.0:
        raise VerifierError("the bootstrap needs at least 1 resample and a level between 0 and 1")
    generator = np.random.default_rng(seed)
    ratios = np.empty(resamples)
    step = max(1, _BLOCK // data.size)
    for first in range(0, resamples, step):
        rows = min(step, resamples - first)
        picks = generator.integers(0, data.size, size=(rows, data.size))
        ratios[first : first + rows] = data[picks].sum(axis=1) / weights[picks].sum(axis=1)
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(ratios, [tail, 1.0 - tail])
    return Interval(float(data.sum() / weights.sum()), float(low), float(high), int(data.size), level)


def wilson(count: float, n: int, *, level: float = 0.95) -> Interval:
    """The share `count / n` with its Wilson score interval, which is sound for rare events too: of no failure
    among 100 it goes to 0.037. The count of items that are means of several trials need not be whole.

    Raises VerifierError for no items, or a count that is not from 0 to n.
    """
    if n < 1 or not 0 <= count <= n:
        raise VerifierError(
            f"{count} of {n} is no share: give at least one item, and no more events than items"
        )
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)
    share, spread = count / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half), n, level)


def paired_difference(
    first: Sequence[float] | ArrayLike,
    second: Sequence[float] | ArrayLike,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Interval:
    """The mean of `first - second` over the same items: an interval without 0 is a difference that holds.

    Raises VerifierError for different lengths, and as `bootstrap_mean` does.
    """
    a = np.asarray(first, dtype=np.float64).reshape(-1)
    b = np.asarray(second, dtype=np.float64).reshape(-1)
    if a.size != b.size:
        raise VerifierError(f"{a.size} and {b.size} values cannot be paired: give one of each for every item")
    return bootstrap_mean(a - b, seed=seed, resamples=resamples, level=level)
