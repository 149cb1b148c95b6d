"""How scores of several verifiers become one ranking: constraints first, then objectives, never a hidden sum.

A selection is written as `wer<=0.02,sim`: of the candidates with a WER of at most 2 %, the most similar one.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from verifiers.base import Score
from verifiers.errors import VerifierError
from verifiers.spec import nearest

_CONSTRAINT = re.compile(r"(?P<metric>[^<>=\s]+)\s*(?P<sign><=|>=)\s*(?P<bound>\S+)")
_METRIC = re.compile(r"[A-Za-z][\w.-]*")


@dataclass(frozen=True, slots=True)
class Ranking:
    """order: indices of all candidates, best first.

    satisfied: the first one is usable and meets all constraints.
    """

    order: tuple[int, ...]
    satisfied: bool


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
        return f"{self.metric}{'<=' if self.at_most else '>='}{self.bound:g}"


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric to be as good as possible."""

    metric: str
    higher_is_better: bool

    def cost(self, value: float) -> float:
        return -value if self.higher_is_better else value

    def __str__(self) -> str:
        return self.metric


@dataclass(frozen=True, slots=True)
class ConstraintFirst:
    """Candidates that meet all constraints, best objective first; then the others, least violation first.

    The violation of a candidate is the sum over its constraints, each in its metric's unit. Candidates that
    are equal so far are ordered by the next objective, then by `evidence["logp"]` of the metrics in the order
    in which the selection names them, then by their position (lineage order). A candidate that any of the
    metrics could not judge comes after all that could be judged.
    """

    constraints: tuple[Constraint, ...]
    objectives: tuple[Objective, ...]

    @property
    def spec(self) -> str:
        return ",".join(map(str, (*self.constraints, *self.objectives)))

    @property
    def metrics(self) -> tuple[str, ...]:
        named = [constraint.metric for constraint in self.constraints]
        named += [objective.metric for objective in self.objectives]
        return tuple(dict.fromkeys(named))

    def rank(self, scores: Mapping[str, Sequence[Score]]) -> Ranking:
        count = _count(scores, self.metrics)
        keys = [self._key({metric: scores[metric][i] for metric in self.metrics}) for i in range(count)]
        order = tuple(sorted(range(count), key=lambda i: (keys[i], i)))
        satisfied = bool(order) and not keys[order[0]][0] and keys[order[0]][1] == 0.0
        return Ranking(order, satisfied)

    def _key(self, scores: Mapping[str, Score]) -> tuple[bool, float, tuple[float, ...], tuple[float, ...]]:
        """(not usable, violation, costs of the objectives, costs of the tie-breaks): smaller is better."""
        if not all(score.usable and math.isfinite(score.value) for score in scores.values()):
            return True, 0.0, (), ()
        violation = math.fsum(c.violation(scores[c.metric].value) for c in self.constraints)
        costs = tuple(objective.cost(scores[objective.metric].value) for objective in self.objectives)
        ties = tuple(-_logp(scores[metric]) for metric in self.metrics)
        return False, violation, costs, ties


def parse_selection(spec: str, higher_is_better: Mapping[str, bool]) -> ConstraintFirst:
    """Reads `wer<=0.02,sim`, or only `sim`, or `wer,sim` (the second where the first is equal).

    higher_is_better: the direction of every metric that there is (`{"wer": False, "sim": True}`).
    Raises VerifierError for a metric that is not among them (the nearest is named), a bound that is no
    number, no objective, or one that is given twice.
    """
    constraints: list[Constraint] = []
    objectives: list[Objective] = []
    for part in filter(None, (piece.strip() for piece in spec.split(","))):
        match = _CONSTRAINT.fullmatch(part)
        metric = match["metric"] if match else part
        if not _METRIC.fullmatch(metric):
            raise VerifierError(
                f"cannot read {part!r} in the selection {spec!r}: write it like 'wer<=0.02,sim'"
            )
        if metric not in higher_is_better:
            raise VerifierError(
                f"the selection {spec!r} asks for {metric!r}, which no verifier measures"
                f"{nearest(metric, higher_is_better)}"
            )
        if match:
            constraints.append(Constraint(metric, _bound(match["bound"], part), match["sign"] == "<="))
        elif any(objective.metric == metric for objective in objectives):
            raise VerifierError(f"the selection {spec!r} names {metric!r} twice: leave one out")
        else:
            objectives.append(Objective(metric, higher_is_better[metric]))
    if not objectives:
        raise VerifierError(
            f"the selection {spec!r} has nothing to make best: end it with a metric, as in 'wer<=0.02,sim'"
        )
    return ConstraintFirst(tuple(constraints), tuple(objectives))


def _bound(text: str, part: str) -> float:
    try:
        bound = float(text)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise VerifierError(f"the bound of {part!r} is no number: write it like 'wer<=0.02'")
    return bound


def _count(scores: Mapping[str, Sequence[Score]], metrics: Sequence[str]) -> int:
    missing = [metric for metric in metrics if metric not in scores]
    if missing:
        raise VerifierError(
            f"no scores of {', '.join(missing)} to select by: add a verifier that measures it"
        )
    counts = {len(scores[metric]) for metric in metrics}
    if len(counts) != 1:
        raise VerifierError("the verifiers scored different numbers of candidates: score all with each")
    return counts.pop()


def _logp(score: Score) -> float:
    value = score.evidence.get("logp")
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else -math.inf
