"""Footnotes that only their links tell: which links are marks, and how much of the book is their note."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urldefrag

from lxml import etree

from experiments.narration.book import Reason
from experiments.narration.reading.blocks import Block, Piece
from experiments.narration.reading.html.document import Document, Mark, Target, Trust
from experiments.narration.reading.html.elements import is_raised, text_of

_NUMBERS = r"\d{1,3}(?:\s?[,–-]\s?\d{1,3})*"
_MARK = re.compile(
    rf"[\[(]?(?:{_NUMBERS}|[a-z]|[ivxl]{{1,5}}|[*†‡§¶#]{{1,3}}|[①-⑳]|[↩↑←]\ufe0e?)[\])]?"
    r"|\[(?i:(?:(?:foot|end)?note\.? )?\d{1,3}|[a-z])\]"
)
_SIGN = re.compile(
    rf"\[(?i:(?:(?:foot|end)?note\.? )?{_NUMBERS}|[a-z]|[*†‡])\]|[*†‡§¶①-⑳↩↑]\ufe0e?", re.IGNORECASE
)
"""What is a mark even apart from the word before it."""
_AFTER_SENTENCE = ".;:!?\"'”’»)…*†。，！？；：」』》）"
_NOTE = ("p", "li", "div", "aside", "dd", "blockquote")
_BOX = ("li", "div", "aside")


def trust(element: etree._Element, tag: str, pieces: Sequence[Piece]) -> Trust | None:
    """Whether an element is a footnote mark by its look: a number or sign that links to a note, or stands
    raised behind a word or a full stop. pieces: of its block before it."""
    raised = is_raised(element, tag)
    if not (raised or tag == "a") or not _MARK.fullmatch(text := text_of(element).strip()):
        return None
    before = "".join(one.text for one in pieces if one.reason is None)
    link = urldefrag("".join(map(str, element.xpath("(descendant-or-self::*/@href)[1]")))).fragment
    if raised:
        if link or not text[-1:].isalnum():
            return Trust.SURE
        number = re.fullmatch(_NUMBERS, text) and re.search(r"[.,;:!?\"'”’)]$|[a-z]{4}$", before)
        return Trust.SURE if number else None
    if not link:
        return None
    if _SIGN.fullmatch(text):
        return Trust.LIKELY
    if before[-1:].isalpha() or before[-1:] in tuple(_AFTER_SENTENCE):
        return Trust.LIKELY if text.strip("[]()").isdigit() else Trust.DOUBTFUL
    return Trust.DOUBTFUL if before[-1:] in (",", "[") else None


@dataclass(frozen=True, slots=True)
class _Note:
    """Where a mark stands, where it links to, and whether that is proved to be its note."""

    document: int
    mark: Mark
    file: int
    first: int
    proved: bool


def without_notes(documents: Sequence[tuple[str, Document]]) -> None:
    """Leaves out the notes that footnote marks link to, where they stand behind the mark (links back from a
    note are none), and speaks what only looked like a mark. documents: in order, with the path of each."""
    notes = list(_notes(documents))
    others = {(note.file, note.first) for note in notes}
    others |= {(note.document, note.mark.block) for note in notes}
    left_out = [
        (note.file, range(note.first, _end(documents[note.file][1], note, others)))
        for note in notes
        if note.proved or note.mark.trust is Trust.SURE
    ]
    for file, blocks in left_out:
        document = documents[file][1]
        for index in blocks:
            block = document.blocks[index]
            noted = tuple(replace(one, reason=one.reason or Reason.FOOTNOTE) for one in block.pieces)
            document.blocks[index] = replace(block, pieces=noted, level=0)


def _notes(documents: Sequence[tuple[str, Document]]) -> Iterator[_Note]:
    """The marks with a place behind them that may be a note; those that are no marks become text."""
    places: dict[Target, tuple[int, int]] = {}
    for number, (path, document) in enumerate(documents):
        for anchor in (anchor for block in document.blocks for anchor in block.anchors):
            if (index := document.position(anchor)) is not None:
                places.setdefault((path, anchor), (number, index))
    links: dict[tuple[int, int], list[Target]] = {}
    for number, (_, document) in enumerate(documents):
        for link in document.links:
            links.setdefault((number, link.block), []).append(link.target)
    for number, (_, document) in enumerate(documents):
        for mark in document.marks:
            here, found = (number, mark.block), places.get(mark.target)
            if found is None:
                ok, heading = False, False
            else:
                block = documents[found[0]][1].blocks[found[1]]
                heading = block.level > 0
                back = any(places.get(one) == here for one in links.get(found, ()))
                begins = _begins_with(block, mark.text) or _is_item(documents[found[0]][1], found[1], mark)
                ok = not heading and (back or begins)
                if found > here and not heading:
                    yield _Note(number, mark, *found, ok)
            if (mark.trust is Trust.LIKELY and heading) or (mark.trust is Trust.DOUBTFUL and not ok):
                _speak(document, mark)


def _speak(document: Document, mark: Mark) -> None:
    block = document.blocks[mark.block]
    pieces = list(block.pieces)
    pieces[mark.piece] = replace(pieces[mark.piece], reason=None)
    document.blocks[mark.block] = replace(block, pieces=tuple(pieces))


def _begins_with(block: Block, mark: str) -> bool:
    """Whether the first word of a block is the mark, however it is set: `[3]`, `3.`, `³`."""
    wanted = re.sub(r"(?i)^[\[(]?(?:(?:foot|end)?note\.? )?|[\])]$", "", mark.strip())
    text = unicodedata.normalize("NFKC", "".join(one.text for one in block.pieces)).lstrip(" \t\n\r[(")
    wanted = unicodedata.normalize("NFKC", wanted)
    return bool(wanted) and text.startswith(wanted) and not _joined(wanted, text[len(wanted) :])


def _joined(mark: str, behind: str) -> bool:
    """Whether a number or a word goes on behind the mark."""
    kind = str.isdigit if mark[-1].isdigit() else str.isalpha
    return kind(mark[-1]) and kind(behind[:1])


def _is_item(document: Document, index: int, mark: Mark) -> bool:
    """Whether the link leads to an item of a list, whose number is not written."""
    return any(one.tag == "li" and mark.target[1] in one.names for one in document.spans.get(index, ()))


def _end(document: Document, note: _Note, others: set[tuple[int, int]]) -> int:
    """Behind the last block of the note: of the element that is linked to, and of the smallest item or box
    that begins with a proved note, unless headings, other notes or their marks are in it too."""
    here = document.spans.get(note.first, [])
    own = next((one for one in here if one.tag in _NOTE and note.mark.target[1] in one.names), None)
    box = next((one for one in here if one.tag in _BOX and one.end - note.first < len(document.blocks)), None)
    ends = [one.end for one in (own, box if note.proved else None) if one is not None]
    for end in sorted(ends, reverse=True):
        more = range(note.first + 1, end)
        if not any(document.blocks[one].level or (note.file, one) in others for one in more):
            return end
    return note.first + 1
