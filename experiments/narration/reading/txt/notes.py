"""Notes of plain text: paragraphs that begin with a mark which stands in an earlier one, and the marks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import regex

from experiments.narration.book import Reason
from experiments.narration.reading.blocks import Block, Piece

_NOTE = regex.compile(r"\[(?:footnote\s+)?(\d{1,3}|[A-Z]|[*†‡])[\]:]", regex.IGNORECASE)
_MARK = regex.compile(r"\[(\d{1,3}|[A-Z]|[*†‡])\]")
_GLUED = regex.compile(
    r"(?<!\b(?:(?i:nos?|nr|vols?|pp?|ch|chap|fig|art|sec|bk|pt|vv?|ver)|\p{Lu})\.)"
    r"(?<=\p{L}[.!?…][\"'”’)]*|\p{L}[\"”])(\d{1,3})(?=\s+[\p{P}]*\p{Lu}|\s*$)"
)
"""A raised number that lost its place, behind the end of a sentence."""
_NUMBERED = regex.compile(r"^[^\S\n]*(\d{1,3})[.)]?[^\S\n]+(?=\S)", regex.MULTILINE)


def with_notes(blocks: Sequence[Block]) -> list[Block]:
    """The blocks, notes and their marks left out."""
    return _without_glued(_without_bracketed(blocks))


def _without_bracketed(blocks: Sequence[Block]) -> list[Block]:
    """Leaves out paragraphs that begin with [1] or [A] where such a mark stands in an earlier one, and the
    marks of all notes."""
    notes: set[int] = set()
    labels: set[str] = set()
    marks: set[str] = set()
    for number, block in enumerate(blocks):
        labels.update(
            found[1]
            for one in block.pieces
            if one.reason is Reason.FOOTNOTE and (found := _NOTE.match(one.text))
        )
        if (note := _NOTE.match(block.text)) and note[1] in marks:
            notes.add(number)
            labels.add(note[1])
        else:
            marks.update(_MARK.findall(block.text))
    if not labels:
        return list(blocks)
    return [
        _as_note(block) if number in notes else _marked(block, _MARK, lambda _, found: found[1] in labels)
        for number, block in enumerate(blocks)
    ]


def _without_glued(blocks: Sequence[Block]) -> list[Block]:
    """Leaves out numbers behind the ends of sentences, if notes with these numbers come behind them in the
    same order, and those notes."""
    waiting: list[tuple[int, int, int, str]] = []
    last = 0
    notes: set[int] = set()
    marks: set[tuple[int, int, int]] = set()
    for number, block in enumerate(blocks):
        text = _spoken(block)
        if not block.level and waiting and (first := _NUMBERED.match(text)) and first[1] == waiting[0][3]:
            notes.add(number)
            for begin in _NUMBERED.findall(text):
                if waiting and waiting[0][3] == begin:
                    marks.add(waiting.pop(0)[:3])
            continue
        for at, piece in enumerate(block.pieces):
            for found in () if piece.reason else _GLUED.finditer(piece.text):
                if int(found[1]) in (1, last + 1):
                    last = int(found[1])
                    waiting.append((number, at, found.start(), str(found[1])))
    if not notes:
        return list(blocks)
    return [
        _as_note(block)
        if number in notes
        else _marked(block, _GLUED, lambda at, found, n=number: (n, at, found.start()) in marks)  # type: ignore[misc]
        for number, block in enumerate(blocks)
    ]


def _spoken(block: Block) -> str:
    return "".join(one.text for one in block.pieces if one.reason is None)


def _as_note(block: Block) -> Block:
    return replace(
        block, pieces=tuple(replace(one, reason=one.reason or Reason.FOOTNOTE) for one in block.pieces)
    )


def _marked(
    block: Block, mark: regex.Pattern[str], is_mark: Callable[[int, regex.Match[str]], bool]
) -> Block:
    """is_mark: of the number of a piece and what was found in it."""
    pieces = (part for at, one in enumerate(block.pieces) for part in _parts(at, one, mark, is_mark))
    return replace(block, pieces=tuple(pieces))


def _parts(
    number: int, piece: Piece, mark: regex.Pattern[str], is_mark: Callable[[int, regex.Match[str]], bool]
) -> Iterator[Piece]:
    if piece.reason is not None:
        yield piece
        return
    at = 0
    for found in mark.finditer(piece.text):
        if is_mark(number, found):
            yield Piece(piece.text[at : found.start()])
            yield Piece(found[0], Reason.FOOTNOTE_MARK)
            at = found.end()
    yield Piece(piece.text[at:])
