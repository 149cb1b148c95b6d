"""How many utterances and seeds a difference needs, and the noise floor of repeated seeds.

Values of a cell are split by one-way analysis of variance: `between` utterances (some texts are hard) and
`within` one, from seed to seed. A paired difference of two cells loses the first and keeps the second, and
what a strategy gains more with some texts than with others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas

POWER, LEVEL = 0.8, 0.95
FACTOR = NormalDist().inv_cdf((1 + LEVEL) / 2) + NormalDist().inv_cdf(POWER)
"""How many standard errors a difference has to be, so that a test at 5 % finds it with a power of 80 %."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Variances of one value for each utterance and seed. within: None where no utterance has two seeds; then
    `between` is all of it. seeds: of an utterance, the mean."""

    utterances: int
    seeds: float
    between: float
    within: float | None

    @property
    def noise_floor(self) -> float | None:
        """How far the means of two runs that differ in their seeds alone are apart, at most, in 95 % of
        cases; each with one seed for all its utterances. None without repeated seeds."""
        if self.within is None:
            return None
        return NormalDist().inv_cdf((1 + LEVEL) / 2) * math.sqrt(2 * self.within / self.utterances)

    def error(self, utterances: int, seeds: float) -> float:
        """The standard error of the mean over so many utterances, each spoken with so many seeds."""
        return math.sqrt((self.between + (self.within or 0.0) / seeds) / utterances)

    @property
    def found(self) -> float:
        """The smallest mean difference from 0 that these utterances and seeds find with a power of 80 %."""
        return FACTOR * self.error(self.utterances, self.seeds)

    def utterances_for(self, difference: float, seeds: int) -> int:
        """How many utterances a mean difference needs, each spoken with so many seeds, at 80 % power."""
        if difference == 0:
            raise ValueError("no number of utterances finds a difference of 0")
        return max(2, math.ceil((self.between + (self.within or 0.0) / seeds) * (FACTOR / difference) ** 2))


def spread(values: pandas.Series) -> Spread:
    """Of values by utterance and seed (two levels of the index, each pair once): for a noise floor, those of
    one cell; for a comparison, paired differences of two."""
    groups = [own.to_numpy(np.float64) for _, own in values.dropna().groupby(level=0)]
    return components(groups)


def components(groups: Sequence[np.ndarray[tuple[int], np.dtype[np.float64]]]) -> Spread:
    """One-way analysis of variance with unequal groups; a negative estimate is 0. groups: values of each
    utterance, two utterances or more."""
    counts = np.array([len(own) for own in groups], dtype=np.float64)
    total, n = counts.sum(), len(groups)
    if n < 2:
        return Spread(n, float(counts.mean()) if n else 0.0, 0.0, None)
    means = np.array([own.mean() for own in groups])
    if total == n:
        return Spread(n, 1.0, float(means.var(ddof=1)), None)
    within = sum(float(((own - own.mean()) ** 2).sum()) for own in groups) / float(total - n)
    grand = float((counts * means).sum() / total)
    mean_square = float((counts * (means - grand) ** 2).sum() / (n - 1))
    typical = (total - (counts**2).sum() / total) / (n - 1)
    between = max(0.0, (mean_square - within) / typical)
    return Spread(n, float(counts.mean()), between, within)


def statement(found: Spread, floor: float | None, differences: Mapping[str, float], unit: str) -> list[str]:
    """What a comparison can tell, in sentences. found: of the paired differences. floor: the noise floor of
    one of the two. differences: sizes that one may want to find, by name."""
    seeds = f"{found.seeds:g} seed{'s' if found.seeds > 1 else ''}"
    can = f"{found.utterances} utterances with {seeds} find a mean difference of {found.found:.3g} {unit}"
    lines = [f"{can} or more with 80 % power (5 % level, two-sided)"]
    if not found.found:
        lines = [f"in {found.utterances} utterances no pair differs: what they could find is not known"]
    if floor is None:
        lines.append("one seed: give two or more to tell the noise of sampling from that of texts")
    else:
        lines.append(
            f"noise floor: two runs that differ in the seed alone are up to {floor:.3g} {unit} "
            "apart in 95 % of cases"
        )
    for name, difference in differences.items():
        first, *more = (1,) if found.within is None else (1, 3, 5)
        needs = f"{found.utterances_for(difference, first)} utterances with {first} seed"
        needs += "".join(f", {found.utterances_for(difference, k)} with {k}" for k in more)
        lines.append(f"{name} ({difference:.3g} {unit}) needs {needs}")
    return lines
