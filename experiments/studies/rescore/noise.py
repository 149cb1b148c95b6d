"""Verifier noise: how far a score moves by what nobody hears, and how much of a gain was luck.

A search takes the candidate with the best score, so among candidates that are equally good it takes the one
whose score erred in its favour. Measured anew the winner falls back. What is left of the gain over the
narrowest search is real as far as this verifier can tell; whether anyone else hears it is another question
(`experiments.studies.hacking`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.studies.measures import RESAMPLES, Measure
from experiments.studies.rescore.records import DRAW, Known, cost
from experiments.studies.sweep_log import Scored, Search
from experiments.studies.sweep_table import Columns
from verifiers.stats import Interval, bootstrap_mean, paired_difference

SAME = 1e-9
"""Scores that are no further apart have not moved."""


@dataclass(frozen=True, slots=True)
class Movement:
    """Of one verifier. sd: of a candidate's score from draw to draw, the root of the mean variance. spread:
    the same from candidate to candidate of one search. moved: the share of the candidates whose score any
    draw changed. winners, losers: mean change from the score at selection, positive is better."""

    metric: str
    candidates: int
    sd: Interval
    spread: float
    moved: float
    winners: Interval
    losers: Interval | None


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """At one N, over the narrowest search: the gain by the scores at selection, the gain when the same
    winners are measured anew, and the first less the second, which was luck. Paired by utterance."""

    n: int
    selected: Interval
    anew: Interval
    luck: Interval


@dataclass(frozen=True, slots=True)
class Luck:
    """Of one series, by the score that it selects by first. base: the N that gains are over."""

    series: str
    measure: Measure
    base: int
    points: tuple[Shrinkage, ...]

    def sentence(self, line: str) -> str:
        widest = self.points[-1]
        share = widest.luck.mean / widest.selected.mean if widest.selected.mean else math.nan
        part = f", {100 * share:.0f} % of it" if math.isfinite(share) else ""
        luck = f"{widest.luck.mean:+.3g} [{widest.luck.low:+.3g}, {widest.luck.high:+.3g}]"
        sure = "" if widest.luck.low > 0 else ", no more than chance would give"
        return (
            f"{line}, N={self.base} to N={widest.n}: of a gain of {widest.selected.mean:+.3g} in "
            f"{self.measure.title} {luck} was luck{part}{sure}"
        )


class Anew:
    """What was measured again, by search and candidate: values by draw."""

    def __init__(self, searches: Sequence[Search], rescored: Known, directions: Mapping[str, bool]) -> None:
        self.searches = list(searches)
        self.directions = directions
        self._values: dict[tuple[str, tuple[str, str, int], int], list[float]] = {}
        for piece, scores in rescored.items():
            if piece.kind == DRAW:
                for number, score in scores.items():
                    key = piece.metric, piece.search, number
                    self._values.setdefault(key, []).append(self._cost(piece.metric, score))

    @property
    def metrics(self) -> list[str]:
        return sorted({metric for metric, _, _ in self._values})

    def values(self, metric: str, search: Search, number: int) -> list[float]:
        """Costs, less is better, one a draw; none where it was not measured twice, or could not be judged."""
        found = self._values.get((metric, search.key, number), [])
        return found if len(found) > 1 and np.isfinite(found).all() else []

    def before(self, metric: str, search: Search, number: int) -> float:
        """The cost at selection."""
        return self._cost(metric, search.candidates[number].scores[metric])

    def change(self, metric: str, search: Search, number: int) -> float:
        """How much better the candidate is anew; NaN if that is not known."""
        values, before = self.values(metric, search, number), self.before(metric, search, number)
        return before - float(np.mean(values)) if values and math.isfinite(before) else math.nan

    def _cost(self, metric: str, score: Scored) -> float:
        return cost(score, higher=self.directions[metric])


def movements(found: Anew) -> list[Movement]:
    """Of each verifier that two utterances or more were measured again by."""
    made = [_movement(found, metric) for metric in found.metrics]
    return [one for one in made if one is not None]


def _movement(found: Anew, metric: str) -> Movement | None:
    variances: dict[str, list[float]] = {}
    spreads: dict[str, list[float]] = {}
    changes: tuple[dict[str, list[float]], dict[str, list[float]]] = ({}, {})
    moved: list[bool] = []
    for search in found.searches:
        winning = {one.order[0] for one in search.chosen.values() if one.order}
        whole = [found.before(metric, search, number) for number in range(len(search.candidates))]
        for number, before in enumerate(whole):
            values = found.values(metric, search, number)
            if not values or not math.isfinite(before):
                continue
            variances.setdefault(search.utterance, []).append(float(np.var(values, ddof=1)))
            moved.append(any(abs(value - before) > SAME for value in values))
            side = changes[number not in winning]
            side.setdefault(search.utterance, []).append(found.change(metric, search, number))
        finite = [value for value in whole if math.isfinite(value)]
        if len(finite) > 1:
            spreads.setdefault(search.utterance, []).append(float(np.var(finite, ddof=1)))
    if len(variances) < 2 or len(changes[0]) < 2:
        return None
    variance = _mean(variances)
    mean, low, high = (math.sqrt(value) for value in (variance.mean, variance.low, variance.high))
    return Movement(
        metric,
        len(moved),
        Interval(mean, low, high, variance.n),
        math.sqrt(_mean(spreads).mean) if spreads else math.nan,
        sum(moved) / len(moved),
        _mean(changes[0]),
        _mean(changes[1]) if len(changes[1]) > 1 else None,
    )


def lucks(found: Anew, cells: Mapping[str, Columns], selects: Mapping[str, Measure]) -> list[Luck]:
    """Of each series with two widths or more. selects: by series, the score that it goes by first."""
    made = []
    for series, measure in selects.items():
        own = {name: cell.n for name, cell in cells.items() if cell.series == series}
        before: dict[int, dict[str, list[float]]] = {}
        after: dict[int, dict[str, list[float]]] = {}
        for search in found.searches:
            winners = {own[name]: one.order[0] for name, one in search.chosen.items() if name in own}
            if any(math.isnan(found.change(measure.by, search, number)) for number in winners.values()):
                continue  # all widths of a search, or none
            for n, number in winners.items():
                value = found.before(measure.by, search, number)
                before.setdefault(n, {}).setdefault(search.utterance, []).append(value)
                anew = value - found.change(measure.by, search, number)
                after.setdefault(n, {}).setdefault(search.utterance, []).append(anew)
        if len(before) > 1 and len(before[min(before)]) > 1:
            base, *wider = sorted(before)
            points = (_shrinkage(n, before[base], before[n], after[base], after[n]) for n in wider)
            made.append(Luck(series, measure, base, tuple(points)))
    return made


def _shrinkage(n: int, *costs: Mapping[str, Sequence[float]]) -> Shrinkage:
    """costs: by utterance, of the narrowest and this width, at selection and anew."""
    base, own, base_anew, own_anew = (
        np.array([np.mean(values) for values in side.values()]) for side in costs
    )
    selected, anew = base - own, base_anew - own_anew
    return Shrinkage(
        n,
        bootstrap_mean(selected, resamples=RESAMPLES),
        bootstrap_mean(anew, resamples=RESAMPLES),
        paired_difference(selected, anew, resamples=RESAMPLES),
    )


def _mean(by_utterance: Mapping[str, Sequence[float]]) -> Interval:
    return bootstrap_mean([float(np.mean(own)) for own in by_utterance.values()], resamples=RESAMPLES)
