"""The verifier that searched beside the judge that did not: over-fit made visible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.results.result import SearchResult
from verifiers import registry
from verifiers.errors import VerifierError

MAX_PLOTS = 4


@dataclass(frozen=True, slots=True)
class Point:
    """Candidates (by number) of the same two scores, and where these lie in the plot, 0..1 from left and
    top.
    """

    numbers: tuple[int, ...]
    search: float
    judge: float
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """`metric`: what the judge measures. `correlation`: Spearman's, positive if both prefer the same; None if
    it is not defined.

    `winner`: its point. `place`: the winner's by the judge, 1 the best, shared with `equals` others;
    None if the winner is not judged.
    """

    verifier: str
    judge: str
    metric: str
    verifier_higher: bool
    judge_higher: bool
    points: tuple[Point, ...]
    n: int
    correlation: float | None
    winner: Point | None
    place: int | None
    equals: int


def compare(result: SearchResult) -> list[Comparison]:
    """Each judge beside the search verifier that measures the same, or beside all where none does."""
    found = []
    for spec, metric in judge_metrics(result).items():
        searched = result.winner.scores
        for verifier in [metric] if metric in searched else searched:
            found.append(_comparison(result, verifier, spec, metric))
    return [comparison for comparison in found if comparison.n][:MAX_PLOTS]


def judge_metrics(result: SearchResult) -> dict[str, str]:
    """By the spec of each held-out judge, what it measures; "score" if that judge is not installed here."""
    return {spec: _metric(spec) for spec in result.winner.judged}


def _metric(spec: str) -> str:
    try:
        return next(iter(registry.directions(spec)))
    except VerifierError:
        return "score"


def _comparison(result: SearchResult, verifier: str, judge: str, metric: str) -> Comparison:
    candidates = result.candidates
    verifier_higher, judge_higher = result.directions[verifier], result.directions[judge]
    pairs = [
        (candidate, candidate.scores[verifier].value, candidate.judged[judge].value)
        for candidate in candidates
        if verifier in candidate.scores
        and judge in candidate.judged
        and candidate.scores[verifier].usable
        and candidate.judged[judge].usable
    ]
    x = np.array([pair[1] for pair in pairs], dtype=np.float64)
    y = np.array([pair[2] for pair in pairs], dtype=np.float64)
    grouped: dict[tuple[float, float], list[int]] = {}
    for candidate, search, judged in pairs:
        grouped.setdefault((search, judged), []).append(candidate.number)
    scale_x, scale_y = _unit(x), _unit(y)
    points = {
        place: Point(tuple(numbers), *place, scale_x(place[0]), 1 - scale_y(place[1]))
        for place, numbers in grouped.items()
    }
    signs = (1 if verifier_higher else -1), (1 if judge_higher else -1)
    winner = next((points[pair[1:]] for pair in pairs if pair[0].rank == 0), None)
    place = None if winner is None else 1 + int((signs[1] * y > signs[1] * winner.judge).sum())
    equals = 0 if winner is None else int((y == winner.judge).sum()) - 1
    correlation = spearman(signs[0] * x, signs[1] * y)
    return Comparison(
        verifier,
        judge,
        metric,
        verifier_higher,
        judge_higher,
        tuple(points.values()),
        len(pairs),
        correlation,
        winner,
        place,
        equals,
    )


def spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> float | None:
    """Rank correlation, equal values sharing their mean rank; None for less than 3 pairs or if all are
    equal.
    """
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2)[place]
    return ranks


def _unit(values: NDArray[np.float64]) -> Callable[[float], float]:
    """value -> 0 for the least of all, 1 for the greatest; the middle if all are equal."""
    low, span = (float(values.min()), float(np.ptp(values))) if len(values) else (0.0, 0.0)
    return lambda value: round((value - low) / span, 4) if span else 0.5
