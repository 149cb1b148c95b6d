"""Selections as text: `wer<=0.02,sim` is, of the candidates with a WER of at most 2 %, the most similar one.

    SELECTION = [keep(METRIC[=NUMBER],...),][CONSTRAINT,]... RULE
    CONSTRAINT = METRIC<=NUMBER | METRIC>=NUMBER
    RULE = METRIC[,METRIC]...              the next where the first is equal
         | weighted(METRIC=NUMBER,...)     largest weighted sum, in the metrics' own units
         | ranks(METRIC[=NUMBER],...)      best mean of the places among the candidates
         | pareto(METRIC,...)              those that no other one beats
         | consensus(METRIC[=NUMBER],...)  nearest to all other candidates

Which way a metric is better is known to its verifier, so weights are positive. What the rules do with ties
and with candidates that could not be judged is said in `verifiers.selection.rules`; what `keep` does, in
`verifiers.selection.cascade`.
"""

import math
import re
from collections.abc import Mapping, Sequence

from llasa_core.errors import nearest
from verifiers.errors import VerifierError
from verifiers.selection.cascade import DEFAULT_SHARE, Cascade, Stage
from verifiers.selection.consensus import Consensus
from verifiers.selection.rules import (
    Constraint,
    ConstraintFirst,
    Lexicographic,
    Objective,
    Pareto,
    Ranking,
    Ranks,
    Rule,
    Selection,
    Weighted,
)

__all__ = [
    "Cascade",
    "Consensus",
    "Constraint",
    "ConstraintFirst",
    "Lexicographic",
    "Objective",
    "Pareto",
    "Ranking",
    "Ranks",
    "Rule",
    "Selection",
    "Stage",
    "Weighted",
    "parse_selection",
]

LARGEST = 1e9
"""Of weights and bounds: sums of scores times weights stay numbers."""
_PARTS = re.compile(r",(?![^()]*\))")
"""Commas that stand in no brackets."""
_CONSTRAINT = re.compile(r"(?P<metric>[^<>=\s()]+)\s*(?P<sign><=|>=)\s*(?P<bound>\S+)")
_CALL = re.compile(r"(?P<rule>[A-Za-z]\w*)\s*\((?P<terms>[^()]*)\)")
_METRIC = re.compile(r"[A-Za-z][\w.-]*")
_KEEP = "keep"
_RULES: Mapping[str, type[Rule]] = {
    "consensus": Consensus,
    "pareto": Pareto,
    "ranks": Ranks,
    "weighted": Weighted,
}


def parse_selection(spec: str, higher_is_better: Mapping[str, bool]) -> Selection:
    """Reads `wer<=0.02,sim`, `sim`, `wer,sim`, `weighted(sim=0.7,wer=2)`, `keep(sim=0.25),wer<=0,sim`, ...

    higher_is_better: the direction of every metric that there is (`{"wer": False, "sim": True}`).
    Raises VerifierError for a metric that is not among them or an unknown rule (the nearest is named), a
    bound that is no number, a weight that is not positive, no rule or two, a metric that is given twice, or a
    cascade that is not in front or whose rule asks for nothing else.
    """
    stages: tuple[Stage, ...] = ()
    constraints: list[Constraint] = []
    rules: list[Rule] = []
    names: list[str] = []
    for part in filter(None, (piece.strip() for piece in _PARTS.split(spec))):
        call = _CALL.fullmatch(part)
        if call and call["rule"] == _KEEP:
            if stages or constraints or rules or names:
                raise VerifierError(f"{part!r} in {spec!r} has to stand in front of all else, once")
            stages = _stages(call["terms"], spec, higher_is_better)
        elif call:
            rules.append(_rule(call["rule"], call["terms"], spec, higher_is_better))
        elif match := _CONSTRAINT.fullmatch(part):
            metric = _known(match["metric"], part, spec, higher_is_better)
            constraints.append(Constraint(metric, _bound(match["bound"], part), match["sign"] == "<="))
        else:
            names.append(_known(part, part, spec, higher_is_better))
    if names:
        rules.append(Lexicographic(_objectives(names, [1.0] * len(names), spec, higher_is_better)))
    if not rules:
        raise VerifierError(
            f"the selection {spec!r} has nothing to make best: end it with a metric, as in 'wer<=0.02,sim'"
        )
    if len(rules) > 1:
        raise VerifierError(
            f"the selection {spec!r} has two rules: end it with one, as in 'wer<=0.02,{rules[0].spec}'"
        )
    selection = ConstraintFirst(tuple(constraints), rules[0]) if constraints else rules[0]
    if stages and {stage.metric for stage in stages} >= set(selection.metrics):
        raise VerifierError(
            f"the selection {spec!r} asks for nothing behind keep(...): leave it out, or add a metric"
        )
    return Cascade(stages, selection) if stages else selection


