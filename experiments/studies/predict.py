"""What best-of-N would reach at any N, from the candidates of one sweep: predict instead of search.

Candidates of one utterance are correlated draws: some sentences are hard for all of them. Models of the
expected best of N exchangeable draws:

- `levels`, where the score that is searched by has a floor, such as WER. The chance that a candidate of an
  utterance is worse than a level is Beta-distributed over utterances, so the chance that all N are is
  B(a + N, b) / B(a, b), and the expected best is the sum over levels of their distance times that chance. It
  falls as a power of N, as coverage by repeated sampling does (Brown et al. 2024, arXiv 2407.21787). Each
  level is fitted by maximum likelihood of its beta-binomial counts.
- `normal`, where it has none, such as similarity: mean + slope * m(N), where m(N) is the expected maximum of
  N standard normal draws. For the score that is searched by, the slope is the standard deviation within
  utterances, sigma * sqrt(1 - rho); for a judge, times its correlation with that score.
- `share`, for a held-out judge where the searched score has a floor: a straight line through the `levels` of
  that score. A judge confirms a share of what the search gains, and no more than that score has left to gain.

Where N candidates were drawn the answer is the sub-sampled mean itself (`experiments.studies.curves`); a
model is asked beyond. Its check: fitted on the first half of each search's candidates, how far is it from
what all of them reached.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from experiments.studies.curves import BASE, ranks_subsets, subset_weights
from experiments.studies.measures import Measure, searched_by
from llasa_core.errors import UserError
from verifiers.stats import Interval

if TYPE_CHECKING:
    import pandas

MOST_LEVELS = 128
FLOOR = 0.01
"""Share of the candidates with the very best value from which on a score has a floor."""
RESAMPLES = 500
FARTHEST = 1 << 16
"""Largest N that is asked for: what needs more counts as not reached."""
MEAN_LOGITS = np.linspace(-9.0, 9.0, 91)
SPREAD_LOGITS = np.linspace(-6.0, 6.0, 49)
MEANS, SPREADS = len(MEAN_LOGITS), len(SPREAD_LOGITS)
_QUADRATURE = 4001

LEAST = 4
Values: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Draws:
    """The candidates of best-of-N by search. key: float64 [searches, N], in lineage order, of the score that
    the search made best, lower is better. order: int [searches, N], places of the candidates from the best to
    the worst by the whole rule. utterance: int [searches], which one each search spoke.

    value: float64 [searches, N], of the measure that is predicted; or None where only winners were judged,
    and then judged: float64 [searches] by N, of the winner of the first N.
    """

    key: Values
    order: Indices
    utterance: Indices
    value: Values | None
    judged: Mapping[int, Values] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return int(self.key.shape[1])

    @property
    def utterances(self) -> int:
        return int(self.utterance.max()) + 1

    @property
    def widths(self) -> list[int]:
        """1, 2, 4 ... n; where only winners were judged, those that were."""
        if self.value is None:
            return sorted(k for k in self.judged if k <= self.n)
        return [1 << bit for bit in range(self.n.bit_length()) if 1 << bit <= self.n]

    def first(self, n: int) -> Draws:
        """The first n candidates of each search, as a run of that N has them."""
        order = np.array([row[row < n] for row in self.order])
        value = None if self.value is None else self.value[:, :n]
        return Draws(self.key[:, :n], order, self.utterance, value, self.judged)

    def picked(self, utterances: Indices) -> Draws:
        """A bootstrap sample: the searches of these utterances, which count as different ones."""
        rows = [np.flatnonzero(self.utterance == one) for one in utterances]
        own = np.repeat(np.arange(len(rows)), [len(part) for part in rows])
        where = np.concatenate(rows)
        value = None if self.value is None else self.value[where]
        judged = {k: column[where] for k, column in self.judged.items()}
        return Draws(self.key[where], self.order[where], own, value, judged)

    def observed(self, k: int) -> float:
        """Best-of-k, k <= n: the mean over utterances, of means over seeds; by sub-sampling, or of the
        winners of the first k (k in `widths`) where only winners were judged."""
        if self.value is None:
            each = self.judged[k]
        else:
            each = np.take_along_axis(self.value, self.order, axis=1) @ subset_weights(self.n, k)
        sums = np.bincount(self.utterance, each, self.utterances)
        return float((sums / np.bincount(self.utterance, minlength=self.utterances)).mean())


@dataclass(frozen=True, eq=False)
class Widest:
    """The widest best-of-N of a table: its rows with those of the same series that are narrower, its spec and
    N, and the metric that it selects by first."""

    rows: pandas.DataFrame
    spec: str
    n: int
    searched: Measure


def widest(frame: pandas.DataFrame, measure: Measure | None = None) -> Widest:
    """Of several rules the one that goes by the measure's metric first.

    Raises UserError for a table without a best-of-N of at least LEAST candidates whose rule ranks every
    subset alike, and of several presets.
    """
    own = frame[frame["spec"].map(lambda spec: spec.partition("?")[0] == BASE and ranks_subsets(spec))]
    top = own[(own["n"] == own["n"].max()) & (own["n"] >= LEAST)]
    if top.empty:
        raise UserError(
            f"nothing to predict from: the sweep needs a best-of-n of at least {LEAST} candidates, with a "
            "selection such as select=wer,sim"
        )
    if len(presets := sorted(top["preset"].unique())) > 1:
        raise UserError(f"the sweep has several presets: say which, as in --preset {presets[0]}")
    rules = {str(spec): searched_by(frame, spec) for spec in sorted(top["spec"].unique())}
    known = {spec: one for spec, one in rules.items() if one is not None}
    if not known:
        raise UserError(
            f"{next(iter(rules))} does not say by which metric it selects: sweep with select=wer,sim, say"
        )
    wanted = [spec for spec, one in known.items() if measure is not None and one.metric == measure.metric]
    spec = next(iter(wanted or known))
    series = top.loc[top["spec"] == spec, "series"].min()
    return Widest(own[own["series"] == series], spec, int(top["n"].iloc[0]), known[spec])


def draws(found: Widest, measure: Measure) -> Draws:
    """The candidates as draws, without searches that a budget stopped, and without what was drawn beyond N.

    Raises UserError where no search drew N candidates, and for a judge of too few winners.
    """
    import pandas

    n, sign = found.n, -1.0 if found.searched.higher else 1.0
    rows = found.rows[found.rows["n"] == n].sort_values(["utterance", "seed", "candidate"])
    rows = rows[rows.groupby("search").cumcount() < n]
    rows = rows[rows.groupby("search")["candidate"].transform("size") == n]
    if rows.empty:
        raise UserError(f"no search of {found.spec} drew {n} candidates: nothing to predict from")
    key, value = (one.of(rows).reshape(-1, n) for one in (found.searched, measure))
    order = np.argsort(rows["rank"].to_numpy().reshape(-1, n), axis=1, kind="stable").astype(np.int64)
    searches = rows.groupby(["utterance", "seed"], sort=True).size().index
    utterance = pandas.factorize(searches.get_level_values("utterance"))[0].astype(np.int64)
    if np.isfinite(value).all():
        return Draws(sign * key, order, utterance, value)
    winners = found.rows[found.rows["winner"]]
    judged = {
        int(k): measure.of(cell.set_index(["utterance", "seed"]).reindex(searches))
        for k, cell in winners.groupby("n")
    }
    judged = {k: column for k, column in judged.items() if np.isfinite(column).all()}
    if len(judged) < 3 or n not in judged:
        raise UserError(f"{measure.by} judged too few of the winners to predict its values: sweep more N")
    return Draws(sign * key, order, utterance, None, judged)


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted curve, mean + slope * g(N). kind: `normal`, g is m(N); `levels` and `share`, g is the expected
    best of the score that is searched by, lower is better, with its levels and the a, b of each but the last.
    """

    kind: str
    mean: float
    slope: float
    levels: Values | None = None
    exceeding: tuple[Values, Values] | None = None

    def at(self, n: float) -> float:
        """The expected value of best-of-N."""
        return self.mean + self.slope * self._best(n)

    def _best(self, n: float) -> float:
        if self.levels is None or self.exceeding is None:
            return expected_maximum(n)
        return float(self.levels[0] + np.diff(self.levels) @ all_exceed(*self.exceeding, n))


