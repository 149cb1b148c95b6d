"""Plain text: paragraphs by empty lines, chapters by their headings, and what books of this form leave
out."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import regex

from experiments.narration.book import Reason
from experiments.narration.reading.blocks import Block, Part, Piece, Reading, left_out
from experiments.narration.reading.wrapped import PAGE, paragraphs_of, whole_words
from llasa_core.errors import UserError
from llasa_core.paths import shown

TEXT_BYTES = 64 * 2**20
"""Longest text file. The Bible has 5 MB."""
_HEADING = regex.compile(
    r"(?:(?:chapter|part|book|canto|act|letter)\s+(?:\d{1,4}|[ivxlcdm]{1,8}|"
    r"(?:the\s+)?(?:first|second|third|last|(?:(?:twen|thir|for|fif|six|seven|eigh|nine)\w*[-\s]?)?"
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)?))(?P<rest>\b.*)?"
    r"|(?:prologue|epilogue|preface|foreword|introduction|afterword|interlude)[.:]?"
    r"|第\s?[0-9〇零一二三四五六七八九十百千两]+\s?[章回节卷部篇][^。！？]*|序[章言]|前言|尾声|后记|楔子)",
    regex.IGNORECASE,
)
_PART_HEADING = regex.compile(r"[IVXLC]{1,7}\.?|(?:[IVXLC]{1,7}\.\s+)?[\p{Lu}\p{N}][^\p{Ll}\p{Lo}]{2,}")
"""A Roman number, or capitals alone: a heading below those that say "Chapter"."""
_LONGEST_HEADING = 80
_LONGEST_TITLE = 6
"""Words of a title that ends in a full stop."""
_TABLE = regex.compile(r"(?:[^|\n]*\|){2}|\S+(?:\t+[^\t\n]*){2}|\s*\+[-=+]{3,}")
_RULE = regex.compile(r"\s*(?:[-=]{3,}\s+)+[-=]{3,}\s*")
_NOTE = regex.compile(r"\[(?:footnote\s+)?(\d{1,3}|[*†‡])[\]:]", regex.IGNORECASE)
_MARK = regex.compile(r"\[(\d{1,3}|[*†‡])\]")
_PICTURE = regex.compile(r"\[(?:illustration|picture|image)\b[^\]]*\]", regex.IGNORECASE)
_WITHIN = regex.compile(
    rf"(?P<picture>(?i:{_PICTURE.pattern}))|"
    r"(?<=[\p{L},;-]\n)[^\S\n]*[-–—\[(]?\s?\d{1,4}\s?[-–—\])]?[^\S\n]*\n(?=[^\S\n]*\p{Ll})"
)
"""Of a paragraph: pictures, and numbers of pages on a line of their own in the middle of a sentence."""
_GUTENBERG = regex.compile(r"\*{3}\s?(START|END) OF TH(?:E|IS) PROJECT GUTENBERG[^*]*\*{3}")
_PARAGRAPH = regex.compile(r"(?:[^\S\n]*\n){2,}|\f")
_PAGE_END = regex.compile(r"(?<=[\p{L},;\-\u2010])((?:\s*\n[^\p{L}\n]*\d[^\p{L}\n]*)?)\s*\f\s*(?=\p{Ll})")
"""Of a page within a sentence, with or without its number."""
_INDENTED = regex.compile(r"\n(?=\u3000)")
"""Where a Chinese paragraph begins without an empty line before it."""
_MOJIBAKE = regex.compile("â€[™œ\x9d“”˜\x9c\x99]|Ã[©¨¤¶¼§ª«´±³¡­]|ï»¿")
MOST_BROKEN = 2
"""Places with a broken character that a text may have: more, and it was written in another encoding."""


def read_plain(path: Path, what: str) -> Reading:
    """Raises UserError for what is no text."""
    text = read_text(path, what)
    parts = _GUTENBERG.split(text)
    blocks: list[Block] = []
    for number, (part, mark) in enumerate(zip(parts[::2], ["", *parts[1::2]], strict=True)):
        if number:
            found = list(_GUTENBERG.finditer(text))[number - 1]
            blocks.append(left_out(found[0], Reason.LICENCE))
        outside = mark == "END" or (not mark and len(parts) > 1 and parts[1] == "START")
        blocks += [left_out(part, Reason.LICENCE)] if outside else _blocks(part)
    return Reading(title="", language="", parts=(Part(tuple(_with_notes(blocks))),), written=text)


def read_text(path: Path, what: str) -> str:
    """A text file in UTF-8, or in UTF-16 with a byte order mark, lines ended by line feeds.

    Raises UserError for any other encoding, with the command that converts it, and for text that was read in
    a wrong encoding before it was written.
    """
    name = f"{what} {shown(path)}"
    with path.open("rb") as file:
        content = file.read(TEXT_BYTES + 1)
    if len(content) > TEXT_BYTES:
        raise UserError(f"{name} is longer than {TEXT_BYTES / 2**20:.0f} MB: cut it into volumes")
    try:
        text = content.decode(encoding_of(content))
    except UnicodeDecodeError as error:
        if b"\0" in content[:4096]:
            raise UserError(f"{name} is no text file: give a book as .txt, .md, .epub or .docx") from None
        raise UserError(
            f"{name} is not UTF-8 (byte {error.start:,}): convert it, for instance with "
            f"`iconv -f WINDOWS-1252 -t UTF-8`, or `-f GB18030` if it is Chinese"
        ) from None
    if "\0" in text:
        raise UserError(f"{name} is no text file: give a book as .txt, .md, .epub or .docx")
    broken = [*_MOJIBAKE.findall(text), *("\ufffd" * text.count("\ufffd"))]
    if len(broken) > MOST_BROKEN:
        raise UserError(
            f"{name} was damaged by a wrong encoding ({broken[0]!r} and {len(broken) - 1:,} more): "
            f"write it again as UTF-8 from its source"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def encoding_of(content: bytes) -> str:
    """UTF-16 if the content, or its begin, has such a byte order mark, else UTF-8 with or without one."""
    return "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def _blocks(text: str) -> Iterator[Block]:
    """Paragraphs between empty lines; where there is no empty line at all, every line is one, unless lines
    are broken to a width. A heading may stand on the first line of a paragraph."""
    text = _PAGE_END.sub(_next_page, text)
    paragraphs = _PARAGRAPH.split(text)
    if len([one for one in paragraphs if one.strip()]) < 2:
        paragraphs = list(paragraphs_of(text, lambda line: _level(_line(line)) == 1))
    paragraphs = whole_words("\n\n".join(paragraphs)).split("\n\n")
    for paragraph in paragraphs:
        for part in _INDENTED.split(paragraph):
            if part.strip():
                yield from map(_block, _headed(part))


def _next_page(match: regex.Match[str]) -> str:
    """A line break, and the number of the page within the paragraph; nothing changes behind a heading."""
    line = _line(match.string[: match.start()].rpartition("\n")[2])
    number = match[1].strip()
    if _level(line) or (number and not PAGE.fullmatch(number)):
        return str(match[0])
    return f"\n{number}\n" if number else "\n"


def _headed(paragraph: str) -> Sequence[str]:
    """The heading of a chapter that is its first line, and the rest; or the whole of it."""
    first, _, rest = paragraph.strip("\n").partition("\n")
    if rest.strip() and _level(_line(first)) == 1 and not _level(_line(paragraph)):
        return (first, rest)
    return (paragraph,)


def _line(paragraph: str) -> str:
    return " ".join(paragraph.split())


def _block(paragraph: str) -> Block:
    lines = [line for line in paragraph.split("\n") if line.strip()]
    line = _line(paragraph)
    if PAGE.fullmatch(line) and any(map(str.isdigit, line)):
        return left_out(paragraph, Reason.PAGE_NUMBER)
    ruled = any(_RULE.fullmatch(one) for one in lines)
    if len(lines) > 1 and (ruled or all(_TABLE.match(one) for one in lines)):
        return left_out(paragraph, Reason.TABLE)
    return Block(tuple(_pieces(paragraph)), level=_level(line))


def _level(line: str) -> int:
    """1: a heading of a chapter. 2: one below it. 0: no heading."""
    plain = line.strip(" .*_#=-")
    if len(line) > _LONGEST_HEADING or not plain:
        return 0
    heading = _HEADING.fullmatch(plain)
    if heading and not _mid_sentence(line, heading):
        return 1
    return 2 if _PART_HEADING.fullmatch(plain) and not line.endswith(("!", "?", '"', "”", ",")) else 0


def _mid_sentence(line: str, heading: regex.Match[str]) -> bool:
    """Whether a line that begins like a heading goes on as a sentence: "Book two rooms, please."."""
    rest = (heading["rest"] or "").lstrip()
    return rest[:1].islower() or (line.endswith((".", ",", ";")) and len(rest.split()) > _LONGEST_TITLE)


def _pieces(paragraph: str) -> Iterator[Piece]:
    """Without pictures, and without the numbers of pages that stand between its lines."""
    at = 0
    for found in _WITHIN.finditer(paragraph):
        yield Piece(paragraph[at : found.start()])
        yield Piece(found[0], Reason.PICTURE if found["picture"] else Reason.PAGE_NUMBER)
        at = found.end()
    yield Piece(paragraph[at:])


def _with_notes(blocks: list[Block]) -> Iterator[Block]:
    """Leaves out paragraphs that begin with [1] where such a mark stands in an earlier one, and the marks."""
    notes: dict[int, str] = {}
    marks: set[str] = set()
    for number, block in enumerate(blocks):
        if (note := _NOTE.match(block.text)) and note[1] in marks:
            notes[number] = note[1]
        else:
            marks.update(_MARK.findall(block.text))
    for number, block in enumerate(blocks):
        if number in notes:
            yield replace(block, pieces=tuple(replace(one, reason=Reason.FOOTNOTE) for one in block.pieces))
        else:
            pieces = (part for one in block.pieces for part in _marked(one, frozenset(notes.values())))
            yield replace(block, pieces=tuple(pieces))


def _marked(piece: Piece, notes: frozenset[str]) -> Iterator[Piece]:
    if piece.reason is not None or not notes:
        yield piece
        return
    at = 0
    for found in _MARK.finditer(piece.text):
        if found[1] in notes:
            yield Piece(piece.text[at : found.start()])
            yield Piece(found[0], Reason.FOOTNOTE_MARK)
            at = found.end()
    yield Piece(piece.text[at:])
