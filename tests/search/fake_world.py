"""A world for strategies, in a few lines: tokens are numbers, scores are a function of the beam."""

import math
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import numpy as np

from llasa_core.audio import Waveform
from llasa_core.lm.lineage import Lineage
from llasa_core.request import Request
from search.asks import (
    Ask,
    Beam,
    Beams,
    Branch,
    Choice,
    Extend,
    Measure,
    Start,
    Work,
    branched_beams,
)
from search.cost.budget import NO_LIMIT, Budget
from search.cost.ledger import Ledger
from search.driver import RequestSearch
from search.results.result import SearchResult
from search.strategies.base import Strategy
from verifiers.base import Score, Verifier
from verifiers.selection.parse import Selection, parse_selection


class FakeSession:
    """Beam with branch k (the last of its lineage) ends after `length(k)` tokens; every ask is recorded."""

    def __init__(self, length: Callable[[int], int], value: Callable[[str, Beam], float]) -> None:
        self.length = length
        self.value = value
        self.asks: list[Ask] = []
        self.ledger = Ledger()

    def answer(self, ask: Ask) -> Any:
        self.asks.append(ask)
        match ask:
            case Start():
                return Beam((), ())
            case Branch():
                return branched_beams(ask)
            case Extend(beams, n_tokens):
                return tuple(self._extended(beam, n_tokens) for beam in beams)
            case Measure(beams, verifier, _):
                return tuple(Score(self.value(verifier, beam), {}) for beam in beams)

    def score(self, beams: Beams, verifier: Verifier, *, partial: bool = False) -> list[Score]:
        return verifier.score([self.waveform(beam) for beam in beams], None, partial)  # type: ignore[arg-type]

    def waveform(self, beam: Beam) -> Waveform:
        return np.full(320 * len(beam.tokens), 0.1, np.float32)

    def _extended(self, beam: Beam, n_tokens: int | None) -> Beam:
        end = self.length(branch_of(beam))
        stop = end if n_tokens is None else min(end, len(beam.tokens) + n_tokens)
        new = range(len(beam.tokens), stop)
        self.ledger.tokens_generated += len(new)
        tokens = (*beam.tokens, *(1000 * branch_of(beam) + position for position in new))
        return Beam(beam.lineage, tokens, stop == end)


def carry_out(strategy: Strategy, world: FakeSession) -> tuple[Choice, list[Ask]]:
    """The choice of one plan whose asks the world answers, and those asks."""
    plan = strategy.plan()
    answer: Any = None
    while True:
        try:
            ask = plan.send(answer)
        except StopIteration as done:
            return done.value, world.asks
        answer = world.answer(ask)


def branch_of(beam: Beam) -> int:
    return beam.lineage[-1][1] if beam.lineage else 0


T = TypeVar("T")
METRICS = {"wer": False, "sim": True}


def selection(rule: str) -> Selection:
    return parse_selection(rule, METRICS)


def distinct_token(lineage: Lineage, position: int) -> int:
    """Lineage ((0, 1), (4, 2)) says 12000, 12001, ...: the branches taken, then the position."""
    return 1000 * int("".join(str(branch) for _, branch in lineage) or 0) + position


class TreeWorld:
    """Lengths, tokens and scores are functions of the lineage, so the best leaf is known. Every ask is
    recorded.

    A beam ends at `length(lineage)` tokens; its token at a position depends on the forks before.
    `value(verifier, beam, partial)` is its score, or a number that is one.
    """

    def __init__(
        self,
        length: Callable[[Lineage], int],
        value: Callable[[str, Beam, bool], float | Score],
        token: Callable[[Lineage, int], int] = distinct_token,
    ) -> None:
        self.length = length
        self.value = value
        self.token = token
        self.asks: list[Ask] = []

    def choose(self, strategy: Strategy) -> Choice:
        return self.play(strategy.plan())

    def play(self, plan: Work[T]) -> T:
        """Answers the asks of a plan until it returns."""
        answer: Any = None
        while True:
            try:
                ask = plan.send(answer)
            except StopIteration as done:
                result: T = done.value
                return result
            self.asks.append(ask)
            answer = self.answer(ask)

    def answer(self, ask: Ask) -> Any:
        match ask:
            case Start():
                return Beam((), ())
            case Branch():
                return branched_beams(ask)
            case Extend(beams, n_tokens):
                assert beams, "nothing to extend"
                assert not any(beam.finished for beam in beams), "a beam that ended grows no more"
                return tuple(self._extended(beam, n_tokens) for beam in beams)
            case Measure(beams, verifier, partial):
                assert len({beam.tokens for beam in beams}) == len(beams), "equal beams are measured once"
                values = [self.value(verifier, beam, partial) for beam in beams]
                return tuple(value if isinstance(value, Score) else Score(value) for value in values)

    def beam(self, *lineage: tuple[int, int], n: int | None = None) -> Beam:
        """The beam of a lineage at `n` tokens, or at its end."""
        return self._extended(Beam(lineage, ()), n)

    def measured(self, verifier: str, *, partial: bool = False) -> list[Beams]:
        """What was measured by a verifier, ask for ask."""
        return [
            ask.beams
            for ask in self.asks
            if isinstance(ask, Measure) and ask.verifier == verifier and ask.partial == partial
        ]

    def _extended(self, beam: Beam, n_tokens: int | None) -> Beam:
        end = self.length(beam.lineage)
        stop = end if n_tokens is None else min(end, len(beam.tokens) + n_tokens)
        new = tuple(
            self.token(tuple(fork for fork in beam.lineage if fork[0] <= position), position)
            for position in range(len(beam.tokens), stop)
        )
        return Beam(beam.lineage, beam.tokens + new, stop == end)


class WorldSession:
    """A `Session` over a world: what the driver of a request asks is answered at once."""

    def __init__(self, world: TreeWorld, longest: int = 1000) -> None:
        self.world = world
        self.longest = longest
        self.ledger = Ledger()
        self.closed = False

    def flops_of(self, n_tokens: int) -> float:
        return float(n_tokens)

    def answer(self, ask: Ask, until: float = math.inf) -> Future[Any]:
        self.world.asks.append(ask)
        answer = self.world.answer(ask)
        if isinstance(ask, Extend):
            grown = sum(len(new.tokens) - len(old.tokens) for old, new in zip(ask.beams, answer, strict=True))
            self.ledger.tokens_generated += grown
            self.ledger.add_flops("generator", float(grown))
        return done(answer)

    def judge(self, beams: Beams, spec: str) -> Future[list[Score]]:
        return done([Score(float(len(beam.tokens))) for beam in beams])

    def waveforms(self, beams: Beams) -> Future[list[Waveform]]:
        return done([np.full(320 * len(beam.tokens), 0.1, np.float32) for beam in beams])

    def close(self) -> None:
        self.closed = True


def done(value: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(value)
    return future


def searched(
    world: TreeWorld, strategy: Strategy, budget: Budget = NO_LIMIT, text: str = "Hi."
) -> SearchResult:
    """The result of one request, as the engine drives it."""
    session = WorldSession(world)
    judges = ("judge:nano",)
    directions = {**METRICS, "judge:nano": True}
    try:
        search = RequestSearch(
            Request(text),
            strategy,
            session,
            judges=judges,
            directions=directions,
            models={"preset": "fake"},
            budget=budget,
        )
        while (result := search.advance()) is None:
            pass
        return result
    finally:
        assert session.closed
