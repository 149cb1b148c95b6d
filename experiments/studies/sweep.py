"""A sweep: every cell of a grid over a list of texts, into a folder, going on where it was stopped.

A search that was run is one record of searches.jsonl, the last thing that is written of it; nothing else says
how far a sweep is. Cells of best-of-N that differ in N or in the selection share one run of the largest N.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import interrupts
from experiments.config import choose_metrics, set_threads
from experiments.documents import read_json
from experiments.files import LEFTOVER, SCHEMA, Log, check_folder, check_version, write_whole
from experiments.request_options import RequestOptions
from experiments.runs.actor_log import ActorLog
from experiments.runs.dataset import Row, check_texts, read_rows
from experiments.runs.description import differences
from experiments.runs.run import judge_metrics
from experiments.studies.published import check_lists
from experiments.studies.rounds import Rounds, sizes, spent
from experiments.studies.subsample import nests
from experiments.studies.sweep_grid import Cell, Grid, cells, changed, read_grid, texts_path
from experiments.studies.sweep_log import NAME as SEARCHES
from experiments.studies.sweep_log import Chosen, read_searches, record_of, search_id
from experiments.studies.sweep_table import SURROUNDINGS, conclude
from experiments.studies.sweep_texts import nano_eval
from experiments.terminal import say
from llasa_core.audio import wav_bytes
from llasa_core.errors import LlasaError, UserError, first_line
from llasa_core.paths import shown
from llasa_core.request import Request
from search.asks import Choice, Scores
from search.backends.ray.options import RayOptions
from search.driver import all_candidates
from search.results.candidate import plain
from search.results.manifest import versions
from search.results.result import SearchResult
from search.strategies.base import Strategy

if TYPE_CHECKING:
    from experiments.runs.view import RunView
    from search.engine import Searcher

SHOWN = 5
GRID = "grid.yaml"
AUDIO = "audio"


@dataclass(frozen=True)
class SweepOptions:
    """output: the folder. texts, limit, preset: in place of the grid's. in_flight: searches at once; None: as
    many as the models need."""

    output: Path
    texts: Path | None = None
    limit: int | None = None
    preset: str | None = None
    in_flight: int | None = None
    device: str = "cpu"
    ray: RayOptions | None = None


@dataclass(frozen=True, eq=False)
class Job:
    """A search to run for each text and seed, and the cells that it answers."""

    cell: Cell
    strategy: Strategy
    answers: Sequence[Cell]

    @property
    def nested(self) -> bool:
        """Whether the cells choose among the first candidates of one run."""
        return isinstance(self.strategy, Rounds)

    def chosen(self, scores: Scores, ranking: Sequence[int], *, satisfied: bool) -> dict[str, Chosen]:
        """By cell, what it chooses among the candidates of these scores; ranking, satisfied: of the run."""
        if not self.nested:
            return {self.cell.id: Chosen(n=len(ranking), order=list(ranking), satisfied=satisfied)}
        found = {}
        for cell in self.answers:
            first = {metric: of_all[: cell.n] for metric, of_all in scores.items()}
            own = cell.settings.strategy.selection.rank(first)
            found[cell.id] = Chosen(n=cell.n, order=list(own.order), satisfied=own.satisfied)
        return found

    def chosen_of(self, result: SearchResult) -> dict[str, Chosen]:
        scores = {name: tuple(one.scores[name] for one in result.candidates) for name in result.scores}
        ranking = sorted(range(len(result.candidates)), key=lambda number: result.candidates[number].rank)
        return self.chosen(scores, ranking, satisfied=result.satisfied)

    def winners(self, choice: Choice) -> set[int]:
        """The candidates that win in any of the cells."""
        chosen = self.chosen(choice.scores, choice.ranking, satisfied=choice.satisfied)
        return {one.order[0] for one in chosen.values()}


def jobs_of(found: Sequence[Cell]) -> list[Job]:
    """The searches that answer all cells, in the order of their cells."""
    shared: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in found:
        own = cell.settings
        key: tuple[Any, ...] = (cell.id,)
        if nests(own.strategy) and not own.budget.as_dict():
            key = (own.models, own.strategy.verifiers)
        shared.setdefault(key, []).append(cell)
    jobs = []
    for together in shared.values():
        largest = max(together, key=lambda cell: cell.n)
        strategy = largest.settings.strategy
        if nests(strategy) and not largest.settings.budget.as_dict():
            rounds = sizes(largest.n, (cell.n for cell in together))
            strategy = Rounds(verifiers=strategy.verifiers, selection=strategy.selection, sizes=rounds)
        jobs.append(Job(largest, strategy, together))
    return jobs


@dataclass(frozen=True, eq=False)
class Plan:
    """All that is to be done, checked: no model is loaded yet."""

    grid: Grid
    rows: Sequence[Row]
    cells: Sequence[Cell]
    jobs: Sequence[Job]

    @classmethod
    def of(cls, path: Path, options: SweepOptions) -> Plan:
        """Raises UserError or VerifierError for whatever cannot work."""
        grid = changed(read_grid(path), preset=options.preset, limit=options.limit)
        check_lists(grid.published)
        request = RequestOptions(language=grid.language, voice=grid.voice)
        source = options.texts or texts_path(grid, path)
        rows = nano_eval(grid.limit) if source is None else read_rows(source, request, grid.limit)
        found = cells(grid, rows[0], options.device, options.ray)
        for models in {cell.settings.models.generator: cell for cell in found}.values():
            check_texts(rows, models.settings.generator_source, grid.max_seconds)
        found[0].settings.check_device()
        return cls(grid, rows, found, jobs_of(found))

    @property
    def directions(self) -> dict[str, bool]:
        """Of every metric and every judge, whether higher is better."""
        found: dict[str, bool] = {}
        for cell in self.cells:
            models = cell.settings.models
            found |= choose_metrics(models.verifiers) | judge_metrics(models.judges)
        return found

    @property
    def count(self) -> int:
        """Of searches that are run."""
        return len(self.jobs) * len(self.rows) * len(self.grid.seeds)


def open_folder(path: Path, plan: Plan, folder: Path) -> Log:
    """The log of the folder, locked, with the grid and the surroundings beside it. Raises UserError if the
    folder belongs to another sweep, or to another process now."""
    check_folder(folder, "--out")
    strangers = [name for name in ("run.json", "records.jsonl") if (folder / name).exists()]
    if strangers:
        raise UserError(f"--out {shown(folder)} holds {strangers[0]}, a run's: choose another folder")
    own = folder / GRID
    if own.exists() and read_grid(own) != plan.grid:
        raise UserError(
            f"--out {shown(folder)} is the sweep of another grid ({shown(own)}): choose another folder"
        )
    log = Log(folder / SEARCHES)
    try:
        _check_surroundings(folder / SURROUNDINGS, plan)
        write_whole(own, written(path, plan.grid))
        audio = folder / AUDIO
        if plan.grid.keep == "winners":
            audio.mkdir(exist_ok=True)
        for place in (folder, *([audio] if audio.is_dir() else [])):
            for file in place.iterdir():
                if LEFTOVER.fullmatch(file.name):
                    file.unlink()
    except BaseException:
        log.close()
        raise
    return log


def written(path: Path, grid: Grid) -> bytes:
    """The grid as it was given, or as the command line has changed it."""
    if read_grid(path) == grid:
        return path.read_bytes()
    import yaml

    content: str = yaml.safe_dump(grid.model_dump(exclude_defaults=True), allow_unicode=True, sort_keys=False)
    return content.encode()


def columns_of(cell: Cell, run: Cell) -> dict[str, str | int]:
    """What the table says of a cell. run: the one whose search it was taken from."""
    return {
        "series": cell.series,
        "preset": cell.preset,
        "strategy": cell.strategy,
        "spec": cell.spec,
        "n": cell.n,
        "beams": cell.beams,
        "subsampled": 0 if cell is run else run.n,
    }


def _check_surroundings(path: Path, plan: Plan) -> None:
    """Writes what the results depend on beside the grid, or raises UserError if that has changed since."""
    import torch

    models = dict.fromkeys(cell.settings.models for cell in plan.cells)
    runs = {cell.id: job.cell for job in plan.jobs for cell in job.answers}
    now: dict[str, Any] = {
        "schema": SCHEMA,
        "cells": {cell.id: columns_of(cell, runs[cell.id]) for cell in plan.cells},
        "directions": plan.directions,
        "texts": {row.id: plain(row.asked) for row in plan.rows},
        "models": [
            {key: value for key, value in plain(one.manifest(0)).items() if key not in ("threads", "device")}
            for one in models
        ],
        "versions": versions(),
        "threads": torch.get_num_threads(),
    }
    if path.exists():
        then = check_version(read_json(path, "the surroundings of the sweep"), shown(path))
        found = differences(then, now)
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            raise UserError(
                f"cannot go on with {shown(path.parent)}: {'; '.join(found[:3])}{more}; choose another folder"
            )
        for name, before in then.get("versions", {}).items():
            if (current := now["versions"].get(name)) != before:
                say(f"note: {name} was {before} and is {current}: samples may differ", error=True)
        set_threads(then.get("threads"))
        return
    write_whole(path, json.dumps(now, indent=1, ensure_ascii=False).encode() + b"\n")


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
        work = {job: missing for job in self.plan.jobs if (missing := self._missing(job, done))}
        left = sum(map(len, work.values()))
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
            work=sum(job.cell.n * len(missing) for job, missing in work.items()),
        ) as view:
            for models in dict.fromkeys(job.cell.settings.models for job in work):
                own = [job for job in work if job.cell.settings.models == models]
                with (
                    closing(own[0].cell.settings.searcher()) as self.searcher,
                    ActorLog(self.folder, 1, self._workers),
                ):
                    for job in own:
                        self._search(job, work[job], view, in_flight)
                self.searcher = None

    def _search(self, job: Job, rows: Sequence[Row], view: RunView, in_flight: int | None) -> None:
        """One strategy over its texts and seeds."""
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

    def _missing(self, job: Job, done: Collection[tuple[str, str, int]]) -> list[Row]:
        return [
            replace(row, seed=seed)
            for seed in self.plan.grid.seeds
            for row in self.plan.rows
            if (job.cell.id, row.id, seed) not in done
        ]

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
