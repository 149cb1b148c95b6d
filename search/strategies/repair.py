"""Rewind and repair: roll the winner back to where it was still right, and search again from there only.

Drawing whole utterances until all words are right pays again for every word that was right already. Where
an utterance goes wrong is found without knowing how the recogniser works: its beginnings, a step longer
each, are measured as partial utterances, for which a content verifier counts errors against the best prefix
of the text.
"""

from typing import Literal

from llasa_core.errors import UserError
from search.asks import Beam, Beams, Choice, Work, branch, extend, rewound
from search.strategies.base import Strategy, count, option, strategy, tokens
from search.strategies.candidates import Known, judged, measured
from verifiers.base import Score


@strategy("repair")
class Repair(Strategy):
    """The winner is rolled back to its first wrong word and continued from there.

    Continues the winner of `first` from before its first wrong word, `n` times in each of up to `rounds`
    rounds.

    content: the verifier that counts errors, 0 for none. A round takes the longest sound beginning of the
    winner, in steps of `step` tokens, goes back `margin` steps more, since a word is wrong before it is
    heard to be, and one more for every round since the last that improved the winner. The new candidates
    compete with all others by the selection.

    sound: which beginnings are: "strict", those such that neither they nor any shorter one have an error;
    or "longest", those without an error, also if a shorter one has some: audio that breaks off in a word is
    often misheard, and heard well once the word is whole. Beginnings that cannot be judged, being too short
    or silent, say nothing.

    It ends when the winner has no content error or meets all constraints of the selection, after `rounds`,
    or when its rounds have generated `budget` tokens: none begins after that (those of `first` do not
    count; None: no limit). Candidates are those of `first` and of all rounds.

    Raises UserError also if `content` is not among the verifiers.
    """

    first: Strategy = option("where the winner comes from: candidates, or a strategy", unless_given="4")
    n: int = count("continuations of each round", default=4)
    rounds: int = count("most rounds", default=4)
    budget: int | None = option("tokens after which no round begins", default=None, least=1)
    step: int = tokens("between the places it can be rolled back to")
    margin: int = option("steps that it goes back further", default=1, least=0)
    content: str = option("the verifier that finds wrong words", default="wer")
    sound: Literal["strict", "longest"] = option(
        "longest: a beginning heard without errors clears all shorter ones", default="strict"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.content not in self.verifiers:
            raise UserError(
                f"nothing measures {self.content}, by which {self.name} finds wrong words: "
                "add a verifier, or name another as content"
            )

    @property
    def most_candidates(self) -> int:
        return self.first.most_candidates + self.n * self.rounds

    def plan(self) -> Work[Choice]:
        choice = yield from self.first.plan()
        tokens = [beam.tokens for beam in choice.beams]
        known = {
            verifier: dict(zip(tokens, scores, strict=True)) for verifier, scores in choice.scores.items()
        }
        choice = yield from judged(choice.beams, self.verifiers, self.selection, known)
        heard: Known = {}
        spent = further = 0
        for _ in range(self.rounds):
            if self._passed(choice) or (self.budget is not None and spent >= self.budget):
                break
            winner = choice.beams[choice.ranking[0]]
            sound = yield from self._sound_steps(winner, heard)
            cut = self.step * max(0, sound - self.margin - further)
            new = yield from branch((rewound(winner, cut),), self.n, first=unused(choice.beams, cut))
            new = yield from extend(new)
            spent += sum(len(beam.tokens) - cut for beam in new)
            before = choice
            choice = yield from judged((*before.beams, *new), self.verifiers, self.selection, known)
            further = 0 if self._best(choice) != self._best(before) else further + 1
        return choice

    def _passed(self, choice: Choice) -> bool:
        content = choice.scores[self.content][choice.ranking[0]]
        constrained = bool(self.selection.constraints) and choice.satisfied
        return constrained or (content.usable and content.value == 0)

    def _sound_steps(self, winner: Beam, heard: Known) -> Work[int]:
        """How many steps the longest sound beginning of the winner has."""
        cuts = tuple(rewound(winner, length) for length in range(self.step, len(winner.tokens), self.step))
        scores = yield from measured(cuts, self.content, partial=True, known=heard)
        sound = 0
        for steps, score in enumerate(scores, start=1):
            if not score.usable:
                continue
            if score.value == 0:
                sound = steps
            elif self.sound == "strict":
                break
        return sound

    def _best(self, choice: Choice) -> list[tuple[bool, float]]:
        """What the winner was chosen for: an equally good one that comes first by lineage is no
        improvement."""
        scores: list[Score] = [choice.scores[m][choice.ranking[0]] for m in self.selection.metrics]
        return [(score.usable, score.value) for score in scores]


def unused(beams: Beams, position: int) -> int:
    """The first branch number after all that any of the beams was given there; 0 is the one that they went
    on with."""
    return 1 + max((n for beam in beams for at, n in beam.lineage if at == position), default=0)
