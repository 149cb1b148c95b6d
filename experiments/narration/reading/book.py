"""Any file as a `Book`: its kind by its content, its chapters by the contents or by its headings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import regex

from experiments.files import file_hash
from experiments.narration.book import (
    Book,
    Chapter,
    LeftOut,
    Paragraph,
    Reason,
    Source,
    beginning,
    count_words,
    letters,
)
from experiments.narration.reading.blocks import Block, Part, Piece, Reading, check_nothing_lost
from experiments.narration.sentences import LONGEST, sentences
from llasa_core.errors import UserError
from llasa_core.paths import regular_file, shown
from llasa_core.text import language as canonical
from llasa_core.text import no_character

KINDS = {".txt": "plain text", ".md": "Markdown", ".epub": "EPUB", ".docx": "Word"}
_CURES = {
    b"%PDF": "a PDF: convert it to .epub or .txt (one of pictures of pages needs an OCR program first)",
    b"\xd0\xcf\x11\xe0": "an old Word file, or a .docx with a password: save it as .docx without one",
    b"{\\rtf": "rich text: save it as .docx",
    b"\x89PNG": "a picture: recognise its words with an OCR program first",
    b"\xff\xd8\xff": "a picture: recognise its words with an OCR program first",
}
"""By the first bytes: what it is, and what to do."""
_SECTION = regex.compile(r"[^\p{L}\p{N}“”\"‘’'«»„「」『』?!？！]{1,40}")
"""A sign between sections, short and without letters. What stands in quotation marks is a silence."""
_LETTERS_AS_SIGN = regex.compile(r"[-–—~*=\s]*(?:o[O0]+o|OoO|x\s?x\s?x)[-–—~*=\s]*")
FRONT = "(front matter)"


def read_book(path: Path, language: str | None = None, what: str = "BOOK") -> Book:
    """language: a code for the whole book; None: what the file says, English otherwise.

    Raises UserError, in one line, for a file of another kind, one that is damaged, encrypted, in a wrong
    encoding or without text, and if a word of it were lost: neither spoken nor left out and said.
    """
    file = regular_file(path, what, cure="give a book as .txt, .md, .epub or .docx")
    reading = _read(file, what)
    name = f"{what} {shown(file)}"
    check_nothing_lost(list(reading.blocks), reading.written, name)
    reading = _with_signs(reading)
    code = _language(reading.language) if language is None else canonical(language)
    title = reading.title or _only_top_heading(reading.blocks) or file.stem
    front, chapters = _chapters(_cut(reading), code, name, title)
    if not any(chapter.words for chapter in chapters):
        raise UserError(f"{name} holds no words to speak: give a book with text")
    unspoken = (*reading.aside, *(one for block in reading.blocks for one in block.left_out))
    words = sum(count_words(block.text) for block in reading.blocks) + sum(
        count_words(one.text) for one in unspoken
    )
    return Book(
        title=title,
        language=code,
        chapters=chapters,
        source=Source(file, file_hash(file), words),
        left_out=(*reading.aside, *front),
    )


def _read(file: Path, what: str) -> Reading:
    with file.open("rb") as stream:
        start = stream.read(8)
    for magic, cure in _CURES.items():
        if start.startswith(magic):
            raise UserError(f"{what} {shown(file)} is {cure}")
    kind = file.suffix.lower()
    if not start:
        raise UserError(f"{what} {shown(file)} is empty: give a book with text")
    if kind == ".epub":
        from experiments.narration.reading.html.epub import read_epub

        return read_epub(file, what)
    if kind == ".docx":
        from experiments.narration.reading.docx import read_docx

        return read_docx(file, what)
    if kind in (".md", ".markdown"):
        from experiments.narration.reading.markdown import read_markdown

        return read_markdown(file, what)
    if kind in (".txt", ".text", ""):
        from experiments.narration.reading.txt.plain import read_plain

        return read_plain(file, what)
    raise UserError(
        f"{what} {shown(file)} ends in {shown(kind)}, which is not read: "
        f"convert it to .epub, .docx, .md or .txt"
    )


def _with_signs(reading: Reading) -> Reading:
    """Paragraphs such as "oOo" and "-o0o-" are signs between sections, and not spoken."""
    return replace(
        reading,
        parts=tuple(replace(part, blocks=tuple(map(_sign, part.blocks))) for part in reading.parts),
    )


def _sign(block: Block) -> Block:
    if block.level or not _LETTERS_AS_SIGN.fullmatch(block.text):
        return block
    pieces = tuple(Piece(one.text, one.reason or Reason.SIGN) for one in block.pieces)
    return replace(block, pieces=pieces, section=True)


def _language(code: str) -> str:
    try:
        return canonical(code)
    except UserError:
        return canonical("en")


def _cut(reading: Reading) -> Sequence[Part]:
    """The parts as chapters: as the contents say, or at the headings of the level that chapters have."""
    if any(part.begins for part in reading.parts):
        return reading.parts
    blocks = list(reading.blocks)
    level = _chapter_level(blocks)
    starts = [n for n, block in enumerate(blocks) if block.level and block.level <= level and block.text]
    bounds = [0, *starts, len(blocks)]
    parts = []
    for number, (start, end) in enumerate(pairwise(bounds)):
        if start < end:
            parts.append(Part(tuple(blocks[start:end]), blocks[start].text if number else "", bool(number)))
    return parts


def _chapter_level(blocks: Sequence[Block]) -> int:
    """The highest level of which there are two headings; a single one above them is the book's title."""
    levels = Counter(block.level for block in blocks if block.level and block.text)
    return next((level for level in sorted(levels) if levels[level] > 1), max(levels, default=0))


