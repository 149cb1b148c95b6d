"""How different the candidates of one search are: by what was heard, by length, by scores, by their codes.

A process reward keeps beams that are alike; where candidates are alike, choosing among them gains little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from rapidfuzz.distance import Levenshtein

from experiments.studies.measures import Measure, measures
from experiments.studies.table import parts
from verifiers.stats import Interval, bootstrap_mean

if TYPE_CHECKING:
    import pandas

PAIRED = 16
"""Candidates of a search whose codes are compared with each other: the first ones, as a wide search has
thousands of pairs."""


@dataclass(frozen=True, slots=True)
class Diversity:
    """Of one cell, means over utterances of what was found in each search. candidates: of a search.
    transcripts: distinct ones as a share of the candidates, as heard by `ear`; None where no recogniser
    searched. seconds, scores: standard deviations of the length and of each score of the search. codes: edit
    distance of two candidates' codes as a share of the longer one, over all pairs of the first PAIRED."""

    series: str
    strategy: str
    spec: str
    n: int
    candidates: Interval
    ear: str
    transcripts: Interval | None
    seconds: Interval
    scores: dict[str, Interval]
    codes: Interval


def diversity(frame: pandas.DataFrame) -> list[Diversity]:
    """Of each cell of the table that was run as it stands, with two candidates or more."""
    own = [one for one in measures(frame) if not one.held_out and not one.failures]
    ear = next((name for name in parts(frame, "transcript") if f"score:{name}" in frame.columns), "")
    found = []
    run = frame[frame["subsampled"] == 0]
    for (series, strategy, n, spec), cell in run.groupby(["series", "strategy", "n", "spec"], sort=True):
        searches = [search for _, search in cell.groupby("search", sort=True) if len(search) > 1]
        if searches:
            found.append(_cell(str(series), str(strategy), str(spec), int(n), searches, own, ear))
    return found


def _cell(
    series: str,
    strategy: str,
    spec: str,
    n: int,
    searches: Sequence[pandas.DataFrame],
    own: Sequence[Measure],
    ear: str,
) -> Diversity:
    utterances = [str(search["utterance"].iloc[0]) for search in searches]

    def over(values: Sequence[float]) -> Interval:
        return _by_utterance(utterances, values)

    heard = None
    if ear:
        column = f"transcript:{ear}"
        heard = over([search[column].fillna("").str.lower().nunique() / len(search) for search in searches])
    return Diversity(
        series,
        strategy,
        spec,
        n,
        over([len(search) for search in searches]),
        ear,
        heard,
        over([float(search["seconds"].std()) for search in searches]),
        _spreads(searches, own),
        over([edit_distance(list(search.sort_values("candidate")["codes"])[:PAIRED]) for search in searches]),
    )


def _spreads(searches: Sequence[pandas.DataFrame], own: Sequence[Measure]) -> dict[str, Interval]:
    """By metric, the standard deviation within a search; of searches in which a cascade asked about two
    candidates or more."""
    found = {}
    for one in own:
        values = [(str(search["utterance"].iloc[0]), one.of(search)) for search in searches]
        asked = [(utterance, of[np.isfinite(of)]) for utterance, of in values]
        several = [(utterance, of) for utterance, of in asked if len(of) > 1]
        if several:
            spread = [float(np.std(of, ddof=1)) for _, of in several]
            found[one.metric] = _by_utterance([utterance for utterance, _ in several], spread)
    return found


def edit_distance(codes: Sequence[Sequence[int]]) -> float:
    """The mean over all pairs of the edit distance as a share of the longer sequence, 0 (equal) to 1."""
    rows = [[int(code) for code in row] for row in codes]
    pairs = [Levenshtein.normalized_distance(first, second) for first, second in combinations(rows, 2)]
    return float(np.mean(pairs))


def _by_utterance(utterances: Sequence[str], values: Sequence[float]) -> Interval:
    by: dict[str, list[float]] = {}
    for utterance, value in zip(utterances, values, strict=True):
        by.setdefault(utterance, []).append(value)
    return bootstrap_mean([float(np.mean(own)) for own in by.values()], resamples=1000)
