"""Partial PRM (the paper's best, section 3.4): a process reward for the first seconds, then an outcome
reward.

A process reward to the end raises what it rewards and costs the rest: beams grow alike and words go wrong.
The voice is settled early, so beams are pruned only then; afterwards they run free and complete utterances
are chosen among.
"""

import math

from llasa_core.audio import CODES_PER_SECOND
from llasa_core.prompt import CONTEXT_TOKENS
from search.asks import Choice, Work, branch, extend, start
from search.strategies.base import Strategy, count, default_prm, option, strategy, tokens
from search.strategies.tree import grow
from verifiers.selection.parse import Selection


@strategy("partial-prm")
class PartialPRM(Strategy):
    """Beam search for the first seconds, then free to the end, then the best (the paper's best).

    Beam search by `prm` for the first `seconds`; then each of the surviving `beams` is continued `n` times
    to its end.

    seconds: as many whole steps of `step` tokens as fit in. With 0 it is best-of-N of `beams * n`, with
    infinity beam search, ask for ask. Beams that end before the switch stay candidates; what is decided
    about them is said in `search.strategies.tree`. verifiers, selection: measure and rank the complete
    candidates, as the paper does by another metric.
    """

    beams: int = count("beams that survive each pruning", default=4)
    n: int = count("continuations of each", default=4)
    step: int = tokens("between prunings")
    seconds: float = option("how long beams are pruned; inf: to the end", default=2.0, least=0, most=math.inf)
    prm: Selection = option("how partial utterances are ranked", unless_given=default_prm)

    @property
    def most_candidates(self) -> int:
        return self.beams * self.n

    @property
    def steps(self) -> float:
        """How many steps the process reward prunes for."""
        if self.seconds > CONTEXT_TOKENS:
            return math.inf  # longer than any candidate
        # 0.3 s are 15 tokens, whatever the last bit of the product says.
        return math.floor(self.seconds * CODES_PER_SECOND / self.step + 1e-9)

    def plan(self) -> Work[Choice]:
        root = yield from start()
        beams = yield from branch((root,), self.beams * self.n)
        ended, running = yield from grow(
            [beams], keep=self.beams, copies=self.n, step=self.step, prm=self.prm, steps=self.steps
        )
        if running:
            running = yield from extend(running)
        return (yield from self.conclude((*ended, *running)))
