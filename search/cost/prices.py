"""What work will probably cost, by what the same work has cost this request before.

Nothing here is counted: the ledger counts. A price only decides whether something is begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from search.cost.ledger import Ledger

CODEC = "codec"
"""Its part in the ledger."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Floating-point operations, and seconds."""

    flops: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.flops + other.flops, self.seconds + other.seconds)

    def __mul__(self, factor: float) -> Cost:
        return Cost(self.flops * factor, self.seconds * factor)

    def __sub__(self, other: Cost) -> Cost:
        return self + other * -1.0

    @classmethod
    def of(cls, before: Ledger, after: Ledger, seconds: float) -> Self:
        """All that was counted between two states of a ledger."""
        return cls(sum(after.flops.values()) - sum(before.flops.values()), seconds)

    @classmethod
    def of_codec(cls, before: Ledger, after: Ledger) -> Self:
        """The codec's part of it."""
        flops, seconds = ((after.flops, before.flops), (after.wall, before.wall))
        return cls(*(new.get(CODEC, 0.0) - old.get(CODEC, 0.0) for new, old in (flops, seconds)))


@dataclass(frozen=True, slots=True)
class Price:
    """Of a beam of so many tokens."""

    each: Cost
    tokens: int

    def times(self, count: int, tokens: int) -> Cost:
        """In proportion to the beams, and to their length where they are longer; of seconds, much of which is
        the call itself, at most twice as many."""
        longer = max(1.0, tokens / self.tokens)
        return Cost(self.each.flops * count * longer, self.each.seconds * count * min(2.0, longer))

    def seen(self, each: Cost, tokens: int) -> Price:
        """The most operations that a beam has cost: silence is refused and costs next to nothing. Of seconds
        the last, as a model's first call takes longer than any other."""
        return Price(Cost(max(each.flops, self.each.flops), each.seconds), max(tokens, 1))


FREE = Price(Cost(), 1)


class Prices:
    """Filled by `measured`, `decoded` and `extended` after each piece of work."""

    def __init__(self) -> None:
        self._measures: dict[tuple[str, bool], Price] = {}
        self._codec = FREE
        self._step = 0.0
        self._beams = 1
        self._surplus = 1.0

    def measured(self, verifier: str, *, partial: bool, count: int, tokens: int, cost: Cost) -> None:
        """A verifier took this for so many beams, the longest of so many tokens, without the codec."""
        key = verifier, partial
        self._measures[key] = self._measures.get(key, FREE).seen(cost * (1 / count), tokens)

    def decoded(self, count: int, tokens: int, cost: Cost) -> None:
        """The codec took this for so many beams."""
        self._codec = self._codec.seen(cost * (1 / count), tokens)

    def extended(self, count: int, steps: int, predicted: float, cost: Cost) -> None:
        """The generator took this for so many beams side by side and so many steps. predicted: its operations
        by its shape, which leaves out how far each token looks back into the prompt."""
        if steps:
            self._step, self._beams = cost.seconds / steps, count
        if predicted:
            self._surplus = max(1.0, cost.flops / predicted)

    def knows(self, verifier: str, *, partial: bool) -> bool:
        return (verifier, partial) in self._measures

    def of_measuring(self, verifier: str, *, partial: bool, count: int, tokens: int) -> Cost:
        """Before complete beams were measured, by what partial ones cost; nothing if neither is known."""
        known = self._measures.get((verifier, partial)) or self._measures.get((verifier, True), FREE)
        return known.times(count, tokens)

    def of_decoding(self, count: int, tokens: int) -> Cost:
        return self._codec.times(count, tokens)

    def of_extending(self, count: int, steps: int, predicted: float) -> Cost:
        """So many beams side by side: a step takes as long as it last did, in proportion longer if there are
        more."""
        return Cost(predicted * self._surplus, self._step * steps * max(1.0, count / self._beams))