def all_exceed(a: Values, b: Values, n: float) -> Values:
    """B(a + n, b) / B(a, b): the chance that n exchangeable draws all are worse than a level. b = 0: all
    always are; a = 0: never."""
    from scipy.special import betaln

    with np.errstate(invalid="ignore", divide="ignore"):
        inner = np.exp(betaln(a + n, b) - betaln(a, b))
    return np.where(b <= 0, 1.0, np.where(a <= 0, 0.0, inner))


@lru_cache(maxsize=4096)
def expected_maximum(n: float) -> float:
    """Of n independent standard normal draws, n >= 1 (not necessarily whole): by quadrature of
    x * n * phi(x) * Phi(x)^(n - 1)."""
    from scipy.stats import norm

    x = np.linspace(-9.0, 9.0, _QUADRATURE)
    density = n * np.exp(norm.logpdf(x) + (n - 1) * norm.logcdf(x))
    return float(np.trapezoid(x * density, x))


def fit(found: Draws, kind: str, sign: float) -> Model:
    """sign: -1 where a higher value of the measure is better; of `levels` alone."""
    if kind == "normal":
        return _line(Model("normal", 0.0, 1.0), found)
    levels, exceeding = fit_levels(found)
    if kind == "levels":
        return Model("levels", 0.0, sign, levels, exceeding)
    return _line(Model("share", 0.0, 1.0, levels, exceeding), found)


