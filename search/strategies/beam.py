"""Beam search with a process reward (the paper's PRM, section 3.4): the verifier prunes while the beams grow."""

from dataclasses import dataclass
from typing import Any

from search.asks import Beams, Choice, Work, branch, start
from search.strategies.candidates import check_counts, check_measured, judged
from search.strategies.tree import grow
from verifiers.selection.parse import Selection


@dataclass(frozen=True, kw_only=True)
class BeamSearch:
    """Every `step` tokens (50 a second) the best `beams` survive, each continued `n` times.

    prm: ranks the partial utterances, by metrics that need not be among `verifiers`: those measure the candidates at
    the end, for `selection`. How ended and running beams compete, and when the search stops, is said in `search.strategies.tree`;
    the candidates are the beams that ended.

    With one beam and n=1 it is plain sampling. Raises UserError for a count below 1, or if the selection looks at a
    metric that none of the verifiers measures.
    """

    beams: int = 4
    n: int = 4
    step: int = 25
    prm: Selection
    verifiers: tuple[str, ...]
    selection: Selection
    name: str = "beam"

    def __post_init__(self) -> None:
        check_counts(self.name, beams=self.beams, n=self.n, step=self.step)
        check_measured(self.selection, self.verifiers)

    def plan(self) -> Work[Choice]:
        root = yield from start()
        beams = yield from branch((root,), self.beams * self.n)
        ended, _ = yield from grow([beams], keep=self.beams, copies=self.n, step=self.step, prm=self.prm)
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
