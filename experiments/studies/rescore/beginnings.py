"""The partial-verifier report: from when on does the beginning of an utterance tell how good the whole is?

For each verifier the rank correlation (Spearman) of its scores at t seconds with those of whole utterances,
among the candidates of one search that still speak at t. That is what a process reward relies on: it prunes
candidates of one text against each other, never those of different texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.studies.measures import RESAMPLES
from experiments.studies.rescore.records import BEGINNING, Known, positions
from experiments.studies.sweep_log import Scored, Search
from verifiers.stats import Interval, bootstrap_mean

FRACTION = 0.5
"""Of a perfect correlation: where the lower end of its interval passes this, beginnings may be trusted."""
FEWEST = 4
"""Candidates of a search that have to speak on: ranks of fewer say nothing."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one verifier at t seconds. correlation: the mean over utterances. searches: those in which enough
    candidates speak on, and differ at the end. candidates: that speak on, in the mean of these."""

    metric: str
    seconds: float
    correlation: Interval
    searches: int
    candidates: float


@dataclass(frozen=True, slots=True)
class Switch:
    """The smallest t whose correlation is surely above FRACTION; None if that of no t is."""

    metric: str
    seconds: float | None

    @property
    def sentence(self) -> str:
        if self.seconds is None:
            return (
                f"{self.metric}: at no time that was measured is the correlation surely above {FRACTION:g}; "
                "choose whole candidates by it, and prune by another"
            )
        return (
            f"{self.metric}: from {self.seconds:g} s on the correlation is surely above {FRACTION:g}; "
            f"a process reward by it may prune from there, and should not before"
        )


def agreements(searches: Sequence[Search], rescored: Known, directions: dict[str, bool]) -> list[Agreement]:
    """By verifier and time, where two utterances or more have enough candidates."""
    by_key = {search.key: search for search in searches}
    found: dict[tuple[str, float], list[tuple[str, float, int]]] = {}
    for piece, scores in rescored.items():
        search = by_key.get(piece.search)
        if piece.kind != BEGINNING or search is None or len(scores) < FEWEST:
            continue
        numbers = sorted(scores)
        whole = [search.candidates[number].scores[piece.metric] for number in numbers]
        value = correlation([scores[n] for n in numbers], whole, higher=directions[piece.metric])
        if value is not None:
            found.setdefault((piece.metric, piece.at), []).append((search.utterance, value, len(numbers)))
    made = []
    for (metric, seconds), values in sorted(found.items()):
        by_utterance: dict[str, list[float]] = {}
        for utterance, value, _ in values:
            by_utterance.setdefault(utterance, []).append(value)
        if len(by_utterance) > 1:
            mean = bootstrap_mean([float(np.mean(own)) for own in by_utterance.values()], resamples=RESAMPLES)
            candidates = float(np.mean([count for _, _, count in values]))
            made.append(Agreement(metric, seconds, mean, len(values), candidates))
    return made


def correlation(part: Sequence[Scored], whole: Sequence[Scored], *, higher: bool) -> float | None:
    """Spearman's, in the order in which a search puts candidates. 0 where the beginnings are all alike: they
    tell nothing. None where the whole utterances are: there is nothing to tell."""
    first, last = positions(part, higher=higher), positions(whole, higher=higher)
    if np.ptp(last) == 0:
        return None
    return float(np.corrcoef(first, last)[0, 1]) if np.ptp(first) > 0 else 0.0


def switches(found: Sequence[Agreement]) -> list[Switch]:
    """Of each verifier, the time that its correlations suggest."""
    return [
        Switch(metric, min((one.seconds for one in found if _sure(one, metric)), default=None))
        for metric in dict.fromkeys(one.metric for one in found)
    ]


def _sure(one: Agreement, metric: str) -> bool:
    return one.metric == metric and one.correlation.low > FRACTION
