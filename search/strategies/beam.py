"""Beam search with a process reward (the paper's PRM, section 3.4): the verifier prunes while the beams
grow."""

from search.asks import Choice, Work, branch, start
from search.strategies.base import Strategy, count, default_prm, option, strategy, tokens
from search.strategies.tree import grow
from verifiers.selection.parse import Selection


@strategy("beam")
class BeamSearch(Strategy):
    """A verifier prunes while beams grow (the paper's PRM).

    Every `step` tokens (50 a second) the best `beams` survive, each continued `n` times.

    prm: ranks the partial utterances, by metrics that need not be among `verifiers`: those measure the
    candidates at the end, for `selection`. How ended and running beams compete, and when the search stops,
    is said in `search.strategies.tree`; the candidates are the beams that ended.

    With one beam and n=1 it is plain sampling.
    """

    beams: int = count("beams that survive each pruning", default=4)
    n: int = count("continuations of each", default=4)
    step: int = tokens("between prunings")
    prm: Selection = option("how partial utterances are ranked", unless_given=default_prm)

    @property
    def most_candidates(self) -> int:
        return self.beams * self.n

    def plan(self) -> Work[Choice]:
        root = yield from start()
        beams = yield from branch((root,), self.beams * self.n)
        ended, _ = yield from grow([beams], keep=self.beams, copies=self.n, step=self.step, prm=self.prm)
        return (yield from self.conclude(ended))
