"""What `rescore` has found of a sweep, as far as it was measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.studies.measures import Measure, searched_by
from experiments.studies.rescore.beginnings import Agreement, agreements
from experiments.studies.rescore.noise import Anew, Luck, Movement, lucks, movements
from experiments.studies.rescore.records import BASE, NAME, Known, read_rescored, runs
from experiments.studies.sweep_log import Search
from experiments.studies.sweep_table import Surroundings, surroundings

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Rescoring:
    """Scores of beginnings and of changed recordings, beside the searches that they belong to.

    selects: by series of best-of-N, the score that it goes by first.
    """

    known: Surroundings
    searches: list[Search]
    scores: Known
    selects: dict[str, Measure]

    @classmethod
    def read(cls, folder: Path, frame: pandas.DataFrame) -> Rescoring | None:
        """None for a table alone, and for a sweep that was not measured again. Raises UserError for a log
        that is none."""
        if not (folder / NAME).is_file():
            return None
        known = surroundings(folder)
        specs = {c.series: c.spec for c in known.cells.values() if c.spec.partition("?")[0] == BASE}
        found = {series: searched_by(frame, spec) for series, spec in specs.items()}
        selects = {series: one for series, one in found.items() if one is not None}
        return cls(known, list(runs(folder, known)), read_rescored(folder), selects)

    @cached_property
    def agreements(self) -> list[Agreement]:
        return agreements(self.searches, self.scores, self.known.directions)

    @cached_property
    def _anew(self) -> Anew:
        return Anew(self.searches, self.scores, self.known.directions)

    @cached_property
    def movements(self) -> list[Movement]:
        return movements(self._anew)

    @cached_property
    def lucks(self) -> list[Luck]:
        return lucks(self._anew, self.known.cells, self.selects)
