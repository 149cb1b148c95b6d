"""What runs in an actor: the models of one process, and tasks in any order, each as often as need be.

Nothing here needs Ray, and no task needs what an earlier one left behind: a prompt is computed anew, and
beams are computed again from their tokens, wherever they are not known.
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
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import torch

from llasa_core.device import device_failed
from llasa_core.gpu_memory import use_share
from llasa_core.request import Request
from search.asks import Ask, Beam, Beams, Extend, Start
from search.backends.base import no_progress
from search.backends.loading import load_backend
from search.backends.local import Executor, LocalBackend, LocalSession
from search.cost.flops import GeneratorCost
from search.cost.ledger import Ledger
from search.models import ModelSpec
from verifiers import registry
from verifiers.base import TOKENS

Kind = Literal["all", "generate", "score"]
KEPT = 64
"""Requests whose sessions are kept; beyond that the one that was used longest ago is closed."""
DEVICE_FAILED = 70
"""Exit code of a process whose device has failed."""


@dataclass(frozen=True, slots=True)
class JudgeBeams:
    """Score the beams with a held-out judge."""

    beams: Beams
    spec: str


@dataclass(frozen=True, slots=True)
class DecodeBeams:
    """The waveforms of the beams."""

    beams: Beams


@dataclass(frozen=True, slots=True)
class DecodeCodes:
    """Rows of codes as waveforms, in the voice of the request."""

    codes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class HearPrompt:
    """What the verifiers that transcribe hear in the voice prompt of the request."""


Work: TypeAlias = Ask | JudgeBeams | DecodeBeams | DecodeCodes | HearPrompt
"""A task; the last two open no session for the request."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a task, or why nothing did, and what was spent on it. longest: tokens of a candidate, if
    known."""

    value: Any = None
    error: Exception | None = None
    ledger: Ledger = field(default_factory=Ledger)
    longest: int = 0


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What a worker says of itself once its models are loaded. judges: their specs."""

    node: str
    pid: int
    threads: int
    judges: tuple[str, ...]
    longest: int
    cost: GeneratorCost


@dataclass(slots=True, eq=False)
class OpenRequest:
    """One request's session in this process. Its tasks take turns, so that what each spends is told apart."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    session: LocalSession | None = None
    started: bool = False


class Worker:
    """The models of one process. Several threads may give it tasks at once: these share batches."""

    def __init__(
        self, spec: ModelSpec, kind: Kind, threads: int, gpu_share: float, imports: Sequence[str]
    ) -> None:
        self.spec = spec
        self.kind = kind
        self.threads = threads
        self.gpu_share = gpu_share
        self.imports = tuple(imports)
        self.open_requests: OrderedDict[int, OpenRequest] = OrderedDict()
        self._lock = threading.Lock()
        self._dropped = 0
        self._forgotten: deque[int] = deque(maxlen=4 * KEPT)

    def load(self) -> Result:
        """Loads the models. The value is `WorkerInfo`."""
        faulthandler.enable()
        torch.set_num_threads(self.threads)
        try:
            for module in self.imports:
                importlib.import_module(module)
            spec = self.spec
            if self.kind == "generate":
                spec = replace(spec, verifiers=(), judges=())
            executor: Executor = "one-thread" if spec.device == "cpu" else "two-threads"
            generates = self.kind != "score" or judges_tokens(spec)
            use_share(self.gpu_share if 0 < self.gpu_share < 1 else 1.0)
            self.backend: LocalBackend = load_backend(spec, executor, generates=generates)
        except Exception as error:  # noqa: BLE001 (the driver is told)
            return Result(error=portable(error))
        longest, cost = 0, GeneratorCost(0, 0)
        if self.backend.generates:
            generator = self.backend.generator
            longest, cost = generator.max_tokens, GeneratorCost.of(generator.network)
        judges = tuple(self.backend.judges)
        return Result(
            WorkerInfo(platform.node(), os.getpid(), torch.get_num_threads(), judges, longest, cost)
        )

    def alive(self) -> None:
        """Never returns: whoever waits for it learns at once that the process has ended."""
        threading.Event().wait()

    def work(self, key: int, request: Request, work: Work, seconds_left: float = math.inf) -> Result:
        """Does one task for the request that goes by `key`: a number, higher than those of earlier
        requests."""
        while True:
            result = self._work(key, request, work, seconds_left)
            # a task that a call of `drop` for earlier requests cancelled by the way is begun again
            if not isinstance(result.error, CancelledError) or key <= self._dropped:
                return result
            with self._lock:
                self.open_requests.pop(key, None)

    def _work(self, key: int, request: Request, work: Work, seconds_left: float) -> Result:
        opened = self._open(key)
        with opened.lock:
            ledger = Ledger()
            try:
                if isinstance(work, DecodeCodes):
                    return Result(
                        self.backend.submit(lambda: self.backend.decode(request, work.codes)).result()
                    )
                if isinstance(work, HearPrompt):
                    return Result(self.backend.submit(lambda: self.backend.hear_prompt(request)).result())
                if opened.session is None:
                    opened.session = self.backend.open(request, no_progress)
                ledger = opened.session.ledger
                value = _answer(opened, opened.session, work, time.perf_counter() + seconds_left)
                longest = opened.session.longest if opened.started else 0
                return Result(value, None, ledger.drained(), longest)
            except Exception as error:  # noqa: BLE001 (the driver is told)
                if device_failed(error, self.spec.device):
                    traceback.print_exception(error)
                    sys.stderr.flush()
                    os._exit(DEVICE_FAILED)
                return Result(error=portable(error), ledger=ledger.drained())

    def forget(self, key: int) -> None:
        """The request is done."""
        with self._lock:
            self._forgotten.append(key)
            self.open_requests.pop(key, None)

    def drop(self, last: int) -> None:
        """Stops what is under way for the requests up to the one that goes by `last`."""
        with self._lock:
            self._dropped = max(self._dropped, last)
            for key in [key for key in self.open_requests if key <= last]:
                del self.open_requests[key]
        self.backend.drop()

    def _open(self, key: int) -> OpenRequest:
        with self._lock:
            if key <= self._dropped or key in self._forgotten:
                # the request ended before this task arrived: nothing is kept for it, since nobody would
                # free it
                return OpenRequest()
            opened = self.open_requests.setdefault(key, OpenRequest())
            self.open_requests.move_to_end(key)
            while len(self.open_requests) > KEPT:
                self.open_requests.popitem(last=False)
            return opened


def _answer(
    opened: OpenRequest, session: LocalSession, work: Ask | JudgeBeams | DecodeBeams, until: float
) -> Any:
    """The value of a task. A session that has not run its prompt does so before its first beam grows."""
    if isinstance(work, Start | Extend) and not opened.started:
        session.answer(Start()).result()
        opened.started = True
    match work:
        case Start():
            return Beam((), ())
        case JudgeBeams(beams, spec):
            return session.judge(beams, spec).result()
        case DecodeBeams(beams):
            return session.waveforms(beams).result()
        case _:
            return session.answer(work, until).result()


def judges_tokens(spec: ModelSpec) -> bool:
    """Whether any verifier or judge needs the generator beside it."""
    return any(TOKENS in registry.needs(name) for name in (*spec.verifiers, *spec.judges))


def portable(error: BaseException) -> Exception:
    """The error as another process can unpickle it: of the same type and text, or a RuntimeError that names
    both.

    A note holds its traceback.
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
