"""Draw until passed: most utterances are good at the first try, so candidates are drawn until one is."""

from llasa_core.errors import UserError
from search.asks import Beams, Choice, Work, branch, extend, start
from search.strategies.base import WIDE, Strategy, count, strategy
from search.strategies.candidates import Known, judged, widened


@strategy("adaptive")
class Adaptive(Strategy):
    """Candidates are drawn until one meets the constraints.

    Best-of-N in rounds of `first`, twice, four times as many candidates, up to `n` in all.

    It stops after the round in which a candidate meets all constraints of the selection; of that round all
    compete, so the best of them wins. Candidates are those of best-of-N, in its order: if none ever passes,
    the result is that of best-of-N of `n`, also for texts of one or two words, which get up to `wide` times
    `n`. Larger first rounds cost tokens, smaller ones time.

    Raises UserError also for a selection without constraints: nothing could pass.
    """

    n: int = count("most candidates", default=16)
    first: int = count("candidates of the first round, doubled in each", default=1)
    wide: int = count(WIDE, default=4, most=64)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.selection.constraints:
            raise UserError(
                f"{self.name} draws until a constraint is met, and {self.selection.spec!r} has none: "
                "add one, as in 'wer<=0,sim'"
            )

    @property
    def most_candidates(self) -> int:
        return self.n

    def plan(self) -> Work[Choice]:
        root = yield from start()
        beams: Beams = ()
        known: dict[str, Known] = {}
        size, most = self.first, self.n
        while True:
            new = yield from branch((root,), min(size, most - len(beams)), first=len(beams))
            new = yield from extend(new)
            beams += new
            choice = yield from judged(beams, self.verifiers, self.selection, known)
            most = widened(self.n, self.wide, choice)
            if choice.satisfied or len(beams) >= most:
                return choice
            size *= 2
