"""Measures a sweep's candidates again, and goes on where it was stopped.

Beginnings are decoded and measured by the very session that answers the asks of a search: the codec hears the
end of the voice prompt before them, and verifiers are told that they break off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments import interrupts
from experiments.files import Log
from experiments.studies.rescore.records import BEGINNING, DRAW, NAME, Known, Piece, read_rescored, runs
from experiments.studies.rescore.spoken import Spoken, read_spoken
from experiments.studies.sweep_log import Search, search_id
from experiments.studies.sweep_table import surroundings
from llasa_core.audio import CODES_PER_SECOND
from llasa_core.errors import UserError
from llasa_core.paths import shown
from search.asks import Beam, Measure
from verifiers import registry
from verifiers.base import TOKENS

if TYPE_CHECKING:
    from search.backends.base import Progress
    from search.backends.local import LocalBackend

SECONDS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
LEAST_DRAWS = 2
"""With one draw there is no spread."""


@dataclass(frozen=True)
class RescoreOptions:
    """seconds: of beginnings. candidates: the first ones of each search, whose beginnings are measured.
    draws: of inaudible changes; 0: none. losers: of each search, that are measured so beside the winners.
    limit: the first searches alone."""

    seconds: Sequence[float] = SECONDS
    candidates: int = 16
    draws: int = 4
    losers: int = 2
    limit: int | None = None
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Task:
    """One call: candidates by number, and so many of their codes (None: all)."""

    piece: Piece
    numbers: Sequence[int]
    codes: int | None

    @property
    def verifier(self) -> str:
        """As the backend has it."""
        piece = self.piece
        return piece.metric if piece.kind == BEGINNING else drawn(piece.metric, int(piece.at))


def drawn(metric: str, draw: int) -> str:
    """The name of a verifier that hears the changes of one draw."""
    return f"{metric}, draw {draw}"


@dataclass(frozen=True, eq=False)
class Rescore:
    """All that may be measured again, checked: no model is loaded yet."""

    folder: Path
    presets: Sequence[_Preset]

    @classmethod
    def of(cls, folder: Path, options: RescoreOptions) -> Rescore:
        """Raises UserError or VerifierError for whatever cannot work."""
        if options.draws and options.draws < LEAST_DRAWS:
            raise UserError(f"{options.draws} draw: the spread of scores needs at least {LEAST_DRAWS}")
        known = surroundings(folder)
        spoken = read_spoken(folder)
        by_preset: dict[str, list[Search]] = {}
        for search in islice(runs(folder, known), options.limit):
            by_preset.setdefault(known.cells[search.cell].preset, []).append(search)
        if not by_preset:
            raise UserError(
                f"{shown(folder)} holds no search of best-of-n, whose candidates are drawn: sweep one"
            )
        return cls(folder, [_Preset(spoken, name, own, options) for name, own in by_preset.items()])

    def run(self, progress: Progress) -> int:
        """How many calls were made. What is in the log is not measured again.

        progress: is told of calls by preset. Raises Interrupted with everything finished kept.
        """
        with interrupts.guarded(), Log(self.folder / NAME) as log:
            done = read_rescored(self.folder)
            return sum(preset.run(done, log, progress) for preset in self.presets)


class _Preset:
    """The searches of one preset."""

    def __init__(
        self, spoken: Spoken, name: str, searches: Sequence[Search], options: RescoreOptions
    ) -> None:
        self.spoken, self.name, self.searches, self.options = spoken, name, searches, options
        self.requests = {search.key: spoken.request(search.utterance, search.seed) for search in searches}
        self.spec = spoken.spec(name, options.device)
        needs = {next(iter(registry.directions(spec))): registry.needs(spec) for spec in self.spec.verifiers}
        self.metrics = list(needs)
        self.heard = [metric for metric, fields in needs.items() if TOKENS not in fields]

    def run(self, done: Known, log: Log, progress: Progress) -> int:
        todo = [(search, tasks) for search in self.searches if (tasks := self._missing(search, done))]
        total, made, stage = sum(len(tasks) for _, tasks in todo), 0, f"scores by {self.name}"
        if not total:
            return 0
        with closing(self._backend()) as backend:
            progress(stage, 0, total)
            for search, tasks in todo:
                session = backend.open(self.requests[search.key])
                with closing(session):
                    for task in tasks:
                        codes = [search.candidates[number].codes[: task.codes] for number in task.numbers]
                        beams = tuple(Beam((), tuple(one)) for one in codes)
                        answer = session.answer(Measure(beams, task.verifier, task.piece.kind == BEGINNING))
                        backend.wait([answer])
                        with interrupts.held():
                            log.append(task.piece.record(task.numbers, answer.result()))
                        made += 1
                        progress(stage, made, total)
        return made

    def _backend(self) -> LocalBackend:
        from experiments.studies.rescore.perturb import Perturbed
        from search.backends.loading import load_backend

        backend = load_backend(self.spec, generates=self.heard != self.metrics)
        for metric in self.heard:
            for draw in range(self.options.draws):
                backend.verifiers[drawn(metric, draw)] = Perturbed(backend.verifiers[metric], draw)
        return backend

    def _missing(self, search: Search, done: Known) -> list[Task]:
        return [
            Task(task.piece, left, task.codes)
            for task in self._tasks(search)
            if (left := [number for number in task.numbers if number not in done.get(task.piece, {})])
        ]

    def _tasks(self, search: Search) -> Iterator[Task]:
        """Beginnings of those that speak on behind them, and draws of winners and losers."""
        first = range(min(self.options.candidates, len(search.candidates)))
        for seconds in self.options.seconds:
            codes = round(seconds * CODES_PER_SECOND)
            speaking = [number for number in first if len(search.candidates[number].codes) > codes]
            for metric in self.metrics:
                yield Task(Piece(search.key, metric, BEGINNING, seconds), speaking, codes)
        chosen = [*winners(search), *losers(search, self.options.losers)]
        for metric in self.heard:
            for draw in range(self.options.draws):
                yield Task(Piece(search.key, metric, DRAW, float(draw)), chosen, None)


def winners(search: Search) -> list[int]:
    """The candidates that win at any width, by any selection."""
    return sorted({one.order[0] for one in search.chosen.values() if one.order})


def losers(search: Search, count: int) -> list[int]:
    """So many of the others, always the same ones."""
    rest = sorted(set(range(len(search.candidates))).difference(winners(search)))
    random = np.random.default_rng(int(search_id(*search.key), 16))
    return sorted(int(number) for number in random.permutation(rest)[:count])
