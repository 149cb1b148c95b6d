"""What an ear heard, word by word, from the evidence of a recogniser."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from experiments.narration.takes import Doubt, Heard, Word
from search.results.candidate import Candidate
from verifiers.base import Score


def heard_by(score: Score, spec: str, family: str) -> Heard:
    """spec, family: of the ear that gave the score."""
    evidence = score.evidence
    counts = ("substitutions", "deletions", "insertions")
    return Heard(
        ear=spec,
        family=family,
        transcript=str(evidence.get("transcript", "")),
        errors=sum(int(evidence.get(name, 0)) for name in counts),
        words=int(evidence.get("words", 0)),
        alignment=_timed(alignment(evidence), evidence),
        usable=score.usable,
        reason=score.reason,
    )


def alignment(evidence: Mapping[str, Any]) -> list[Word]:
    """Each word of the text and each that was heard too much, in order, by the evidence of a recogniser."""
    reference = str(evidence.get("reference", "")).split()
    wrong: dict[int, list[tuple[str, str]]] = {}
    for position, expected in evidence.get("missed", ()):
        wrong.setdefault(int(position), []).append((expected, ""))
    for position, heard in evidence.get("added", ()):
        wrong.setdefault(int(position), []).insert(0, ("", heard))
    for position, expected, heard in evidence.get("changed", ()):
        wrong.setdefault(int(position), []).append((expected, heard))
    found: list[Word] = []
    position = 0
    while position < len(reference) or wrong:
        steps = wrong.pop(position, [])
        for expected, heard in steps:
            kind = "inserted" if not expected else "missing" if not heard else "substituted"
            found.append(Word.model_validate({"kind": kind, "expected": expected, "heard": heard}))
        taken = sum(len(expected.split()) for expected, _ in steps)
        if position >= len(reference):
            if wrong and min(wrong) <= position:  # evidence of another package
                break
            position = min(wrong, default=position)
            continue
        if not taken:
            found.append(Word(kind="equal", expected=reference[position], heard=reference[position]))
        position += max(taken, 1)
    return found


def _timed(words: list[Word], evidence: Mapping[str, Any]) -> list[Word]:
    """The words with their times, by an ear that says when it heard what (`heard_at`)."""
    times = list(evidence.get("heard_at", ()))
    if len(times) != sum(len(word.heard.split()) for word in words):
        return words
    found = []
    for word in words:
        own = [times.pop(0) for _ in word.heard.split()]
        places = {"begins": float(own[0][1]), "ends": float(own[-1][2])} if own else {}
        found.append(word.model_copy(update=places))
    return found


def word_doubts(heard: Heard) -> Iterable[Doubt]:
    """One for each stretch of words that are not as the text has them."""
    if not heard.usable:
        yield Doubt(kind="unheard", says=f"{heard.ear} cannot judge it: {heard.reason}.", ear=heard.ear)
        return
    for equal, words in groupby(heard.alignment, lambda word: word.kind == "equal"):
        if equal:
            continue
        stretch = list(words)
        expected, other = (
            " ".join(filter(None, texts))
            for texts in ([word.expected for word in stretch], [word.heard for word in stretch])
        )
        says = f"{heard.ear} heard {other!r} for {expected!r}."
        if not other:
            says = f"{heard.ear} did not hear {expected!r}."
        elif not expected:
            says = f"{heard.ear} heard {other!r}, which is not in the text."
        yield Doubt(kind="word", says=says, ear=heard.ear, at=stretch[0].begins, word=expected or None)


def never_heard(candidates: Iterable[Candidate], metrics: Sequence[str]) -> tuple[str, ...]:
    """The words of the text, as they are compared, that were wrong for every ear in every candidate."""
    reference: list[str] = []
    never: set[int] | None = None
    for candidate in candidates:
        for metric in metrics:
            score = candidate.scores[metric]
            if score.dropped or not score.usable or "reference" not in score.evidence:
                continue
            reference = str(score.evidence["reference"]).split()
            wrong = _wrong_positions(score.evidence)
            never = wrong if never is None else never & wrong
    return tuple(reference[position] for position in sorted(never or ()) if position < len(reference))


def _wrong_positions(evidence: Mapping[str, Any]) -> set[int]:
    places = [(int(at), words) for at, words in evidence["missed"]]
    places += [(int(at), words) for at, words, _ in evidence["changed"]]
    return {at + number for at, words in places for number in range(len(words.split()))}
