"""Backend carry out what strategies ask for: what every kind of them offers."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from llasa_core.audio import Waveform
from llasa_core.request import Request
from search.asks import Ask, Beams
from search.cost.ledger import Ledger
from verifiers.base import Score

IN_FLIGHT = 8
"""Requests that share batches unless told otherwise."""

Progress = Callable[[str, int, int], None]
"""Called as (stage, done, total); the stages are "generate" (finished candidates), "decode", "score NAME"."""


def no_progress(stage: str, done: int, total: int) -> None:
    """Reports nothing."""


class Session(Protocol):
    """Carries out the asks of one request, one after the other."""

    ledger: Ledger

    @property
    def longest(self) -> int:
        """Tokens that a candidate may have at most."""
        ...

    def flops_of(self, n_tokens: int) -> float:
        """Operations of the generator for so many tokens of one candidate."""
        ...

    def answer(self, ask: Ask, until: float = math.inf) -> Future[Any]:
        """The answer that the docstring of the ask promises. ``until``: as for `Scheduler.extend`."""
        ...

    def judge(self, beams: Beams, spec: str) -> Future[list[Score]]:
        """Scores that no strategy sees: those of a held-out judge."""
        ...

    def waveforms(self, beams: Beams) -> Future[list[Waveform]]:
        """float32 [samples] each, mono 16 kHz."""
        ...

    def close(self) -> None:
        """Nothing more will be asked."""
        ...


class Backend(Protocol):
    """Whoever owns the models."""

    @property
    def judges(self) -> Sequence[str]:
        """Specs of the held-out judges."""
        ...

    @property
    def directions(self) -> Mapping[str, bool]:
        """Of every verifier by metric name, and every judge by spec, whether higher is better."""
        ...

    @property
    def in_flight(self) -> int:
        """How many requests at a time are enough to keep the models busy."""
        ...

    def open(self, request: Request, progress: Progress = no_progress) -> Session:
        """A request that cannot be spoken or judged here raises UserError or VerifierError, now or when the first
        answer is read."""
        ...

    def wait(self, futures: Collection[Future[Any]]) -> None:
        """Until at least one of them is done."""
        ...

    def decode(self, request: Request, codes: Sequence[Sequence[int]]) -> list[Waveform]:
        """How rows of codes sound in the voice of the request: float32 [320 * codes] each."""
        ...

    def drop(self) -> None:
        """Stop what is under way; the next request begins anew."""
        ...

    def close(self) -> None:
        """Stop for good."""
        ...
