"""How scores of several verifiers become one ranking. `verifiers.selection.parse` reads these from a line of
text.

A rule says which candidate is best: `Lexicographic`, `Weighted`, `Ranks`, `Pareto`. `ConstraintFirst` puts
bounds in front of a rule. All of them order candidates that are equal by `evidence["logp"]` of the metrics in
the order in which they are named (higher is better), then by position (lineage order).

A candidate that any of the metrics found unusable (silent, not finite, without words) comes last. A metric
that a candidate is only too short for (`Score.short`) steps back for that candidate: it stands directly
behind the last candidate that is at least as good by the other metrics, so that what could not be judged
neither outweighs what could nor wins a tie. A bound on such a metric is not met, and not missed by anything.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from verifiers.base import Score
from verifiers.errors import VerifierError

Costs: TypeAlias = list[tuple[float, ...]]
"""Of each candidate; the smallest is the best."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """order: indices of all candidates, best first.

    satisfied: the first one is usable and meets all constraints.
    front: with `Pareto`, those that no other one beats (of those that the constraints leave, judged by all
        metrics if any is), in their order; with other rules none are named.
    """

    order: tuple[int, ...]
    satisfied: bool
    front: tuple[int, ...] = ()


class Selection(Protocol):
    """Orders candidates by their scores. The same scores always give the same order."""

    @property
    def spec(self) -> str:
        """The string that makes this selection again."""
        ...

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the verifiers whose scores are looked at."""
        ...

    @property
    def constraints(self) -> "tuple[Constraint, ...]":
        """The bounds that the best candidate should keep."""
        ...

    def rank(self, scores: Mapping[str, Sequence[Score]]) -> Ranking:
        """Ranks candidates by `scores[metric][candidate]`. Raises VerifierError if a metric is not there."""
        ...


