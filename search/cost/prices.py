"""What work will probably cost, by what the same work has cost this request before.

Nothing here is counted: the ledger counts. A price only decides whether something is begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from search.cost.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Cost:
    """Floating-point operations, and seconds."""

    flops: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.flops + other.flops, self.seconds + other.seconds)

    def __mul__(self, factor: float) -> Cost:
        return Cost(self.flops * factor, self.seconds * factor)

    @classmethod
    def between(cls, before: Ledger, after: Ledger, seconds: float) -> Self:
        return cls(sum(after.flops.values()) - sum(before.flops.values()), seconds)


class Prices:
    """Filled by `measured` and `extended` after each piece of work."""

    def __init__(self) -> None:
        self._measures: dict[tuple[str, bool], tuple[Cost, int]] = {}
        self._step = 0.0
        self._beams = 1
        self._surplus = 1.0

    def measured(self, verifier: str, *, partial: bool, count: int, tokens: int, cost: Cost) -> None:
        """A verifier, and the codec before it, took this for so many beams, the longest of so many tokens."""
        self._measures[verifier, partial] = cost * (1 / count), max(tokens, 1)

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
        """In proportion to the beams, and to their length where they are longer than those that were
        measured. Before complete ones were, by what partial ones cost; nothing if neither is known."""
        known = self._measures.get((verifier, partial)) or self._measures.get((verifier, True))
        each, longest = known or (Cost(), 1)
        return each * (count * max(1.0, tokens / longest))

    def of_extending(self, count: int, steps: int, predicted: float) -> Cost:
        """So many beams side by side: a step takes as long as it last did, in proportion longer if there are
        more."""
        return Cost(predicted * self._surplus, self._step * steps * max(1.0, count / self._beams))
