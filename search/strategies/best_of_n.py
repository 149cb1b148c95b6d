"""Best-of-N: N complete candidates, the verifiers keep the best (the paper's ORM, section 3.4)."""

from search.asks import Beams, Choice, Work, branch, extend, start
from search.strategies.base import WIDE, Strategy, count, strategy
from search.strategies.candidates import Known, judged, widened


@strategy("best-of-n")
class BestOfN(Strategy):
    """Complete candidates, the best is kept (the paper's ORM).

    N candidates from the same prompt, each scored once by each verifier when complete.

    The first candidates of a larger N are those of a smaller one. A text of one or two words of which none of
    the N meets the constraints of the selection gets `wide` times N in all, the first N among them; N = 1
    stays 1.
    """

    n: int = count("candidates", default=16)
    wide: int = count(WIDE, default=4, most=64)

    @property
    def most_candidates(self) -> int:
        return self.n

    def plan(self) -> Work[Choice]:
        root = yield from start()
        beams: Beams = ()
        known: dict[str, Known] = {}
        size = self.n
        while True:
            new = yield from branch((root,), size - len(beams), first=len(beams))
            new = yield from extend(new)
            beams += new
            choice = yield from judged(beams, self.verifiers, self.selection, known)
            size = widened(self.n, self.wide, choice)
            if len(beams) >= size:
                return choice
