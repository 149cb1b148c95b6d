"""What was heard beside what should have been said, word by word."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verifiers.base import Score


@dataclass(frozen=True, slots=True)
class Word:
    """A stretch of the text and what was heard instead. kind: "right", "changed", "missed" or "added"."""

    kind: str
    expected: str
    heard: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """What one recogniser (by name or spec) heard; `errors` of `total` words. equivalent: what it heard
    otherwise than it is spelled and that is no error, its kind the name of the equivalence."""

    by: str
    words: tuple[Word, ...]
    errors: int
    total: int
    equivalent: tuple[Word, ...] = ()


def transcripts(scores: Mapping[str, Score], role: str) -> list[Transcript]:
    """Those of all scores whose evidence has an alignment with the text (`WordErrors.evidence`). role stands
    before each name.
    """
    return [
        Transcript(
            role + name,
            tuple(marked(score.evidence)),
            sum(int(score.evidence.get(count, 0)) for count in ("substitutions", "deletions", "insertions")),
            len(str(score.evidence["reference"]).split()),
            tuple(
                Word(name, expected, heard)
                for _, expected, heard, name in score.evidence.get("equivalent", ())
            ),
        )
        for name, score in scores.items()
        if score.usable and {"reference", "missed", "added", "changed"} <= score.evidence.keys()
    ]


def marked(evidence: Mapping[str, Any]) -> list[Word]:
    """The reference with all differences in their places; right words that follow each other are one
    stretch.
    """
    reference = str(evidence["reference"]).split()
    differences = [
        *((position, Word("added", "", heard)) for position, heard in evidence["added"]),
        *((position, Word("missed", expected, "")) for position, expected in evidence["missed"]),
        *((position, Word("changed", expected, heard)) for position, expected, heard in evidence["changed"]),
    ]
    found: list[Word] = []
    place = 0
    # At one position what was added stands first: it was heard before the word there.
    for position, word in sorted(differences, key=lambda item: (item[0], item[1].kind != "added")):
        if place < position:
            found.append(Word("right", " ".join(reference[place:position]), ""))
        found.append(word)
        place = max(place, position + len(word.expected.split()))
    if place < len(reference):
        found.append(Word("right", " ".join(reference[place:]), ""))
    return found
