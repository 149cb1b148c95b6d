"""What a sweep is to do: cells of a grid become searches, checked before any model is loaded.

Cells of best-of-N that differ in N or in the selection share one run of the largest N.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.config import choose_metrics
from experiments.request_options import RequestOptions
from experiments.runs.dataset import Row, check_texts, read_rows
from experiments.runs.run import judge_metrics
from experiments.studies.nano_eval import nano_eval
from experiments.studies.published import check_lists
from experiments.studies.rounds import Rounds, sizes
from experiments.studies.subsample import nests
from experiments.studies.sweep_grid import Cell, Grid, cells, changed, read_grid, texts_path
from experiments.studies.sweep_log import Chosen
from experiments.studies.table import check_installed
from search.asks import Choice, Scores
from search.backends.ray.options import RayOptions
from search.results.result import SearchResult
from search.strategies.base import Strategy


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
        check_installed()
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

    def left(self, done: Collection[tuple[str, str, int]]) -> list[tuple[Job, list[Row]]]:
        """What is not done yet, seed by seed: whatever a stopped sweep has can be compared.

        done: (cell of the run, utterance, seed) of every search that is."""
        work = []
        for seed in self.grid.seeds:
            for job in self.jobs:
                rows = [row for row in self.rows if (job.cell.id, row.id, seed) not in done]
                if rows:
                    work.append((job, [replace(row, seed=seed) for row in rows]))
        return work

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
