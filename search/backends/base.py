"""What carries out the asks of strategies: a backend owns the models, a session belongs to one request."""

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
"""Requests that are searched at once by default, in shared batches."""

Progress = Callable[[str, int, int], None]
"""Called as (stage, done, total); the stages are "generate" (finished candidates), "decode", "score NAME"."""


def no_progress(stage: str, done: int, total: int) -> None:
    """Reports nothing."""


class Session(Protocol):
    """Carries out the asks of one request, one after the other."""

    ledger: Ledger

    @property
    def longest(self) -> int:
        """The most tokens that a candidate may have."""
        ...

    def flops_of(self, n_tokens: int) -> float:
        """Floating-point operations of the generator for the first `n_tokens` of one candidate."""
        ...

    def answer(self, ask: Ask, until: float = math.inf) -> Future[Any]:
        """The answer that the docstring of the ask promises. `until`: as for `Scheduler.extend`."""
        ...

    def judge(self, beams: Beams, spec: str) -> Future[list[Score]]:
        """Scores by a held-out judge, which no strategy sees."""
        ...

    def waveforms(self, beams: Beams) -> Future[list[Waveform]]:
        """float32 [samples] each, mono 16 kHz."""
        ...

    def close(self) -> None:
        """Frees what is kept for the request; nothing more is asked."""
        ...


class Backend(Protocol):
    """Owns the models, in this process or in others."""

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
        """How many requests at a time keep the models busy."""
        ...

    def open(self, request: Request, progress: Progress = no_progress) -> Session:
        """Returns at once. For a request that cannot be spoken or scored here, the first answer is the
        UserError or VerifierError; a text that cannot be spoken may raise it here already."""
        ...

    def wait(self, futures: Collection[Future[Any]]) -> None:
        """Returns when at least one of them is done. Raises UserError if no answer can come any more."""
        ...

    def decode(self, request: Request, codes: Sequence[Sequence[int]]) -> list[Waveform]:
        """Decodes each row of codes behind the voice prompt of the request: float32 [320 * codes] each."""
        ...

    def hear_prompt(self, request: Request) -> Mapping[str, str]:
        """What each verifier that transcribes hears in the request's voice prompt, by spec."""
        ...

    def drop(self) -> None:
        """Stops what is under way; later requests are not affected."""
        ...

    def close(self) -> None:
        """Stops for good."""
        ...