@dataclass(frozen=True, slots=True)
class Constraint:
    """`metric <= bound`, or `metric >= bound` with `at_most=False`."""

    metric: str
    bound: float
    at_most: bool = True

    def violation(self, value: float) -> float:
        """By how much the value misses the bound; 0 if it keeps it."""
        return max(0.0, value - self.bound if self.at_most else self.bound - value)

    def __str__(self) -> str:
        return f"{self.metric}{'<=' if self.at_most else '>='}{number(self.bound)}"


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric to be as good as possible. weight: positive; the direction is that of the metric."""

    metric: str
    higher_is_better: bool
    weight: float = 1.0

    def cost(self, value: float) -> float:
        return -value if self.higher_is_better else value


@dataclass(frozen=True)
class Rule(ABC):
    """What makes a candidate better than another, by its objectives."""

    objectives: tuple[Objective, ...]
    constraints: ClassVar[tuple[Constraint, ...]] = ()

    @property
    @abstractmethod
    def spec(self) -> str: ...

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(objective.metric for objective in self.objectives)

    @abstractmethod
    def costs(self, values: NDArray[np.float64]) -> Costs:
        """How far each candidate of a group is from the best. values: [objectives, candidates]; each is
        smaller for the better, whatever the direction of its metric."""

    def prepared(self, scores: Mapping[str, Sequence[Score]]) -> "tuple[Mapping[str, Sequence[Score]], Rule]":
        """The scores that are compared, and the rule over them: for rules whose scores belong to the whole
        set of candidates."""
        return scores, self

    def rank(self, scores: Mapping[str, Sequence[Score]]) -> Ranking:
        return _rank(scores, (), self)


class Lexicographic(Rule):
    """`wer,sim`: the best by the first objective, where that is equal by the next, and so on."""

    @property
    def spec(self) -> str:
        return ",".join(self.metrics)

    def costs(self, values: NDArray[np.float64]) -> Costs:
        return [tuple(column) for column in values.T.tolist()]


class Weighted(Rule):
    """`weighted(sim=0.7,wer=2)`: the largest sum of weight times value, of metrics where lower is better
    with a minus sign.

    Values are in the metrics' own units (a cosine, a share of words), so weights that suit one pair of
    verifiers say nothing about another: `Ranks` has no units.
    """

    @property
    def spec(self) -> str:
        return f"weighted({','.join(f'{o.metric}={number(o.weight)}' for o in self.objectives)})"

    def costs(self, values: NDArray[np.float64]) -> Costs:
        weights = [objective.weight for objective in self.objectives]
        return [
            (math.fsum(weight * value for weight, value in zip(weights, column, strict=True)),)
            for column in values.T.tolist()
        ]


class Ranks(Rule):
    """`ranks(sim,wer)` or `ranks(sim=2,wer=1)`: the best mean of places, weighted.

    A candidate's place by a metric is its rank among the candidates, from 0 to 1; equal values share the mean
    of their ranks. Places need no common unit, but depend on which other candidates there are.
    """

    @property
    def spec(self) -> str:
        terms = (o.metric if o.weight == 1.0 else f"{o.metric}={number(o.weight)}" for o in self.objectives)
        return f"ranks({','.join(terms)})"

    def costs(self, values: NDArray[np.float64]) -> Costs:
        weights = [objective.weight for objective in self.objectives]
        total = math.fsum(weights)
        return [
            (math.fsum(weight * place for weight, place in zip(weights, column, strict=True)) / total,)
            for column in fractional_ranks(values).T.tolist()
        ]


class Pareto(Rule):
    """`pareto(wer,sim)`: first the candidates that no other one beats, then those that only these beat, ...

    One beats another if it is at least as good by all objectives and better by one. Within such a front the
    order is that of `Ranks` (with equal weights, among all candidates), so the even compromise comes first.
    `Ranking.front` holds all of the first front.
    """

    @property
    def spec(self) -> str:
        return f"pareto({','.join(self.metrics)})"

    def costs(self, values: NDArray[np.float64]) -> Costs:
        places = fractional_ranks(values).sum(axis=0).tolist()
        return list(zip(map(float, pareto_fronts(values)), places, strict=True))


@dataclass(frozen=True, slots=True)
class ConstraintFirst:
    """`wer<=0.02,` and a rule: candidates that meet all constraints, best first; then the others, least
    violation first.

    The violation of a candidate is the sum over its constraints, each in its metric's unit. The rule compares
    candidates of equal violation, so what fails a constraint has no influence on the order of what passes.
    """

    constraints: tuple[Constraint, ...]
    rule: Rule

    @property
    def spec(self) -> str:
        return ",".join([*map(str, self.constraints), self.rule.spec])

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*(c.metric for c in self.constraints), *self.rule.metrics]))

    def rank(self, scores: Mapping[str, Sequence[Score]]) -> Ranking:
        return _rank(scores, self.constraints, self.rule)


def fractional_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places in [0, 1] of [objectives, candidates] along each row, smallest value first; equal values share
    the mean of their ranks."""
    places = np.zeros(values.shape)
    for row, place in zip(values, places, strict=True):
        ordered = np.sort(row)
        first, behind = np.searchsorted(ordered, row, "left"), np.searchsorted(ordered, row, "right")
        place[:] = (first + behind - 1) / 2
    places /= max(values.shape[1] - 1, 1)
    return places


def pareto_fronts(values: NDArray[np.float64]) -> list[int]:
    """The front of each candidate, from 0, by non-dominated sorting. values: [objectives, candidates], each
    the smaller the better. A front is the length of the longest chain of candidates that beat each other."""
    count = values.shape[1]
    fronts = np.zeros(count, dtype=np.int64)
    # In lexicographic order nothing is beaten by what comes after it.
    for index in np.lexsort(values[::-1]):
        column = values[:, index, None]
        beats = (values <= column).all(axis=0) & (values < column).any(axis=0)
        if beats.any():
            fronts[index] = fronts[beats].max() + 1
    return [int(front) for front in fronts]


