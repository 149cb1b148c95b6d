"""What strategies share at the end: candidates are measured, equal ones once, and ranked."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from llasa_core.errors import UserError
from search.asks import Beam, Beams, Choice, Work, measure
from search.bounds import MOST_CANDIDATES
from verifiers.base import Score
from verifiers.selection.cascade import Cascade, not_asked
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
        if _unknown(beam, known):
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

    With a cascade, verifiers that are no stage of it are asked about the beams only that its stages let
    through. While none of those asked about meets the constraints, the stages are gone through again with the
    beams that are left, as these cost less than new ones.

    Beams that a spent budget has cut are judged as what they are: utterances that break off.
    known: by verifier; what is there is not measured again, what is measured is added, and what was dropped.
    Beams that were dropped before are left out again if none is new and the choice is satisfied.
    Raises UserError if there are no beams.
    """
    if not beams:
        raise UserError("there is no candidate to choose from: allow the search more tokens or seconds")
    known = {} if known is None else known
    for verifier in verifiers:
        known.setdefault(verifier, {})
    cascade = selection if isinstance(selection, Cascade) else Cascade((), selection)
    stages = [stage.metric for stage in cascade.stages]
    dear = [verifier for verifier in verifiers if verifier not in stages]
    beams = in_order(beams)
    rest = [beam for beam in _distinct(beams) if any(_unknown(beam, known[verifier]) for verifier in dear)]
    new = any(beam.tokens not in known[verifier] for beam in rest for verifier in dear)
    rooms = cascade.rooms(len(rest))
    while True:
        choice = None if new else _ranked(beams, verifiers, cascade, known)
        if choice is not None and (choice.satisfied or not rest):
            return choice
        new, asked = False, tuple(rest)
        for stage, room in zip(cascade.stages, rooms, strict=True):
            scores = yield from measured(asked, stage.metric, known=known[stage.metric])
            kept = stage.best(scores, room)
            for i in set(range(len(asked))).difference(kept):
                _drop(asked[i], verifiers, stage.metric, known)
            asked = tuple(asked[i] for i in kept)
        for verifier in dear:
            yield from measured(asked, verifier, known=known[verifier])
        done = {beam.tokens for beam in asked}
        rest = [beam for beam in rest if beam.tokens not in done]


def _distinct(beams: Beams) -> Beams:
    """The first of those with the same tokens."""
    first: dict[tuple[int, ...], Beam] = {}
    for beam in beams:
        first.setdefault(beam.tokens, beam)
    return tuple(first.values())


def _unknown(beam: Beam, known: Known) -> bool:
    score = known.get(beam.tokens)
    return score is None or bool(score.dropped)


def _drop(beam: Beam, verifiers: Sequence[str], metric: str, known: dict[str, Known]) -> None:
    """Notes of all verifiers that were not asked about the beam that the stage of this metric dropped it."""
    for verifier in verifiers:
        if _unknown(beam, known[verifier]):
            known[verifier][beam.tokens] = not_asked(metric)


def _ranked(
    beams: Beams, verifiers: Sequence[str], selection: Selection, known: Mapping[str, Known]
) -> Choice:
    scores = {name: tuple(known[name][beam.tokens] for beam in beams) for name in verifiers}
    ranking = selection.rank(scores)
    return Choice(beams, scores, ranking.order, ranking.satisfied)
