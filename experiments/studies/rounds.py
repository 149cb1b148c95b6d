"""Best-of-N in rounds, so that one run tells what every smaller one would have chosen, and what it would have
cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from search.asks import Beams, Choice, Work, branch, extend, start
from search.cost.ledger import Ledger
from search.results.trace import Step
from search.strategies.base import Strategy, option, strategy
from search.strategies.candidates import Known, judged, measured


@strategy("best-of-n in rounds")
class Rounds(Strategy):
    """The candidates of best-of-N: after each round there are as many as `sizes` says.

    A round is drawn and measured before the next one, so what was spent by its end is what a search of that
    size spends. Sizes are 1, 2, 4, ... whatever is asked for, with the sizes of the grid between them: then a
    smaller N runs the same rounds. It is no strategy of the registry: tokens, scores and winner are those of
    best-of-N.
    """

    sizes: tuple[int, ...] = option("candidates by the end of each round", default=(1,))

    @property
    def most_candidates(self) -> int:
        return self.sizes[-1]

    def plan(self) -> Work[Choice]:
        root = yield from start()
        beams: Beams = ()
        known: dict[str, Known] = {verifier: {} for verifier in self.verifiers}
        for before, size in pairwise((0, *self.sizes)):
            new = yield from branch((root,), size - before, first=before)
            new = yield from extend(new)
            for verifier in self.verifiers:
                yield from measured(new, verifier, known=known[verifier])
            beams += new
        return (yield from judged(beams, self.verifiers, self.selection, known))


def sizes(most: int, wanted: Iterable[int] = ()) -> tuple[int, ...]:
    """1, 2, 4, ... up to `most`, with the wanted ones between them."""
    doubled = {1 << power for power in range(most.bit_length()) if 1 << power <= most}
    return tuple(sorted({*doubled, *(size for size in wanted if size <= most), most}))


def spent(trace: Sequence[Step], rounds: Sequence[int]) -> dict[int, Ledger]:
    """What the search had spent when each round was measured, by its number of candidates."""
    found: dict[int, Ledger] = {}
    count = 0
    for step in trace:
        if step.ask == "extend":
            count += step.beams
        if count in rounds:
            found[count] = step.spent
    return found
