"""rescored.jsonl in the folder of a sweep: a line for each search, verifier, and beginning or draw."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from experiments.documents import Schema, checked
from experiments.files import read_log
from experiments.studies.sweep_log import Count, Scored, Search, bare, read_searches
from experiments.studies.sweep_table import Surroundings
from search.strategies.registry import read
from verifiers.base import Score

NAME = "rescored.jsonl"
BASE = "best-of-n"
BEGINNING: Literal["beginning"] = "beginning"
DRAW: Literal["draw"] = "draw"
Kind = Literal["beginning", "draw"]


class Rescored(Schema):
    """A line. at: seconds of the beginning, or the number of the draw. scores: by number of the candidate, as
    text: JSON has no other keys."""

    version: Literal[1] = Field(alias="schema")
    cell: str
    utterance: str
    seed: Count
    metric: str
    kind: Kind
    at: Annotated[float, Field(ge=0, le=1e6)]
    scores: dict[str, Scored]


@dataclass(frozen=True, slots=True)
class Piece:
    """What is measured in one call. at: seconds of the beginning, or the number of the draw."""

    search: tuple[str, str, int]
    metric: str
    kind: Kind
    at: float

    def record(self, numbers: Sequence[int], scores: Sequence[Score]) -> dict[str, Any]:
        """The line of these candidates."""
        cell, utterance, seed = self.search
        found = {str(number): bare(score) for number, score in zip(numbers, scores, strict=True)}
        own = {"metric": self.metric, "kind": self.kind, "at": self.at, "scores": found}
        return {"cell": cell, "utterance": utterance, "seed": seed, **own}


Known = dict[Piece, dict[int, Scored]]
"""By piece, the scores of candidates by their numbers."""


def read_rescored(folder: Path) -> Known:
    """All that was measured by now; nothing where nothing was. Raises UserError for a bad line."""
    found: Known = {}
    path = folder / NAME
    if path.exists():
        for place, line in read_log(path, "the scores"):
            one = checked(Rescored, line, place)
            piece = Piece((one.cell, one.utterance, one.seed), one.metric, one.kind, one.at)
            found.setdefault(piece, {}).update({int(key): score for key, score in one.scores.items()})
    return found


def runs(folder: Path, known: Surroundings) -> Iterator[Search]:
    """The widest searches of best-of-N that were run, of each series, in the order of the log."""
    cells = {name: cell for name, cell in known.cells.items() if read(cell.spec)[0] == BASE}
    run = {name: cell for name, cell in cells.items() if not cell.subsampled}
    widest = {cell.series: max(c.n for c in run.values() if c.series == cell.series) for cell in run.values()}
    seen = set()
    for search in read_searches(folder):
        cell = run.get(search.cell)
        if cell is not None and cell.n == widest[cell.series] and search.key not in seen:
            seen.add(search.key)
            yield search


def cost(score: Scored, *, higher: bool) -> float:
    """The value so that less is better; infinity for speech that could not be judged."""
    if score.value is None or score.unusable in ("bad", "short"):
        return math.inf
    return -score.value if higher else score.value


def positions(scores: Sequence[Scored], *, higher: bool) -> NDArray[np.float64]:
    """Where a search by this verifier alone puts each candidate, the best first; equal ones share the mean.

    float64 [candidates]. What has the same value is ordered by its `logp`, as searches do.
    """
    from scipy.stats import rankdata

    keys = [(cost(one, higher=higher), -(one.logp if one.logp is not None else -math.inf)) for one in scores]
    dense = {key: place for place, key in enumerate(sorted(set(keys)))}
    return np.asarray(rankdata([dense[key] for key in keys]), dtype=np.float64)
