"""Who says what stands in quotation marks: the character that the words around the quotation name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import regex

from experiments.narration.book import Book, Chapter, Paragraph, letters
from experiments.narration.voices import NARRATOR, QUOTES

_QUOTED = regex.compile(r"“[^“”]*”?|「[^「」]*」?|『[^『』]*』?|\"[^\"]*\"?")
"""A quotation whose end is missing goes on to the end of its paragraph: it continues in the next one."""
_VERBS = (
    "said|says|asked|asks|answered|answers|replied|replies|cried|cries|called|calls|shouted|shouts|whispered"
    "|whispers|murmured|murmurs|added|adds|continued|continues|began|begins|exclaimed|exclaims|muttered"
    "|mutters|repeated|repeats|returned|returns|observed|remarked|told|went on|说|道|问|答|喊|叫"
)


def with_speakers(book: Book, names: Sequence[str]) -> Book:
    """The book with its quotations spoken by the characters that are named beside a verb of speech in their
    paragraph ("said Alice", "Alice replied"), and by `QUOTES` where that is among the names and nobody else
    is found.

    names: the entries of voices.yaml. Paragraphs that have a speaker, and headings, stay as they are. Every
    word stays, in its order.
    """
    chapters = tuple(_chapter(chapter, names) for chapter in book.chapters)
    return replace(book, chapters=chapters)


def _chapter(chapter: Chapter, names: Sequence[str]) -> Chapter:
    printed: list[list[Paragraph]] = []
    for paragraph in chapter.paragraphs:
        if paragraph.continues and printed:
            printed[-1].append(paragraph)
        else:
            printed.append([paragraph])
    return replace(chapter, paragraphs=tuple(one for parts in printed for one in _split(parts, names)))


def _split(printed: Sequence[Paragraph], names: Sequence[str]) -> Iterator[Paragraph]:
    """Runs of one speaker and one emotion. printed: what stands in one printed paragraph."""
    runs: list[_Runs] = []
    open_mark = ""
    for paragraph in printed:
        if paragraph.speaker or paragraph.heading:
            runs.append([])
            open_mark = ""
        else:
            found, open_mark = _runs(paragraph.sentences, open_mark)
            runs.append(found)
    told = [text for one in runs for quoted, parts in one if not quoted for text in parts]
    speaker = _named(" ".join(told), names) or (QUOTES if QUOTES in names else None)
    for paragraph, own in zip(printed, runs, strict=True):
        if speaker is None or not any(quoted for quoted, _ in own):
            yield paragraph
            continue
        for number, (quoted, parts) in enumerate(own):
            yield replace(
                paragraph,
                sentences=tuple(parts),
                speaker=speaker if quoted else None,
                section=paragraph.section and not number,
                continues=paragraph.continues or bool(number),
            )


_Runs = list[tuple[bool, list[str]]]
"""Whether a run is quoted, and its sentences or parts of them."""


def _runs(sentences: Sequence[str], open_mark: str) -> tuple[_Runs, str]:
    """With the mark of the quotation that is open behind them; open_mark: before them. A part without a
    letter or digit stays with what is before it, or behind it at the begin."""
    found: _Runs = []
    for sentence in sentences:
        for inside, part in _parts(sentence, open_mark):
            if not letters(part) and found:
                found[-1][1][-1] += part
            elif found and found[-1][0] == inside and found[-1][1]:
                found[-1][1].append(part)
            else:
                found.append((inside, [part]))
        open_mark = _left_open(open_mark + sentence)
    return found, open_mark


_PAIRS = {"“": "”", "「": "」", "『": "』", '"': '"'}


def _left_open(text: str) -> str:
    """The mark of a quotation that is not closed in the text."""
    rest = [one[0] for one in _QUOTED.findall(text) if len(one) == 1 or one[-1] != _PAIRS[one[0]]]
    return str(rest[-1]) if rest else ""


def _parts(sentence: str, open_mark: str) -> Iterator[tuple[bool, str]]:
    """Stretches in and out of quotation marks."""
    text, place = open_mark + sentence, 0
    for found in _QUOTED.finditer(text):
        if before := text[place : found.start()].strip():
            yield False, before
        inside = found[0][len(open_mark) :] if found.start() == 0 else found[0]
        if inside.strip():
            yield True, inside.strip()
        place = found.end()
    if rest := text[place:].strip():
        yield False, rest


def _named(narration: str, names: Sequence[str]) -> str | None:
    """The character whose name stands beside a verb of speech."""
    for name in names:
        if name.casefold() in (NARRATOR, QUOTES):
            continue
        own = rf"(?:{regex.escape(name)}|(?=\p{{Lu}})(?i:{regex.escape(name)}))"  # "alice" is Alice too
        beside = rf"\b{own}\b\W{{0,2}}\s*(?:\w+ly\s+)?(?:{_VERBS})|(?:{_VERBS})\s+(?:\w+\s+){{0,2}}?{own}\b"
        chinese = rf"{own}(?:{_VERBS})"
        if regex.search(rf"{beside}|{chinese}", narration):
            return name
    return None