def _line(curve: Model, found: Draws) -> Model:
    """The straight line through a curve that fits what was observed at 1, 2, 4 ... n, by least squares."""
    ks = found.widths
    x = np.array([curve.at(k) for k in ks])
    y = np.array([found.observed(k) for k in ks])
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float((x - x.mean()) @ (y - y.mean())) / spread if spread else 0.0
    return replace(curve, mean=float(y.mean() - slope * x.mean()), slope=slope)


def fit_levels(found: Draws) -> tuple[Values, tuple[Values, Values]]:
    """Of the score that is searched by: its levels, the best first, and a, b of each but the last."""
    levels = np.unique(found.key)
    if len(levels) > MOST_LEVELS:
        shares = np.linspace(0, 1, MOST_LEVELS)
        levels = np.unique(np.quantile(found.key, shares, method="closest_observation"))
    counts = np.stack([(found.key > level).sum(axis=1) for level in levels[:-1]]) if len(levels) > 1 else None
    if counts is None:
        return levels, (np.zeros(0), np.zeros(0))
    spoken = np.equal.outer(found.utterance, np.arange(found.utterances))  # [searches, utterances]
    by_utterance = counts.astype(np.float64) @ spoken
    trials = np.bincount(found.utterance, minlength=found.utterances) * found.n
    return levels, fit_beta(by_utterance, trials)


def fit_beta(counts: Values, trials: Indices) -> tuple[Values, Values]:
    """Maximum likelihood of beta-binomial counts, over a grid of means and correlations; between the points
    of the grid by the parabola through the best one and its neighbours.

    counts: float64 [levels, utterances], of draws that exceed the level, of `trials` int [utterances] each.
    Returns a, b: float64 [levels].
    """
    likelihood = np.zeros((MEANS * SPREADS, len(counts)))
    for n in np.unique(trials):
        own = counts[:, trials == n].astype(np.int64)
        histogram = np.stack([np.bincount(row, minlength=n + 1) for row in own], axis=1)  # [n + 1, levels]
        likelihood += _log_chances(int(n)) @ histogram
    mean, spread = np.unravel_index(likelihood.argmax(axis=0), (MEANS, SPREADS))
    grid = likelihood.reshape(MEANS, SPREADS, -1)
    levels = np.arange(len(counts))
    a, b = _beta(
        np.interp(_peak(grid[:, spread, levels], mean), np.arange(MEANS), MEAN_LOGITS),
        np.interp(_peak(grid[mean, :, levels].T, spread), np.arange(SPREADS), SPREAD_LOGITS),
    )
    share = (counts / trials).mean(axis=1)
    return np.where(share <= 0.0, 0.0, a), np.where(share >= 1.0, 0.0, b)


def _peak(curve: Values, best: Indices) -> Values:
    """Where the parabola through the best point and its neighbours has its top, in steps of the grid.

    curve: float64 [points, levels]; best: int [levels]."""
    inside = np.clip(best, 1, len(curve) - 2)
    low, middle, high = (curve[inside + step, np.arange(curve.shape[1])] for step in (-1, 0, 1))
    bend = low - 2 * middle + high
    with np.errstate(invalid="ignore", divide="ignore"):
        offset = np.where(bend < 0, np.clip(0.5 * (low - high) / bend, -1, 1), 0.0)
    return np.where(best == inside, inside + offset, best)


def _beta(mean_logit: Values, spread_logit: Values) -> tuple[Values, Values]:
    """a and b of a mean and a correlation 1 / (a + b + 1), given as logits."""
    mean, spread = (1 / (1 + np.exp(-logit)) for logit in (mean_logit, spread_logit))
    total = (1 - spread) / spread
    return mean * total, (1 - mean) * total


@lru_cache(maxsize=8)
def _log_chances(n: int) -> Values:
    """float64 [grid, n + 1]: log of the beta-binomial chance of each count."""
    from scipy.special import betaln, gammaln

    logits = np.meshgrid(MEAN_LOGITS, SPREAD_LOGITS, indexing="ij")
    a, b = (part.reshape(-1, 1) for part in _beta(*logits))
    k = np.arange(n + 1)
    choose = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    found: Values = choose + betaln(k + a, n - k + b) - betaln(a, b)
    return found


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

    def at(self, n: int) -> Interval:
        """Best-of-N: by sub-sampling where so many were drawn, else by the model."""
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
    own = source.searched.column == measure.column
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
    return found.observed(n) if n <= found.n and found.value is not None else model.at(n)


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
