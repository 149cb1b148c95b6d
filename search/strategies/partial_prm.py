"""Partial PRM (the paper's best, section 3.4): a process reward for the first seconds, then an outcome reward.

A process reward to the end raises what it rewards and costs the rest: beams grow alike and words go wrong. The voice is
settled early, so beams are pruned only then; afterwards they run free and complete utterances are chosen among.
"""

import math
from dataclasses import dataclass
from typing import Any

from llasa_core.errors import UserError
from search.asks import Beams, Choice, Work, branch, extend, start
from search.strategies.candidates import check_counts, check_measured, judged
from search.strategies.tree import grow
from verifiers.selection.parse import Selection

TOKENS_PER_SECOND = 50


@dataclass(frozen=True, kw_only=True)
class PartialPRM:
    """Beam search by `prm` for the first `seconds`; then each of the surviving `beams` is continued `n` times to its end.

    seconds: as many whole steps of `step` tokens as fit in. With 0 it is best-of-N of `beams * n`, with infinity beam
    search, ask for ask. Beams that end before the switch stay candidates; what is decided about them is said in
    `search.strategies.tree`. verifiers, selection: measure and rank the complete candidates, as the paper does by another metric.

    Raises UserError for a count below 1, seconds below 0, or if the selection looks at a metric that none of the
    verifiers measures.
    """

    beams: int = 4
    n: int = 4
    step: int = 25
    seconds: float = 2.0
    prm: Selection
    verifiers: tuple[str, ...]
    selection: Selection
    name: str = "partial-prm"

    def __post_init__(self) -> None:
        check_counts(self.name, beams=self.beams, n=self.n, step=self.step)
        if not self.seconds >= 0:
            raise UserError(f"seconds={self.seconds:g} of {self.name}: has to be at least 0, such as 2")
        check_measured(self.selection, self.verifiers)

    @property
    def steps(self) -> float:
        """How many steps the process reward prunes for."""
        if math.isinf(self.seconds):
            return math.inf
        # 0.3 s are 15 tokens, whatever the last bit of the product says.
        return math.floor(self.seconds * TOKENS_PER_SECOND / self.step + 1e-9)

    def plan(self) -> Work[Choice]:
        root = yield from start()
        beams = yield from branch((root,), self.beams * self.n)
        ended, running = yield from grow(
            [beams], keep=self.beams, copies=self.n, step=self.step, prm=self.prm, steps=self.steps
        )
        if running:
            running = yield from extend(running)
        return (yield from self.conclude((*ended, *running)))

    def conclude(self, beams: Beams) -> Work[Choice]:
        return judged(beams, self.verifiers, self.selection)

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "beams": self.beams,
            "n": self.n,
            "step": self.step,
            # JSON has no infinity.
            "seconds": self.seconds if math.isfinite(self.seconds) else "inf",
            "prm": self.prm.spec,
            "select": self.selection.spec,
            "verifiers": list(self.verifiers),
        }
