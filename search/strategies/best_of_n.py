"""Best-of-N: N complete candidates, the verifiers keep the best (the paper's ORM, section 3.4)."""

from search.asks import Choice, Work, branch, extend, start
from search.strategies.base import Strategy, count, strategy


@strategy("best-of-n")
class BestOfN(Strategy):
    """Complete candidates, the best is kept (the paper's ORM).

    N candidates from the same prompt, each scored once by each verifier when complete.

    The first candidates of a larger N are those of a smaller one.
    """

    n: int = count("candidates", default=16)

    @property
    def most_candidates(self) -> int:
        return self.n

    def plan(self) -> Work[Choice]:
        root = yield from start()
        beams = yield from branch((root,), self.n)
        beams = yield from extend(beams)
        return (yield from self.conclude(beams))
