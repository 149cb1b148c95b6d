"""The scheduler: runs the generator for all requests in flight, whose sequences share batches."""

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
from functools import partial
from typing import Any, TypeVar

from llasa_core.lm.lineage import Lineage
from llasa_core.lm.runner import ModelRunner
from llasa_core.lm.sequence import Prompt, SpeechSequence
from search.asks import Beam, Beams, rewound
from search.cost.flops import GeneratorCost
from search.cost.ledger import Ledger

T = TypeVar("T")
ROUND = 25
"""Tokens after which finished sequences leave the batch and new requests join it."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class Root:
    """The prompt of one request, computed once, and the unfinished sequences that it was last extended by."""

    sequence: SpeechSequence
    ledger: Ledger
    resident: dict[tuple[Lineage, int], SpeechSequence] = field(default_factory=dict)
    """By lineage and length: sequences whose keys and values the next ask probably needs."""

    @property
    def longest(self) -> int:
        """Tokens that a candidate may have at most."""
        return self.sequence.max_tokens


@dataclass(slots=True)
class Job:
    """Beams of one request that are being extended, and a sequence for each unfinished one."""

    root: Root
    beams: Beams
    n_tokens: int | None
    until: float
    watch: Callable[[int, int], None]
    answer: Future[Beams] = field(default_factory=Future)
    sequences: list[SpeechSequence] = field(default_factory=list)

    def begin(self, runner: ModelRunner) -> None:
        """Make the sequences."""
        for beam in self.beams:
            if not beam.finished:
                length = len(beam.tokens)
                known = self.root.resident.get((rewound(beam, length).lineage, length))
                slot = -1 if known is None else known.slot
                self.sequences.append(
                    runner.resume(self.root.sequence, beam.tokens, beam.lineage, self.n_tokens, slot)
                )

    def settle(self) -> None:
        """Answer with the beams as far as they have got."""
        root, extended = self.root, iter(self.sequences)
        root.resident = {}
        after = []
        for beam in self.beams:
            if not beam.finished:
                sequence = next(extended)
                cut_off = not sequence.ended and len(sequence.codes) >= root.longest
                beam = Beam(beam.lineage, sequence.codes, sequence.ended or cut_off, cut_off)
                root.ledger.tokens_reprefilled += sequence.tokens_recomputed
                if not beam.finished:
                    root.resident[beam.lineage, len(beam.tokens)] = sequence
            after.append(beam)
        self.answer.set_result(tuple(after))

    @property
    def running(self) -> list[SpeechSequence]:
        return [sequence for sequence in self.sequences if not sequence.finished]


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
    """Prefills and extends for callers in any thread; the answers are futures.

    The tokens of a beam do not depend on its batch, so an answer does not depend on other requests.
    """

    def __init__(self, runner: ModelRunner, *, threaded: bool) -> None:
        """``threaded``: work in a thread of its own; if not, whoever waits for an answer calls
        :meth:`step`.
        """
        self._runner = runner
        self._cost = GeneratorCost.of(runner.model.network)
        self._queue: queue.SimpleQueue[Job | Call | None] = queue.SimpleQueue()
        self._jobs: list[Job] = []
        self._roots: weakref.WeakSet[Root] = weakref.WeakSet()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        if threaded:
            self._thread = threading.Thread(target=self._work, name="scheduler", daemon=True)
            self._thread.start()

    def prefill(self, prompt: Prompt, ledger: Ledger) -> Future[Root]:
        """Run a prompt. The future raises UserError if the prompt leaves no room for speech."""

        def work() -> Root:
            with ledger.timed("generator"):
                sequence = self._runner.prefill(prompt)
            ledger.tokens_prefilled += len(sequence.prefix)
            ledger.add_flops("generator", self._cost.flops(0, len(sequence.prefix)))
            root = Root(sequence, ledger)
            self._roots.add(root)
            return root

        return self.call(work)

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Do other work between two rounds."""
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
        """Continue each beam by up to ``n_tokens``, None: to its end. Finished beams are returned unchanged.

        ``watch`` is called with (beams that are done, beams) now and then. ``until``: a time of
        ``time.perf_counter`` after which no further round begins, so that the beams are returned unfinished.
        """
        job = Job(root, beams, n_tokens, until, watch)
        self._put(job)
        return job.answer

    def step(self) -> bool:
        """Take up new jobs and calls, then do one round; False if there was nothing to do."""
        busy = False
        while not (self._closed.is_set() or self._queue.empty()):
            busy |= self._take(self._queue.get())
        busy |= bool(self._jobs)
        self._jobs = [job for job in self._jobs if not self._settled(job)]
        self._round(self._jobs)
        self._jobs = [job for job in self._jobs if not self._settled(job)]
        return busy

    def close(self) -> None:
        """Stop after the round that is under way; jobs and calls that wait are cancelled."""
        self._closed.set()
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()
        for job in self._jobs:
            job.answer.cancel()
        self._cancel()

    def _cancel(self) -> None:
        """Cancel the jobs and calls that were not taken up."""
        with suppress(queue.Empty):
            while True:
                item = self._queue.get_nowait()
                if item is not None:
                    item.answer.cancel()

    def _put(self, item: Job | Call) -> None:
        self._queue.put(item)
        if self._closed.is_set():  # nobody would take it up
            self._cancel()
            self._queue.put(None)  # wakes the thread; the one from `close` may be gone

    def _take(self, item: Job | Call | None) -> bool:
        if isinstance(item, Job):
            try:
                item.begin(self._runner)
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
        """Up to ROUND tokens of every running sequence. A job whose sequences cannot be run fails alone."""
        if not any(job.running for job in jobs):
            return
        try:
            self._run(jobs)
            return
        except Exception as error:  # noqa: BLE001
            if len(jobs) == 1:
                jobs[0].answer.set_exception(error)
                return
        # behind the handler: inside, the error would hold the tensors of the round that found no memory
        for job in jobs:
            self._round([job])

    def _run(self, jobs: Sequence[Job]) -> None:
        running = [
            (job, sequence, len(sequence.codes), sequence.tokens_recomputed)
            for job in jobs
            for sequence in job.running
        ]
        # The round ends with the first job that is done: its slots would be taken by the sequences that go
        # on.
        steps = min(ROUND, *(max(s.tokens_left for s in job.running) for job in jobs if job.running))
        # Beams that are being scored will probably be extended later: their keys and values stay if there is
        # room.
        idle = [root for root in self._roots if all(job.root is not root for job in jobs)]
        pinned = [sequence for root in idle for sequence in root.resident.values()]
        began = time.perf_counter()
        self._runner.extend([s for _, s, _, _ in running], steps, partial(_report, jobs), pinned)
        seconds = (time.perf_counter() - began) / len(running)
        for job, sequence, before, recomputed in running:
            ledger, prompt, after = job.root.ledger, len(sequence.prefix), len(sequence.codes)
            again = sequence.tokens_recomputed - recomputed
            ledger.add_time("generator", seconds)
            ledger.tokens_generated += after - before
            ledger.add_flops("generator", self._cost.flops(prompt + before - again, prompt + after))

    def _settled(self, job: Job) -> bool:
        """Whether the job is done; if so, its answer is given."""
        if job.answer.done():
            return True
        if job.running and time.perf_counter() < job.until:
            return False
        job.settle()
        return True


def _report(jobs: Sequence[Job]) -> None:
    """Tell whoever watches how many beams of each job are done."""
    for job in jobs:
        job.watch(len(job.beams) - len(job.running), len(job.beams))
