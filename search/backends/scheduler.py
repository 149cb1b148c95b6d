"""The generator, run for all requests in flight: their rows share batches, a few tokens at a time."""

from __future__ import annotations

import math
import queue
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from llasa_core.lm.batch import Batch, Row
from llasa_core.lm.lineage import Lineage
from llasa_core.lm.speech_lm import Prompt, SpeechLM
from search.asks import Beam, Beams, rewound
from search.cost.flops import generator_flops
from search.cost.ledger import Ledger

T = TypeVar("T")
ROUND = 25
"""Tokens after which rows that ended leave and requests that have come may join."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class Root:
    """The prompt of one request, computed once, and where the keys and values of its running beams lie."""

    batch: Batch
    ledger: Ledger
    places: dict[tuple[Lineage, int], int] = field(default_factory=dict)


@dataclass(slots=True)
class Job:
    """Beams of one request that are being extended."""

    root: Root
    beams: Beams
    n_tokens: int | None
    until: float
    watch: Callable[[int, int], None]
    answer: Future[Beams] = field(default_factory=Future)
    rows: list[Row] = field(default_factory=list)

    def begin(self) -> None:
        """Make a row of each beam, with a hint where its keys and values lie."""
        root, longest = self.root, self.root.batch.longest[0]
        for beam in self.beams:
            before, length = rewound(beam, len(beam.tokens)), len(beam.tokens)
            most = length if beam.finished else longest
            if self.n_tokens is not None:
                most = min(most, length + self.n_tokens)
            place = root.places.get((before.lineage, length), -1)
            self.rows.append(root.batch.resumed(0, beam.tokens, beam.lineage, most, place))

    def settle(self) -> None:
        """Answer with the beams as far as they have got."""
        root, longest = self.root, self.root.batch.longest[0]
        root.places = {}
        after = []
        for beam, row in zip(self.beams, self.rows, strict=True):
            root.ledger.tokens_reprefilled += row.computed
            if not beam.finished:
                cut_off = not row.ended and len(row.codes) >= longest
                beam = Beam(beam.lineage, row.codes, row.ended or cut_off, cut_off)
                if not beam.finished:
                    root.places[beam.lineage, len(beam.tokens)] = row.slot
            after.append(beam)
        self.answer.set_result(tuple(after))

    @property
    def going(self) -> list[Row]:
        return [row for row in self.rows if not row.finished]


@dataclass(slots=True)
class Call:
    """Other work that is done between two rounds."""

    work: Callable[[], Any]
    answer: Future[Any] = field(default_factory=Future)

    def carry_out(self) -> None:
        try:
            self.answer.set_result(self.work())
        except Exception as error:  # noqa: BLE001 (whoever asked is told)
            self.answer.set_exception(error)


class Scheduler:
    """Prefills and extends for whoever asks, from any thread; the answers are futures.

    What a beam says does not depend on which others are in its batch, so neither does any answer.
    """

    def __init__(self, generator: SpeechLM, *, threaded: bool) -> None:
        """``threaded``: work in a thread of its own; otherwise whoever waits calls :meth:`step`."""
        self.generator = generator
        self._cache = generator.new_cache()
        self._queue: queue.SimpleQueue[Job | Call | None] = queue.SimpleQueue()
        self._jobs: list[Job] = []
        self._roots: weakref.WeakSet[Root] = weakref.WeakSet()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        if threaded:
            self._thread = threading.Thread(target=self._work, name="scheduler", daemon=True)
            self._thread.start()

    def prefill(self, prompt: Prompt, ledger: Ledger) -> Future[Root]:
        """Runs a prompt. The future raises UserError if it leaves no room for speech."""

        def work() -> Root:
            with ledger.timed("generator"):
                batch = self.generator.prefill([prompt], cache=self._cache)
            ledger.tokens_prefilled += batch.tokens_computed
            ledger.add_flops("generator", generator_flops(self.generator.network, 0, batch.tokens_computed))
            root = Root(batch, ledger)
            self._roots.add(root)
            return root

        return self.call(work)

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Other work that is done between two rounds."""
        call = Call(work)
        self._put(call)
        return call.answer

    def extend(
        self,
        root: Root,
        beams: Beams,
        n_tokens: int | None,
        watch: Callable[[int, int], None],
        until: float = math.inf,
    ) -> Future[Beams]:
        """Continue each beam by up to ``n_tokens``, None: to the end. Finished beams come back as they are.

        ``watch`` is told (finished rows, rows) now and then. ``until``: a time of ``time.perf_counter`` after which no
        further round begins: the beams come back as far as they got.
        """
        job = Job(root, beams, n_tokens, until, watch)
        self._put(job)
        return job.answer

    def step(self) -> bool:
        """Do what has been asked for since, then one round; False if there was nothing to do."""
        busy = False
        while not (self._closed.is_set() or self._queue.empty()):
            busy |= self._take(self._queue.get())
        busy |= bool(self._jobs)
        self._jobs = [job for job in self._jobs if not self._settled(job)]
        self._round(self._jobs)
        self._jobs = [job for job in self._jobs if not self._settled(job)]
        return busy

    def close(self) -> None:
        """Stop after the round that is under way; whatever waits is cancelled."""
        self._closed.set()
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()
        for job in self._jobs:
            job.answer.cancel()
        self._cancel()

    def _cancel(self) -> None:
        """Whatever has not been taken."""
        with suppress(queue.Empty):
            while True:
                item = self._queue.get_nowait()
                if item is not None:
                    item.answer.cancel()

    def _put(self, item: Job | Call) -> None:
        self._queue.put(item)
        if self._closed.is_set():  # nobody would take it
            self._cancel()
            self._queue.put(None)  # which may have been taken with the rest

    def _take(self, item: Job | Call | None) -> bool:
        if isinstance(item, Job):
            try:
                item.begin()
            except Exception as error:  # noqa: BLE001 (a job that cannot begin fails alone)
                item.answer.set_exception(error)
            else:
                self._jobs.append(item)
        elif item is not None:
            item.carry_out()
        return item is not None

    def _work(self) -> None:
        while not self._closed.is_set():
            if not self._jobs:
                self._take(self._queue.get())
            self.step()

    def _round(self, jobs: Sequence[Job]) -> None:
        """ROUND tokens of every row of the jobs. A job whose rows cannot be run fails alone."""
        rows = [row for job in jobs for row in job.going]
        if not rows:
            return
        try:
            self._run(jobs, rows)
        except Exception as error:  # noqa: BLE001
            if len(jobs) == 1:
                jobs[0].answer.set_exception(error)
                return
            for job in jobs:
                self._round([job])

    def _run(self, jobs: Sequence[Job], rows: list[Row]) -> None:
        running = [(job, len(job.going), [len(row.codes) for row in job.rows]) for job in jobs]
        # a job that is done within a round would lose its place to the rows that go on: the round ends with it
        steps = min(ROUND, *(max(row.left for row in job.going) for job in jobs if job.going))
        began = time.perf_counter()
        idle = [root for root in self._roots if all(job.root is not root for job in jobs)]
        # beams that are being listened to will go on: their keys and values stay, if there is room
        self._cache.kept = [slot for root in idle for slot in root.places.values()]
        Batch(self.generator, self.generator.sampling, rows, self._cache).extend(
            steps, lambda: self._tell(jobs)
        )
        moved = iter(self._cache.kept)
        for root in idle:
            root.places = dict(zip(root.places, moved, strict=False))
        seconds = time.perf_counter() - began
        for job, count, lengths in running:
            ledger = job.root.ledger
            ledger.add_time("generator", seconds * count / len(rows))
            for row, before in zip(job.rows, lengths, strict=True):
                prompt, after = len(row.prefix), len(row.codes)
                ledger.tokens_generated += after - before
                ledger.add_flops(
                    "generator", generator_flops(self.generator.network, prompt + before, prompt + after)
                )

    def _tell(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            job.watch(sum(row.finished for row in job.rows), len(job.rows))

    def _settled(self, job: Job) -> bool:
        """Whether the job is done; if so, its answer is given."""
        if job.answer.done():
            return True
        if job.going and time.perf_counter() < job.until:
            return False
        job.settle()
        return True