def number(value: float) -> str:
    """The shortest text that is read as the same number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _rank(scores: Mapping[str, Sequence[Score]], constraints: Sequence[Constraint], rule: Rule) -> Ranking:
    """Groups of equal violation, each ordered by the rule; then what could not be judged."""
    scores, rule = rule.prepared(scores)
    metrics = tuple(dict.fromkeys([*(c.metric for c in constraints), *rule.metrics]))
    count = check_counts(scores, metrics)
    judges = {i: _judges(scores, metrics, i) for i in range(count)}
    groups: dict[tuple[float, int], list[int]] = {}
    for i in range(count):
        if judges[i]:
            known = [c for c in constraints if c.metric in judges[i]]
            violation = math.fsum(c.violation(scores[c.metric][i].value) for c in known)
            groups.setdefault((violation, len(constraints) - len(known)), []).append(i)
    order: list[int] = []
    front: tuple[int, ...] = ()
    for violations in sorted(groups):
        ordered, unbeaten = _ordered(groups[violations], judges, scores, rule)
        if not order and isinstance(rule, Pareto):
            front = unbeaten
        order += ordered
    order += [i for i in range(count) if not judges[i]]
    return Ranking(tuple(order), bool(groups) and min(groups) == (0.0, 0), front)


def _ordered(
    group: Sequence[int],
    judges: Mapping[int, tuple[str, ...]],
    scores: Mapping[str, Sequence[Score]],
    rule: Rule,
) -> tuple[list[int], tuple[int, ...]]:
    """The group, best first, and those of the first level whose first cost is 0.

    A level is the candidates that the same metrics judged, most metrics first. Each candidate of a later
    level goes behind the last one that is at least as good by the metrics of its level.
    """
    levels: dict[tuple[str, ...], list[int]] = {}
    for i in group:
        levels.setdefault(judges[i], []).append(i)
    order: list[int] = []
    front: tuple[int, ...] = ()
    for metrics in sorted(levels, key=lambda metrics: (-len(metrics), metrics)):
        above = [i for i in order if set(metrics) <= set(judges[i])]
        compared = [*above, *levels[metrics]]
        costs = dict(zip(compared, _costs(rule, metrics, scores, compared), strict=True))
        ties = {i: tuple(-logp(scores[metric][i]) for metric in metrics) for i in compared}
        level = sorted(levels[metrics], key=lambda i: (costs[i], ties[i], i))
        if not order:
            front = tuple(i for i in level if costs[i][:1] == (0.0,))
        places = {i: (place, 0, 0) for place, i in enumerate(order, start=1)}
        rest = sorted(above, key=lambda i: costs[i], reverse=True)
        behind = 0
        for number, i in enumerate(level):
            while rest and costs[rest[-1]] <= costs[i]:
                behind = max(behind, places[rest.pop()][0])
            places[i] = (behind, 1, number)
        order = sorted(places, key=lambda i: places[i])
    return order, front


def _costs(
    rule: Rule, metrics: Sequence[str], scores: Mapping[str, Sequence[Score]], candidates: Sequence[int]
) -> Costs:
    """By those objectives of the rule that these metrics measure."""
    objectives = tuple(o for o in rule.objectives if o.metric in metrics)
    if not objectives:
        return [()] * len(candidates)
    values = np.array([[o.cost(scores[o.metric][i].value) for i in candidates] for o in objectives])
    return replace(rule, objectives=objectives).costs(values)


def check_counts(scores: Mapping[str, Sequence[Score]], metrics: Sequence[str]) -> int:
    """How many candidates there are. Raises VerifierError if a metric has no scores, or some for others."""
    missing = [metric for metric in metrics if metric not in scores]
    if missing:
        raise VerifierError(
            f"no scores of {', '.join(missing)} to select by: add a verifier that measures it"
        )
    counts = {len(scores[metric]) for metric in metrics}
    if len(counts) != 1:
        raise VerifierError("the verifiers scored different numbers of candidates: score all with each")
    return counts.pop()


def usable(scores: Mapping[str, Sequence[Score]], metrics: Sequence[str], i: int) -> bool:
    """Whether a candidate can be judged: it does not come last."""
    return bool(_judges(scores, metrics, i))


def is_judged(score: Score) -> bool:
    """Whether its value can be compared."""
    return score.usable and math.isfinite(score.value)


def logp(score: Score) -> float:
    """What tells equal scores apart; the higher the better."""
    value = score.evidence.get("logp")
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else -math.inf


def _judges(scores: Mapping[str, Sequence[Score]], metrics: Sequence[str], i: int) -> tuple[str, ...]:
    """The metrics that judged a candidate, which the others leave it to; none if it is unusable."""
    found = tuple(metric for metric in metrics if is_judged(scores[metric][i]))
    whole = all(metric in found or scores[metric][i].short for metric in metrics)
    return found if whole else ()
