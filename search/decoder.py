"""One thread that runs the generator for all requests in flight: their rows share batches, a few tokens at a time."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from llasa_core.batch import Batch, Row
from llasa_core.decoding import Generator, Prompt
from llasa_core.lineage import Lineage
from search.flops import generator_flops
from search.ledger import Ledger
from search.strategy import Beam, Beams, rewound

ROUND = 25
"""Tokens after which rows that ended leave and requests that have come may join."""


@dataclass(slots=True)
class Root:
    """The prompt of one request, computed once, and where the keys and values of its beams were last seen."""

    batch: Batch
    ledger: Ledger
    places: dict[tuple[Lineage, int], int] = field(default_factory=dict)


@dataclass(slots=True)
class Job:
    """Beams of one request that are being extended."""

    root: Root
    beams: Beams
    rows: list[Row]
    until: float
    watch: Callable[[int, int], None]
    answer: Future[Beams]

    @property
    def going(self) -> list[Row]:
        return [row for row in self.rows if not row.finished]


class Decoder:
    """Prefills and extends for whoever asks, from any thread; the answers are futures.

    What a beam says does not depend on which others are in its batch, so neither does any answer.
    """

    def __init__(self, generator: Generator, turn: AbstractContextManager[object] | None = None) -> None:
        """``turn`` is held while the generator runs: a lock, where others would get in its way."""
        self.generator = generator
        self._turn = turn or nullcontext()
        self._store = generator.new_store()
        self._queue: queue.SimpleQueue[Job | Callable[[], None] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="decoder", daemon=True)
        self._thread.start()

    def prefill(self, prompt: Prompt, ledger: Ledger) -> Future[Root]:
        """Runs a prompt. The future raises UserError if it leaves no room for speech."""
        answer: Future[Root] = Future()

        def work() -> None:
            try:
                with self._turn, ledger.timed("generator"):
                    batch = self.generator.prefill([prompt], store=self._store)
                ledger.tokens_prefilled += batch.tokens_computed
                flops = generator_flops(self.generator.network, 0, batch.tokens_computed)
                ledger.add_flops("generator", flops)
                answer.set_result(Root(batch, ledger))
            except Exception as error:  # noqa: BLE001 (whoever asked is told)
                answer.set_exception(error)

        self._put(work)
        return answer

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
        longest = root.batch.longest[0]
        rows = []
        for beam in beams:
            before = rewound(beam, len(beam.tokens))
            place = root.places.get((before.lineage, len(beam.tokens)), -1)
            most = len(beam.tokens) if beam.finished else longest
            if n_tokens is not None:
                most = min(most, len(beam.tokens) + n_tokens)
            rows.append(root.batch.resumed(0, beam.tokens, beam.lineage, most, place))
        job = Job(root, beams, rows, until, watch, Future())
        self._put(job)
        return job.answer

    def close(self) -> None:
        """Stop after the round that is under way; whatever waits is cancelled."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _put(self, item: Job | Callable[[], None]) -> None:
        if self._closed:
            raise RuntimeError("the decoder is closed")
        self._queue.put(item)

    def _work(self) -> None:
        jobs: list[Job] = []
        while True:
            while not jobs or not self._queue.empty():
                item = self._queue.get()
                if item is None:
                    for job in jobs:
                        job.answer.cancel()
                    return
                if isinstance(item, Job):
                    jobs.append(item)
                else:
                    item()
            jobs = [job for job in jobs if not self._settled(job)]
            self._round(jobs)
            jobs = [job for job in jobs if not self._settled(job)]

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
        began = time.perf_counter()
        with self._turn:
            Batch(self.generator, self.generator.sampling, rows, self._store).extend(
                ROUND, lambda: self._tell(jobs)
            )
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
        root, longest = job.root, job.root.batch.longest[0]
        after = []
        for beam, row in zip(job.beams, job.rows, strict=True):
            root.ledger.tokens_reprefilled += row.computed
            root.places[row.lineage, len(row.codes)] = row.slot
            if not beam.finished:
                cut_off = not row.ended and len(row.codes) >= longest
                beam = Beam(beam.lineage, row.codes, row.ended or cut_off, cut_off)
            after.append(beam)
        job.answer.set_result(tuple(after))
        return True
