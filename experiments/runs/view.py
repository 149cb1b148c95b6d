"""How far a run is, on stderr: a live view on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from experiments.terminal import Terminal
from llasa_core.request import Request
from search.backends.base import Progress
from search.results.result import SearchResult

LINE_EVERY = 10.0
"""Seconds between lines where no terminal is looked at."""
LOOK_EVERY = 0.5
"""Seconds between looks at the workers."""
WORKER_COLUMNS = {
    "name": "",
    "state": "state",
    "queue": "queue",
    "tokens_per_second": "tokens/s",
    "utilisation": "utilisation",
    "restarts": "restarts",
}
"""What is shown of a worker: key of its row, heading."""


class Tally:
    """Mean and best of the winners' scores by one verifier."""

    def __init__(self, higher_is_better: bool) -> None:
        self._sign = 1.0 if higher_is_better else -1.0
        self._sum, self._best, self._count = 0.0, -math.inf, 0

    def add(self, value: float) -> None:
        if math.isfinite(value):
            self._sum += value
            self._best = max(self._best, self._sign * value)
            self._count += 1

    @property
    def cells(self) -> tuple[str, str]:
        """Mean and best."""
        if not self._count:
            return "-", "-"
        return f"{self._sum / self._count:.3f}", f"{self._sign * self._best:.3f}"


class RunView:
    """Counts what the run tells it, and shows it while the block lasts.

    total: texts of the run; done, failed: how many of them an earlier process did. metrics: by name of a
    verifier or spec of a judge, whether higher is better. workers: as `RayBackend.workers`, a row for each.
    work: of all texts that are to do, where they differ in it; the time left is told by it.
    """

    def __init__(
        self,
        total: int,
        done: int,
        failed: int,
        metrics: Mapping[str, bool],
        workers: Callable[[], Sequence[Mapping[str, object]]] = list,
        *,
        work: float | None = None,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total, self.done, self.failed = total, done, failed
        self.tallies = {name: Tally(higher) for name, higher in metrics.items()}
        self._console = console or Terminal(stderr=True)
        self._clock = clock
        self._began = self._told = clock()
        self._work = float(total - done - failed) if work is None else work
        self._worked = 0.0
        self._candidates = self._tokens = 0
        self._running: dict[str, int] = {}
        self._workers, self._rows = workers, workers()
        self._looked = 0.0
        self._live: Live | None = None

    def watch(self, request: Request) -> Progress:
        """For the searcher: what it tells of a request."""

        def report(stage: str, done: int, total: int) -> None:
            if stage == "generate":
                self._running[request.id] = done
            self._look()

        return report

    def finished(self, result: SearchResult, work: float = 1.0) -> None:
        self.done += 1
        self._worked += work
        self._running.pop(result.request.id, None)
        self._candidates += len(result.candidates)
        self._tokens += result.ledger.tokens_generated
        for name, score in {**result.winner.scores, **result.winner.judged}.items():
            if name in self.tallies:
                self.tallies[name].add(score.value)
        self._tell()

    def lost(self, id: str, work: float = 1.0) -> None:
        """A text that failed."""
        self.failed += 1
        self._worked += work
        self._running.pop(id, None)
        self._tell()

    @property
    def headline(self) -> str:
        """`3/12 done, 1 failed, 48 candidates, 812 tokens/s, about 0:02:10 left`"""
        seconds = max(self._clock() - self._began, 1e-9)
        ended = self.done + self.failed
        parts = [f"{self.done}/{self.total} done"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        parts.append(f"{self._candidates + sum(self._running.copy().values())} candidates")
        parts.append(f"{self._tokens / seconds:,.0f} tokens/s")
        if self._worked and ended < self.total:
            left = seconds / self._worked * (self._work - self._worked)
            parts.append(f"about {_clock_time(left)} left")
        return ", ".join(parts)

    def __rich__(self) -> RenderableType:
        bar = Table.grid()  # by itself a bar does not end its line
        bar.add_row(ProgressBar(self.total, self.done + self.failed, width=60))
        parts: list[RenderableType] = [bar, Text(self.headline)]
        if self.tallies:
            scores = _table("", "mean", "best")
            for name, tally in self.tallies.items():
                scores.add_row(Text(name), *tally.cells)
            parts.append(scores)
        if self._rows:
            workers = _table(*WORKER_COLUMNS.values())
            for row in self._rows:
                workers.add_row(*(_cell(row[key]) for key in WORKER_COLUMNS))
            parts.append(workers)
        return Group(*parts)

    def __enter__(self) -> Self:
        self._began = self._told = self._clock()
        if self._console.is_terminal:
            self._live = Live(self, console=self._console, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def _look(self) -> None:
        """In the thread that works: the one that draws must not look at what that is changing."""
        if self._live is not None and self._clock() - self._looked >= LOOK_EVERY:
            self._looked, self._rows = self._clock(), self._workers()

    def _tell(self) -> None:
        self._look()
        now = self._clock()
        if self._live is None and (now - self._told >= LINE_EVERY or self.done + self.failed == self.total):
            self._told = now
            scores = "".join(f", {name} {tally.cells[0]}" for name, tally in self.tallies.items())
            self._console.print(self.headline + scores, highlight=False, markup=False, soft_wrap=True)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    return table


def _cell(value: object) -> Text:
    return Text(f"{value:,.2f}" if isinstance(value, float) else str(value))


def _clock_time(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
