"""A sweep: every cell of a grid over a list of texts, into a folder, going on where it was stopped.

A search that was run is one record of searches.jsonl, the last thing that is written of it; nothing else says
how far a sweep is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import interrupts
from experiments.files import Log, write_whole
from experiments.runs.actor_log import ActorLog
from experiments.runs.dataset import Row
from experiments.studies.rounds import spent
from experiments.studies.sweep_folder import AUDIO, open_folder
from experiments.studies.sweep_log import read_searches, record_of, search_id
from experiments.studies.sweep_plan import Job, Plan, SweepOptions
from experiments.studies.sweep_table import conclude
from experiments.terminal import say
from llasa_core.audio import wav_bytes
from llasa_core.errors import LlasaError, first_line
from llasa_core.request import Request
from search.driver import all_candidates
from search.results.result import SearchResult

if TYPE_CHECKING:
    from experiments.runs.view import RunView
    from search.engine import Searcher

SHOWN = 5
"""Errors that are named at the end."""


@dataclass(eq=False)
class Sweep:
    """Runs the searches that the log lacks. failed: error by search."""

    plan: Plan
    folder: Path
    log: Log
    failed: dict[str, str] = field(default_factory=dict)
    searcher: Searcher | None = None

    def run(self, in_flight: int | None) -> None:
        """Raises Interrupted when a signal has come, with everything finished kept."""
        from experiments.runs.view import RunView

        done = {search.key for search in read_searches(self.folder)}
        work = self.plan.left(done)
        left = sum(len(missing) for _, missing in work)
        before, loading = self.plan.count - left, ", loading the models" if left else ""
        say(
            f"{len(self.plan.cells)} cells, {self.plan.count} searches: {before} done before, "
            f"{left} to do{loading}",
            error=True,
        )
        with RunView(
            self.plan.count,
            before,
            0,
            self.plan.directions,
            self._workers,
            work=sum(job.cell.n * len(missing) for job, missing in work),
        ) as view:
            for models in dict.fromkeys(job.cell.settings.models for job, _ in work):
                own = [(job, rows) for job, rows in work if job.cell.settings.models == models]
                with (
                    closing(own[0][0].cell.settings.searcher()) as self.searcher,
                    ActorLog(self.folder, 1, self._workers),
                ):
                    for job, rows in own:
                        self._search(job, rows, view, in_flight)
                self.searcher = None

    def _search(self, job: Job, rows: Sequence[Row], view: RunView, in_flight: int | None) -> None:
        """One strategy over its texts."""
        assert self.searcher is not None
        outcomes = self.searcher.run_many(
            self._requests(rows),
            job.strategy,
            budget=job.cell.settings.budget,
            in_flight=in_flight,
            progress=view.watch,
            heard=all_candidates if self.plan.grid.judge == "all" else job.winners,
        )
        by_request = {(row.id, row.seed): row for row in rows}
        with closing(outcomes):
            for outcome in outcomes:
                row = by_request[outcome.request.id, outcome.request.seed]
                with interrupts.held():
                    if isinstance(outcome, SearchResult):
                        self.keep(job, row, outcome)
                        view.finished(outcome, job.cell.n)
                    else:
                        self.failed[f"{job.cell.id}, {row.id}, seed {row.seed}"] = first_line(outcome.error)
                        view.lost(row.id, job.cell.n)

    def _requests(self, rows: Sequence[Row]) -> Iterator[Request]:
        """Made as there is room for them."""
        for row in rows:
            try:
                yield row.request()
            except LlasaError as error:
                self.failed[row.id] = first_line(error)

    def _workers(self) -> Sequence[Mapping[str, Any]]:
        find = getattr(self.searcher and self.searcher.backend, "workers", list)
        found: Sequence[Mapping[str, Any]] = find()
        return found

    def keep(self, job: Job, row: Row, result: SearchResult) -> None:
        """The audio first, then the record that says that the search is done."""
        chosen = job.chosen_of(result)
        ledgers = spent(result.trace, [one.n for one in chosen.values()]) if job.nested else {}
        ledgers[len(result.candidates)] = result.ledger  # with the judges
        if self.plan.grid.keep == "winners":
            for cell, one in chosen.items():
                winner = result.candidates[one.order[0]]
                name = search_id(cell, row.id, row.seed)
                write_whole(self.folder / AUDIO / f"{name}.wav", wav_bytes(winner.waveform))
        self.log.append(record_of(job.cell.id, row, result, chosen, ledgers))


def sweep(path: Path, options: SweepOptions) -> int:
    """Exit code: 0 all searches are done, 1 some failed, 128 and the number of the signal that interrupted.

    Raises UserError or VerifierError, before any model is loaded, for whatever cannot work.
    """
    plan = Plan.of(path, options)
    with interrupts.guarded(), open_folder(path, plan, options.output) as log:
        running = Sweep(plan, options.output, log)
        interrupted = None
        try:
            running.run(options.in_flight)
        except interrupts.Interrupted as signal:
            interrupted = signal
        conclude(options.output, published=plan.grid.published)
        for name, error in list(running.failed.items())[:SHOWN]:
            say(f"failed: {name}: {error}", error=True)
        if len(running.failed) > SHOWN:
            say(f"and {len(running.failed) - SHOWN} more failed", error=True)
        if interrupted:
            say(f"{interrupted}: the same command goes on", error=True)
            return interrupted.exit_code
        return 1 if running.failed else 0
