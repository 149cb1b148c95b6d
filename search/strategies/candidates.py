"""What strategies share at the end: candidates are measured, equal ones once, and ranked."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from llasa_core.errors import UserError
from search.asks import Beam, Beams, Choice, Work, measure
from search.bounds import MOST_CANDIDATES
from verifiers.base import Score
from verifiers.selection.parse import Selection

FEW_WORDS = 2
"""A text of so few words is misheard, or said wrongly, as a whole: nothing around it helps."""
Known: TypeAlias = dict[tuple[int, ...], Score]
"""By tokens: beams of the same tokens are the same audio, wherever they come from."""


def in_order(beams: Iterable[Beam]) -> Beams:
    """By lineage, so that ties, which go to the first, do not depend on when a beam was made."""
    return tuple(sorted(beams, key=lambda beam: (beam.lineage, len(beam.tokens))))


def measured(
    beams: Beams, verifier: str, *, partial: bool = False, known: Known | None = None
) -> Work[tuple[Score, ...]]:
    """One score for each beam; beams of the same tokens are measured once and share it.

    known: scores of this verifier at the same `partial`; its beams are not measured again, new ones are
    added.
    """
    known = {} if known is None else known
    new: dict[tuple[int, ...], Beam] = {}
    for beam in beams:
        if beam.tokens not in known:
            new.setdefault(beam.tokens, beam)
    if new:
        scores = yield from measure(tuple(new.values()), verifier, partial=partial)
        known.update(zip(new, scores, strict=True))
    return tuple(known[beam.tokens] for beam in beams)


def widened(n: int, wide: int, choice: Choice) -> int:
    """How many candidates a search of `n` is worth going on to: `wide` times as many where a text of one or
    two words has none that meets the constraints, otherwise `n`. One candidate alone is no search."""
    evidence = (score.evidence.get("words") for scores in choice.scores.values() for score in scores)
    words = max((count for count in evidence if isinstance(count, int)), default=0)
    if choice.satisfied or n == 1 or not 0 < words <= FEW_WORDS:
        return n
    return max(n, min(n * wide, MOST_CANDIDATES))


def judged(
    beams: Beams, verifiers: Sequence[str], selection: Selection, known: dict[str, Known] | None = None
) -> Work[Choice]:
    """The choice among complete beams, in lineage order: measured by all verifiers, ranked by the selection.

    Beams that a spent budget has cut are judged as what they are: utterances that break off.
    known: by verifier; what is there is not measured again, what is measured is added.
    Raises UserError if there are no beams.
    """
    if not beams:
        raise UserError("there is no candidate to choose from: allow the search more tokens or seconds")
    known = {} if known is None else known
    beams = in_order(beams)
    scores: dict[str, tuple[Score, ...]] = {}
    for verifier in verifiers:
        scores[verifier] = yield from measured(beams, verifier, known=known.setdefault(verifier, {}))
    ranking = selection.rank(scores)
    return Choice(beams, scores, ranking.order, ranking.satisfied)
