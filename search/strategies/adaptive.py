"""Draw until passed: most utterances are good at the first try, so candidates are drawn until one is."""

from dataclasses import dataclass
from typing import Any

from llasa_core.errors import UserError
from search.asks import Beams, Choice, Work, branch, extend, start
from search.strategies.candidates import Known, check_counts, check_measured, judged
from verifiers.selection.parse import ConstraintFirst, Selection


@dataclass(frozen=True, kw_only=True)
class Adaptive:
    """Best-of-N in rounds of `first`, twice, four times as many candidates, up to `n` in all.

    It stops after the round in which a candidate meets all constraints of the selection; of that round all compete, so
    the best of them wins. Candidates are those of best-of-N, in its order: if none ever passes, the result is that of
    best-of-N of `n`. Larger first rounds cost tokens, smaller ones time.

    Raises UserError for a count below 1, a selection without constraints (nothing could pass), or one that looks at a
    metric that none of the verifiers measures.
    """

    n: int = 16
    first: int = 1
    verifiers: tuple[str, ...]
    selection: Selection
    name: str = "adaptive"

    def __post_init__(self) -> None:
        check_counts(self.name, n=self.n, first=self.first)
        if not isinstance(self.selection, ConstraintFirst):
            raise UserError(
                f"{self.name} draws until a constraint is met, and {self.selection.spec!r} has none: "
                "add one, as in 'wer<=0,sim'"
            )
        check_measured(self.selection, self.verifiers)

    def plan(self) -> Work[Choice]:
        root = yield from start()
        beams: Beams = ()
        known: dict[str, Known] = {}
        size = self.first
        while True:
            new = yield from branch((root,), min(size, self.n - len(beams)), first=len(beams))
            new = yield from extend(new)
            beams += new
            choice = yield from judged(beams, self.verifiers, self.selection, known)
            if choice.satisfied or len(beams) == self.n:
                return choice
            size *= 2

    def conclude(self, beams: Beams) -> Work[Choice]:
        return judged(beams, self.verifiers, self.selection)

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "n": self.n,
            "first": self.first,
            "select": self.selection.spec,
            "verifiers": list(self.verifiers),
        }
