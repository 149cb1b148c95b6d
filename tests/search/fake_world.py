"""A world for strategies, in a few lines: tokens are numbers, scores are a function of the beam."""

from collections.abc import Callable
from typing import Any

import numpy as np

from llasa_core.audio import Waveform
from search.ledger import Ledger
from search.strategy import (
    Ask,
    Beam,
    Beams,
    Branch,
    Choice,
    Extend,
    Measure,
    Start,
    Strategy,
    branched_beams,
)
from verifiers.base import Score, Verifier


class FakeRollout:
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


def branch_of(beam: Beam) -> int:
    return beam.lineage[-1][1] if beam.lineage else 0


def carry_out(strategy: Strategy, world: FakeRollout) -> tuple[Choice, list[Ask]]:
    """The choice of one plan whose asks the world answers, and those asks."""
    plan = strategy.plan()
    answer: Any = None
    while True:
        try:
            ask = plan.send(answer)
        except StopIteration as done:
            return done.value, world.asks
        answer = world.answer(ask)
