"""Who says what stands in quotation marks: the character that the words around the quotation name."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice

import regex

from experiments.narration.book import Book, Chapter, Paragraph, letters
from experiments.narration.speech_tags import Quotation, Tag, Unknown, quotations, tags
from experiments.narration.voices import NARRATOR, QUOTES

_INTRODUCES = regex.compile(r"\s*[,:：，]?\s*")
_ANSWERS = regex.compile(r"\s*[,，—–-]?\s*")
"""Between a tag and the quotation behind it, and between a quotation and the tag behind it."""
_COLON = regex.compile(r"\s*[:：]")
_SMALL = regex.compile(r"\P{L}*\p{Ll}")
"""“the room” is no speech by itself."""


def with_speakers(book: Book, names: Sequence[str]) -> Book:
    """The book with its quotations spoken by the characters that are named beside a verb of speech ("said
    Alice", "Alice replied"), and by `QUOTES` where that is among the names and nobody else is found.

    A quotation is said by whom the nearest such words of its own sentence name; "he said", and no words at
    all, mean who spoke before in the paragraph, and no words at its begin who speaks next. A speech that goes
    on in the next paragraph keeps its speaker.

    names: the entries of voices.yaml. Paragraphs that have a speaker, and headings, stay as they are. Every
    word stays, in its order.
    """
    chapters = tuple(_chapter(chapter, names) for chapter in book.chapters)
    return replace(book, chapters=chapters)


@dataclass(frozen=True, slots=True)
class _Speech:
    """Who said the last quotation, and its mark if it is open."""

    speaker: str | None = None
    mark: str = ""


def _chapter(chapter: Chapter, names: Sequence[str]) -> Chapter:
    printed: list[list[Paragraph]] = []
    for paragraph in chapter.paragraphs:
        mine = paragraph.speaker is None and not paragraph.heading
        if paragraph.continues and printed and mine and printed[-1][0].speaker is None:
            printed[-1].append(paragraph)
        else:
            printed.append([paragraph])
    found: list[Paragraph] = []
    speech = _Speech()
    for number, parts in enumerate(printed):
        if parts[0].speaker or parts[0].heading:
            found += parts
            speech = _Speech()
        else:
            following = next((one[0].sentences[0] for one in printed[number + 1 : number + 2]), "")
            split, speech = _split(parts, names, speech, following)
            found += split
    return replace(chapter, paragraphs=tuple(found))


def _split(
    printed: Sequence[Paragraph], names: Sequence[str], before: _Speech, following: str
) -> tuple[list[Paragraph], _Speech]:
    """Runs of one speaker, and who said the last quotation. printed: what stands in one printed paragraph.
    before: the quotation before it. following: how the text behind it begins."""
    sentences = [sentence for paragraph in printed for sentence in paragraph.sentences]
    text = " ".join(sentences)
    ends = list(accumulate(len(sentence) + 1 for sentence in sentences))
    quoted = quotations(text, following)
    if not quoted:
        return list(printed), _Speech()
    characters = [one for one in names if one.casefold() not in (NARRATOR, QUOTES)]
    goes_on = before.mark != "" and text.startswith(before.mark)
    known = _speakers(
        text, quoted, tags(text, quoted, ends, characters), ends, before.speaker if goes_on else None
    )
    rest = QUOTES if QUOTES in names else None
    spoken = [(one, who or rest) for one, who in zip(quoted, known, strict=True) if who or rest]
    last = _Speech(known[-1], text[quoted[-1].start]) if quoted[-1].open else _Speech()
    found: list[Paragraph] = []
    place = 0
    for paragraph in printed:
        runs: list[tuple[str | None, list[str]]] = []
        for sentence in paragraph.sentences:
            _cut(sentence, place, spoken, runs)
            place += len(sentence) + 1
        if all(speaker is None for speaker, _ in runs):
            found.append(paragraph)
            continue
        for number, (speaker, parts) in enumerate(runs):
            found.append(
                replace(
                    paragraph,
                    sentences=tuple(parts),
                    speaker=speaker,
                    section=paragraph.section and not number,
                    continues=paragraph.continues or bool(number),
                )
            )
    return found, last


def _cut(
    sentence: str,
    place: int,
    spoken: Sequence[tuple[Quotation, str | None]],
    runs: list[tuple[str | None, list[str]]],
) -> None:
    """Puts the sentence, which stands at this place of its text, into the runs of one speaker. A part without
    a letter or digit stays with what is before it, or behind it at the begin."""
    for speaker, part in _parts(sentence, place, spoken):
        if runs and not letters(part):
            runs[-1][1][-1] += part
        elif len(runs) == 1 and not letters("".join(runs[0][1])):
            runs[0] = (speaker, ["".join(runs[0][1]) + part])
        elif runs and runs[-1][0] == speaker:
            runs[-1][1].append(part)
        else:
            runs.append((speaker, [part]))


def _parts(
    sentence: str, place: int, spoken: Sequence[tuple[Quotation, str | None]]
) -> Iterator[tuple[str | None, str]]:
    """Stretches with their speakers."""
    at = 0
    first = bisect_right(spoken, place, key=lambda pair: pair[0].end)
    for one, speaker in islice(spoken, first, None):
        start, end = max(one.start - place, at), min(one.end - place, len(sentence))
        if start >= end:
            break
        if told := sentence[at:start].strip():
            yield None, told
        yield speaker, sentence[start:end].strip()
        at = end
    if told := sentence[at:].strip():
        yield None, told


def _speakers(
    text: str, quoted: Sequence[Quotation], found: Sequence[Tag], ends: Sequence[int], before: str | None
) -> list[str | None]:
    """Of each quotation. before: who speaks at the begin, if a speech goes on there."""
    said = [_tag(text, one, found, ends) for one in quoted]
    first = next((one for one in said if one is not None), None)
    last = before or (first if isinstance(first, str) else None)
    known: list[str | None] = []
    for number, (one, who) in enumerate(zip(quoted, said, strict=True)):
        if who is None and _SMALL.match(text, one.start, one.end) and not (before and number == 0):
            known.append(None)
            continue
        if who is not None and who is not Unknown.PRONOUN:
            last = who if isinstance(who, str) else None
        known.append(last)
    return known


def _tag(text: str, quoted: Quotation, found: Sequence[Tag], ends: Sequence[int]) -> str | Unknown | None:
    """Who speaks by the words in the quotation's sentences, or directly beside it. found: in order."""
    near: list[tuple[int, str | Unknown]] = []
    first, last = bisect_right(ends, quoted.start), bisect_right(ends, quoted.end - 1)
    low = bisect_left(found, ends[first - 1] if first else 0, key=_start)
    high = bisect_left(found, ends[last], key=_start)
    for number in range(max(low - 1, 0), min(high + 1, len(found))):
        one = found[number]
        if one.end <= quoted.start:
            distance = quoted.start - one.end
            beside = _INTRODUCES.fullmatch(text, one.end, quoted.start) is not None
            if beside and not one.follows and not text[one.end].isspace():
                return one.speaker
        elif _COLON.match(text, one.end):
            continue
        else:
            distance = one.start - quoted.end
            beside = _ANSWERS.fullmatch(text, quoted.end, one.start) is not None
        if beside or low <= number < high:
            near.append((distance, one.speaker))
    return min(near, key=lambda pair: pair[0])[1] if near else None


def _start(tag: Tag) -> int:
    return tag.start
