"""Diverse verifier tree search (Beeching, Tunstall and Rush 2024, "Scaling test-time compute with open
models").

Beam search lets the continuations of one good beam push all others out. Here the beams are independent
sub-trees, so as many different utterances reach the end. Reference: huggingface/search-and-learn,
`search/diverse_verifier_tree_search.py`.
"""

from search.asks import Choice, Work, branch, start
from search.strategies.base import Strategy, count, default_prm, option, strategy, tokens
from search.strategies.tree import grouped, grow
from verifiers.selection.parse import Selection


@strategy("dvts")
class DVTS(Strategy):
    """Beams as independent sub-trees, so that they stay different.

    Every `step` tokens each of `beams` sub-trees keeps its best beam, continued `n` times.

    Sub-trees compete only at the end: `selection` ranks what ended in all of them, measured by `verifiers`.
    Each stops by itself (`search.strategies.tree`, a group for each). `prm` ranks partial utterances, by
    metrics that need not be among `verifiers`.
    """

    beams: int = count("sub-trees, each with one beam", default=4)
    n: int = count("continuations of each", default=4)
    step: int = tokens("between prunings")
    prm: Selection = option("how partial utterances are ranked", unless_given=default_prm)

    @property
    def most_candidates(self) -> int:
        return self.beams * self.n

    def plan(self) -> Work[Choice]:
        root = yield from start()
        beams = yield from branch((root,), self.beams * self.n)
        sub_trees = grouped(beams, [self.n] * self.beams)
        ended, _ = yield from grow(sub_trees, keep=1, copies=self.n, step=self.step, prm=self.prm)
        return (yield from self.conclude(ended))
