"""What runs in an actor: all models in one process, and units of work in any order, each as often as need be.

Nothing here needs Ray, and nothing that is kept between two units is needed by the next: a prompt is computed anew and
beams are computed again from their tokens wherever they are not known.
"""

from __future__ import annotations

import faulthandler
import importlib
import math
import os
import pickle
import platform
import sys
import threading
import time
import traceback
from collections import OrderedDict, deque
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import torch

from llasa_core.request import Request
from search.asks import Ask, Beam, Beams, Extend, Start
from search.backends.base import no_progress
from search.backends.local import LocalBackend, LocalSession
from search.cost.flops import GeneratorCost
from search.cost.ledger import Ledger
from search.models import ModelSpec

Kind = Literal["all", "speak", "listen"]
KEPT = 64
"""Requests whose state is kept; of more, the one that was worked on longest ago is forgotten."""
DEVICE_FAILED = 70
"""Exit code of a process whose device has failed."""
DEVICE_ERRORS = (
    "CUDA error",
    "CUDA driver error",
    "cuBLAS",
    "CUBLAS_STATUS",
    "cuDNN error",
    "CUDNN_STATUS",
    "cuFFT error",
)
"""What the text of such an error holds."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Score the beams with a held-out judge."""

    beams: Beams
    spec: str


@dataclass(frozen=True, slots=True)
class Hear:
    """The waveforms of the beams."""

    beams: Beams


@dataclass(frozen=True, slots=True)
class Decode:
    """How rows of codes sound in the voice of the request."""

    codes: tuple[tuple[int, ...], ...]


