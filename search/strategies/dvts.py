"""Diverse verifier tree search (Beeching, Tunstall and Rush 2024, "Scaling test-time compute with open models").

Beam search lets the continuations of one good beam push all others out. Here the beams are independent sub-trees, so as
many different utterances reach the end. Reference: huggingface/search-and-learn, `search/diverse_verifier_tree_search.py`.
"""

from dataclasses import dataclass
from typing import Any

from search.asks import Beams, Choice, Work, branch, start
from search.strategies.candidates import check_counts, check_measured, judged
from search.strategies.tree import grouped, grow
from verifiers.selection.parse import Selection


@dataclass(frozen=True, kw_only=True)
class DVTS:
    """Every `step` tokens each of `beams` sub-trees keeps its best beam, continued `n` times.

    Sub-trees compete only at the end: `selection` ranks what ended in all of them, measured by `verifiers`. Each stops by
    itself (`search.strategies.tree`, a group for each). `prm` ranks partial utterances, by metrics that need not be among `verifiers`.

    Raises UserError for a count below 1, or if the selection looks at a metric that none of the verifiers measures.
    """

    beams: int = 4
    n: int = 4
    step: int = 25
    prm: Selection
    verifiers: tuple[str, ...]
    selection: Selection
    name: str = "dvts"

    def __post_init__(self) -> None:
        check_counts(self.name, beams=self.beams, n=self.n, step=self.step)
        check_measured(self.selection, self.verifiers)

    def plan(self) -> Work[Choice]:
        root = yield from start()
        beams = yield from branch((root,), self.beams * self.n)
        sub_trees = grouped(beams, [self.n] * self.beams)
        ended, _ = yield from grow(sub_trees, keep=1, copies=self.n, step=self.step, prm=self.prm)
        return (yield from self.conclude(ended))

    def conclude(self, beams: Beams) -> Work[Choice]:
        return judged(beams, self.verifiers, self.selection)

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "beams": self.beams,
            "n": self.n,
            "step": self.step,
            "prm": self.prm.spec,
            "select": self.selection.spec,
            "verifiers": list(self.verifiers),
        }