def _only_top_heading(blocks: Iterable[Block]) -> str:
    """The title of a book whose file names none: its first heading, if no other is as high."""
    headings = [block for block in blocks if block.level and block.text]
    if not headings or any(other.level <= headings[0].level for other in headings[1:]):
        return ""
    return headings[0].text


def _chapters(
    parts: Sequence[Part], code: str, name: str, title_of_all: str
) -> tuple[tuple[LeftOut, ...], tuple[Chapter, ...]]:
    """Chapters with text or a title; what is left out before the first of them belongs to the book.

    title_of_all: of a single chapter without a heading.
    """
    runs: list[tuple[str, list[Block]]] = []
    for part in parts:
        if part.begins or not runs:
            runs.append((part.title, []))
        runs[-1][1].extend(part.blocks)
    front: tuple[LeftOut, ...] = ()
    chapters: list[Chapter] = []
    for title, blocks in runs:
        here = tuple(one for block in blocks for one in block.left_out)
        if not title and not any(letters(block.text) for block in blocks):
            front += here
            continue
        number = len(chapters) + 1
        place = f"{name}, chapter {number}"
        paragraphs = tuple(_paragraphs(blocks, code, place))
        heading = next((" ".join(one.sentences) for one in paragraphs[:2] if one.heading), "")
        unnamed = title_of_all if len(runs) == 1 else FRONT if number == 1 else f"(part {number})"
        chapters.append(Chapter(number, title or heading or unnamed, paragraphs, here))
    return front, tuple(chapters)


def _paragraphs(blocks: Sequence[Block], code: str, place: str) -> Iterator[Paragraph]:
    section = False
    for block in blocks:
        text = block.text
        section = section or block.section or bool(text and _SECTION.fullmatch(text))
        if not letters(text):
            continue
        if code_point := no_character(text):
            raise UserError(
                f"{place} holds {code_point}, which is no character: write the book again as UTF-8"
            )
        found = (text,) if block.level else tuple(sentences(text, code))
        if (longest := max(found, key=len)) and len(longest) > LONGEST:
            raise UserError(
                f"{place} has {len(longest):,} characters without the end of a sentence, from "
                f"{beginning(longest)!r}: put full stops in"
            )
        yield Paragraph(found, heading=block.level > 0, section=section)
        section = False