Task: TypeAlias = Ask | Judge | Hear | Decode


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a unit of work, or why nothing did, and what was spent on it. longest: tokens of a candidate."""

    value: Any = None
    error: Exception | None = None
    ledger: Ledger = field(default_factory=Ledger)
    longest: int = 0


@dataclass(frozen=True, slots=True)
class About:
    """What a worker says of itself once its models are loaded. judges: their specs."""

    node: str
    pid: int
    threads: int
    judges: tuple[str, ...]
    longest: int
    cost: GeneratorCost


class Worker:
    """The models of one process. Several threads may ask at once: their work shares batches."""

    def __init__(
        self, spec: ModelSpec, kind: Kind, threads: int, gpu_share: float, imports: Sequence[str]
    ) -> None:
        self.spec = spec
        self.kind = kind
        self.threads = threads
        self.gpu_share = gpu_share
        self.imports = tuple(imports)
        self._lock = threading.Lock()
        self._opened: OrderedDict[int, Opened] = OrderedDict()
        self._dropped = 0
        self._forgotten: deque[int] = deque(maxlen=4 * KEPT)

    def load(self) -> Answer:
        """Loads the models. The value is `About`."""
        faulthandler.enable()
        torch.set_num_threads(self.threads)
        try:
            for module in self.imports:
                importlib.import_module(module)
            spec = self.spec
            if spec.memory is None and 0 < self.gpu_share < 1:
                # what is free on a shared GPU says nothing about what this process may take
                spec = replace(
                    spec, memory=int(0.5 * self.gpu_share * torch.cuda.mem_get_info(spec.device)[1])
                )
            if self.kind == "speak":
                spec = replace(spec, verifiers=(), judges=())
            alone = 1 if spec.device == "cpu" else 2
            self.backend: LocalBackend = spec.load(alone, speaks=self.kind != "listen")
        except Exception as error:  # noqa: BLE001 (whoever started the worker is told)
            return Answer(error=portable(error))
        found = self.backend
        longest, cost = 0, GeneratorCost(0, 0)
        if self.kind != "listen":
            longest, cost = found.generator.max_tokens, GeneratorCost.of(found.generator.network)
        judges = tuple(found.judges)
        return Answer(About(platform.node(), os.getpid(), torch.get_num_threads(), judges, longest, cost))

    def alive(self) -> None:
        """Returns when the process ends, that is never: who waits for it learns of a death at once."""
        threading.Event().wait()

    def work(self, key: int, request: Request, task: Task, seconds_left: float = math.inf) -> Answer:
        """One unit of work for the request that goes by `key`: a number, higher than those of requests before."""
        while True:
            answer = self._work(key, request, task, seconds_left)
            # it may have begun before an earlier call of drop did: that was not meant for it
            if not isinstance(answer.error, CancelledError) or key <= self._dropped:
                return answer
            with self._lock:
                self._opened.pop(key, None)

    def _work(self, key: int, request: Request, task: Task, seconds_left: float) -> Answer:
        if isinstance(task, Decode):
            try:
                return Answer(self.backend.listen(lambda: self.backend.decode(request, task.codes)).result())
            except Exception as error:  # noqa: BLE001
                return self._failed(error, Ledger())
        opened = self._open(key)
        # the units of one request take turns, so that what each spends is told apart
        with opened.lock:
            ledger = Ledger()
            try:
                if opened.session is None:
                    opened.session = self.backend.open(request, no_progress)
                ledger = opened.session.ledger
                value = opened.carry_out(opened.session, task, time.perf_counter() + seconds_left)
                return Answer(value, None, ledger.drained(), opened.longest)
            except Exception as error:  # noqa: BLE001
                return self._failed(error, ledger.drained())

    def forget(self, key: int) -> None:
        """The request is done."""
        with self._lock:
            self._forgotten.append(key)
            self._opened.pop(key, None)

    def drop(self, last: int) -> None:
        """Stops what is under way for requests up to the one that goes by `last`."""
        with self._lock:
            self._dropped = max(self._dropped, last)
            for key in [key for key in self._opened if key <= last]:
                del self._opened[key]
        self.backend.drop()

    def _open(self, key: int) -> Opened:
        with self._lock:
            if key <= self._dropped or key in self._forgotten:
                return Opened()  # the unit was overtaken: nothing is kept, for nobody would end that
            opened = self._opened.setdefault(key, Opened())
            self._opened.move_to_end(key)
            while len(self._opened) > KEPT:
                self._opened.popitem(last=False)
            return opened

    def _failed(self, error: BaseException, ledger: Ledger) -> Answer:
        if device_failed(error, self.spec.device):
            traceback.print_exception(error)
            sys.stderr.flush()
            os._exit(DEVICE_FAILED)
        return Answer(error=portable(error), ledger=ledger)


@dataclass(slots=True, eq=False)
class Opened:
    """One request's state in this process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    session: LocalSession | None = None
    started: bool = False

    @property
    def longest(self) -> int:
        return self.session.longest if self.session is not None and self.started else 0

    def carry_out(self, session: LocalSession, task: Task, until: float) -> Any:
        if isinstance(task, Start | Extend) and not self.started:
            session.answer(Start()).result()
            self.started = True
        answer: Future[Any]
        match task:
            case Start():
                return Beam((), ())
            case Judge(beams, spec):
                answer = session.judge(beams, spec)
            case Hear(beams):
                answer = session.waveforms(beams)
            case Decode():
                raise AssertionError("needs no session")
            case _:
                answer = session.answer(task, until)
        return answer.result()


def device_failed(error: BaseException, device: str) -> bool:
    """Whether the process's device cannot be used any more: nothing in CUDA recovers from a failed kernel.

    Running out of memory is no failure, nor is a mistake in the work: what asked for it is told.
    """
    accelerator = getattr(torch, "AcceleratorError", ())
    if isinstance(error, accelerator):
        return True
    if device == "cpu" or not isinstance(error, RuntimeError) or isinstance(error, torch.OutOfMemoryError):
        return False
    # as torch named them before it had AcceleratorError, and libraries of its own name theirs
    return any(name in str(error) for name in DEVICE_ERRORS)


def portable(error: BaseException) -> Exception:
    """The error as another process can read it: of the same type and text, or a RuntimeError that names both.

    Its notes carry where it was raised.
    """
    where = "".join(traceback.format_exception(error))
    try:
        found = pickle.loads(pickle.dumps(error))
        same = type(found) is type(error) and str(found) == str(error)
    except Exception:  # noqa: BLE001 (an exception that cannot be pickled may fail in any way)
        same = False
    if not same or not isinstance(error, Exception):
        found = RuntimeError(f"{type(error).__name__}: {error}")
    found.add_note(f"in process {os.getpid()} on {platform.node()}:\n{where}")
    answer: Exception = found
    return answer
