"""What best-of-N would reach at any N, from the candidates of one sweep: predict instead of search.

Where N candidates were drawn the answer is the sub-sampled mean itself (`experiments.studies.curves`); a
model of correlated draws (`experiments.studies.expected_best`) is asked beyond. Its check: fitted on the
first half of each search's candidates, how far is it from what all of them reached.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.studies.draws import Draws, draws, widest
from experiments.studies.expected_best import Model, fit
from experiments.studies.measures import Measure
from verifiers.stats import Interval

if TYPE_CHECKING:
    import pandas

FLOOR = 0.01
"""Share of the candidates with the very best value from which on a score has a floor."""
RESAMPLES = 500
FARTHEST = 1 << 16
"""Largest N that is asked for: what needs more counts as not reached."""


@dataclass(frozen=True, slots=True)
class Check:
    """A model fitted on the first `fitted` candidates, beside what all `n` reached. error: predicted less
    observed, with its interval over utterances."""

    kind: str
    fitted: int
    n: int
    predicted: float
    observed: float
    error: Interval


@dataclass(frozen=True, eq=False)
class Prediction:
    """The curve of one measure: sub-sampled up to `drawn` candidates, by the model beyond. checks: of the
    model that is used, then of the others. replicates: the same of bootstrap samples of the utterances."""

    measure: Measure
    searched: Measure
    spec: str
    drawn: int
    utterances: int
    searches: int
    model: Model
    checks: tuple[Check, ...]
    replicates: tuple[tuple[Draws, Model], ...]
    draws: Draws
    seconds_per_candidate: float

    @property
    def kind(self) -> str:
        return self.model.kind

    def observed(self, n: int) -> bool:
        """Whether `at` tells what was seen, and not what the model says."""
        return self.draws.observes(n)

    def at(self, n: int) -> Interval:
        """Best-of-N: by sub-sampling where so many were drawn and judged, else by the model."""
        return self._interval([_value(found, model, n) for found, model in self.replicates], n)

    def _interval(self, replicates: Sequence[float], n: int) -> Interval:
        low, high = np.quantile(replicates, [0.025, 0.975])
        return Interval(_value(self.draws, self.model, n), float(low), float(high), self.utterances)

    def needed(self, target: float) -> Needed:
        """The smallest N whose expected value is as good as the target."""
        higher = self.measure.higher
        own = _smallest(self.draws, self.model, target, higher)
        each = [_smallest(found, model, target, higher) for found, model in self.replicates]
        low, high = np.quantile(each, [0.025, 0.975], method="closest_observation")
        return Needed(target, own, float(low), float(high), self.seconds_per_candidate)


@dataclass(frozen=True, slots=True)
class Needed:
    """The N for a target with its 95 % interval; infinite where FARTHEST is not enough. Seconds are in
    proportion to N, from those of one candidate."""

    target: float
    n: float
    low: float
    high: float
    seconds_per_candidate: float

    @property
    def reached(self) -> bool:
        return math.isfinite(self.n)

    def seconds(self, n: float) -> float:
        return n * self.seconds_per_candidate


def predict(frame: pandas.DataFrame, measure: Measure, *, seed: int = 0) -> Prediction:
    """Fits the model that suits the searched score, and checks it, and the others, on held-out candidates.

    Raises UserError for a table from which nothing can be predicted.
    """
    source = widest(frame, measure)
    found = draws(source, measure)
    sign = -1.0 if measure.higher else 1.0
    # The winner's score is the least of N draws where the rule makes it best, not where it only bounds it.
    least = np.take_along_axis(found.key, found.order[:, :1], axis=1)[:, 0] == found.key.min(axis=1)
    own = source.searched.column == measure.column and bool(least.all())
    kinds = ["normal", "levels" if own else "share"]
    if (found.key == found.key.min()).mean() >= FLOOR:
        kinds.reverse()
    generator = np.random.default_rng(seed)
    picks = [
        found.picked(generator.integers(0, found.utterances, found.utterances)) for _ in range(RESAMPLES)
    ]
    checks = tuple(_check(kind, found, picks, found.n // 2, sign) for kind in kinds)
    kind = kinds[0]
    replicates = tuple((one, fit(one, kind, sign)) for one in picks)
    run = source.rows[source.rows["n"] == source.n]
    each = run["wall"] / run.groupby("search")["candidate"].transform("size")
    return Prediction(
        measure,
        source.searched,
        source.spec,
        found.n,
        found.utterances,
        len(found.key),
        fit(found, kind, sign),
        checks,
        replicates,
        found,
        float(each.mean()),
    )


def _check(kind: str, found: Draws, picks: Sequence[Draws], half: int, sign: float) -> Check:
    predicted = fit(found.first(half), kind, sign).at(found.n)
    observed = found.observed(found.n)
    errors = [fit(one.first(half), kind, sign).at(one.n) - one.observed(one.n) for one in picks]
    low, high = np.quantile(errors, [0.025, 0.975])
    interval = Interval(predicted - observed, float(low), float(high), found.utterances)
    return Check(kind, half, found.n, predicted, observed, interval)


def _value(found: Draws, model: Model, n: int) -> float:
    return found.observed(n) if found.observes(n) else model.at(n)


def _smallest(found: Draws, model: Model, target: float, higher: bool) -> float:
    """The smallest N that reaches the target, by doubling and halving; infinity if FARTHEST does not."""

    def reached(n: int) -> bool:
        value = _value(found, model, n)
        return value >= target if higher else value <= target

    n = 1
    while not reached(n):
        n *= 2
        if n > FARTHEST:
            return math.inf
    low = n // 2
    while n - low > 1:
        middle = (low + n) // 2
        low, n = (low, middle) if reached(middle) else (middle, n)
    return float(n)