def _stages(terms: str, spec: str, higher_is_better: Mapping[str, bool]) -> tuple[Stage, ...]:
    """`signal=0.75,wer-nano`."""
    found: dict[str, Stage] = {}
    for term in filter(None, (piece.strip() for piece in terms.split(","))):
        metric, equals, keep = (piece.strip() for piece in term.partition("="))
        _known(metric, term, spec, higher_is_better)
        if metric in found:
            raise VerifierError(f"keep(...) in {spec!r} names {metric!r} twice: leave one out")
        found[metric] = Stage(
            metric, higher_is_better[metric], _kept(keep, term) if equals else DEFAULT_SHARE
        )
    if not found:
        raise VerifierError(f"keep(...) in {spec!r} names no metric: write it like 'keep(sim=0.5),wer,sim'")
    return tuple(found.values())


def _kept(text: str, term: str) -> float:
    keep = _finite(text)
    if 0 < keep <= 1 or (2 <= keep <= LARGEST and keep == int(keep)):
        return keep
    raise VerifierError(
        f"{term!r}: give the share that goes on, above 0 and at most 1, or from 2 on how many candidates"
    )


def _rule(name: str, terms: str, spec: str, higher_is_better: Mapping[str, bool]) -> Rule:
    """`ranks` and `sim=2,wer`."""
    if name not in _RULES:
        known = (*_RULES, _KEEP)
        raise VerifierError(f"the selection {spec!r} asks for the rule {name!r}{nearest(name, known)}")
    rule = _RULES[name]
    metrics, weights = [], []
    for term in filter(None, (piece.strip() for piece in terms.split(","))):
        metric, equals, weight = (piece.strip() for piece in term.partition("="))
        metrics.append(_known(metric, term, spec, higher_is_better))
        if equals and rule is Pareto:
            raise VerifierError(f"{term!r} in {spec!r}: pareto(...) takes metrics without weights")
        if not equals and rule is Weighted:
            raise VerifierError(f"{term!r} in {spec!r} has no weight: write it like 'weighted({term}=0.7)'")
        weights.append(_weight(weight, term) if equals else 1.0)
    if not metrics:
        raise VerifierError(f"{name}(...) in {spec!r} names no metric: write it like 'ranks(sim,wer)'")
    return rule(_objectives(metrics, weights, spec, higher_is_better))


def _objectives(
    metrics: Sequence[str], weights: Sequence[float], spec: str, higher_is_better: Mapping[str, bool]
) -> tuple[Objective, ...]:
    for index, metric in enumerate(metrics):
        if metric in metrics[:index]:
            raise VerifierError(f"the selection {spec!r} names {metric!r} twice: leave one out")
    return tuple(
        Objective(metric, higher_is_better[metric], weight)
        for metric, weight in zip(metrics, weights, strict=True)
    )


def _known(metric: str, part: str, spec: str, higher_is_better: Mapping[str, bool]) -> str:
    if not _METRIC.fullmatch(metric):
        raise VerifierError(f"cannot read {part!r} in the selection {spec!r}: write it like 'wer<=0.02,sim'")
    if metric not in higher_is_better:
        raise VerifierError(
            f"the selection {spec!r} asks for {metric!r}, which no verifier measures"
            f"{nearest(metric, higher_is_better)}"
        )
    return metric


def _bound(text: str, part: str) -> float:
    bound = _finite(text)
    if math.isnan(bound):
        raise VerifierError(f"the bound of {part!r} is no number: write it like 'wer<=0.02'")
    if abs(bound) > LARGEST:
        raise VerifierError(f"the bound of {part!r} is too large: give at most {LARGEST:g}")
    return bound


def _weight(text: str, term: str) -> float:
    weight = _finite(text)
    if not weight > 0:
        raise VerifierError(
            f"the weight of {term!r} has to be a number above 0: which way a metric is better is known"
        )
    if not 1 / LARGEST <= weight <= LARGEST:
        raise VerifierError(f"the weight of {term!r} has to be from {1 / LARGEST:g} to {LARGEST:g}")
    return weight


def _finite(text: str) -> float:
    """nan for what is no finite number."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
