"""Best-of-N: N complete candidates, the verifiers keep the best (the paper's ORM, section 3.4)."""

from dataclasses import dataclass
from typing import Any

from llasa_core.errors import UserError
from search.asks import Beams, Choice, Work, branch, extend, start
from search.strategies.candidates import check_measured, judged
from verifiers.selection.parse import Selection


@dataclass(frozen=True)
class BestOfN:
    """N candidates from the same prompt, each scored once by each verifier when complete.

    The first candidates of a larger N are those of a smaller one. Raises UserError for n < 1, or if the selection looks at a
    metric that none of the verifiers (by name) measures.
    """

    n: int
    verifiers: tuple[str, ...]
    selection: Selection
    name: str = "best-of-n"

    def __post_init__(self) -> None:
        if self.n < 1:
            raise UserError(f"{self.n} candidates asked for: the number of candidates has to be at least 1")
        check_measured(self.selection, self.verifiers)

    def plan(self) -> Work[Choice]:
        root = yield from start()
        beams = yield from branch((root,), self.n)
        beams = yield from extend(beams)
        return (yield from self.conclude(beams))

    def conclude(self, beams: Beams) -> Work[Choice]:
        return judged(beams, self.verifiers, self.selection)

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "n": self.n,
            "select": self.selection.spec,
            "verifiers": list(self.verifiers),
        }
