"""Plain text: paragraphs by empty lines, chapters by their headings, and what books of this form leave
out."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

import regex

from experiments.narration.book import Reason
from experiments.narration.reading.blocks import Block, Part, Reading, left_out
from experiments.narration.reading.txt.brackets import without_brackets
from experiments.narration.reading.txt.contents import without_contents
from experiments.narration.reading.txt.headings import Text, headed, is_chapter, levels
from experiments.narration.reading.txt.hyphens import whole_words
from experiments.narration.reading.txt.notes import with_notes
from experiments.narration.reading.txt.pages import without_pages
from experiments.narration.reading.txt.stretches import Stretches, bare
from experiments.narration.reading.txt.wrapped import PAGE, Layout
from llasa_core.errors import UserError
from llasa_core.paths import shown

TEXT_BYTES = 64 * 2**20
"""Longest text file. The Bible has 5 MB."""
_TABLE = regex.compile(r"(?:[^|\n]*\|){2}|\S+(?:\t+[^\t\n]*){2}|\s*\+[-=+]{3,}")
_RULE = regex.compile(r"\s*(?:[-=]{3,}\s+)+[-=]{3,}\s*")
_GUTENBERG = regex.compile(r"\*{3}\s?(START|END) OF TH(?:E|IS) PROJECT GUTENBERG[^*]*\*{3}")
_PARAGRAPH = regex.compile(r"(?<![^\S\n])(?:[^\S\n]*+\n){2,}|\f")
_INDENTED = regex.compile(r"\n(?=\u3000)")
"""Where a Chinese paragraph begins without an empty line before it."""
_CHINESE_LINES = regex.compile(
    r"(?<=[^\n]{12}[\p{Han}\u3001-\u303f\uff00-\uff60])\n[^\S\n]*(?=\p{Han}|[\u3001-\u303f\uff00-\uff60])"
)
"""Where a Chinese line was broken: no space stands between its characters. Shorter lines are a list."""
_VERSE_NUMBER = regex.compile(r"(?<=\S)([^\S\n]{3,}|\t+)(\d{1,5})[^\S\n]*$")
FEWEST_VERSES = 3
"""Numbers at the ends of lines that count these lines."""
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
    return Reading(title="", language="", parts=(Part(tuple(with_notes(blocks))),), written=text)


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


def _blocks(text: str) -> list[Block]:
    """Paragraphs, headings, and what is left out of a text, in order."""
    stretches = Stretches(text)
    text = without_pages(without_brackets(text, stretches), stretches)
    text = _without_verse_numbers(without_contents(text, stretches), stretches)
    found = [part for block in _PARAGRAPH.split(text) for part in _INDENTED.split(block) if part.strip()]
    layout = Layout([one for one in found if not _is_table(one)], is_chapter)
    texts = [one for block in found for one in _texts(block, layout)]
    if not texts:
        return []
    whole = whole_words("\n\n".join(one.text for one in texts)).split("\n\n")
    texts = [Text(text, one.chapter) for text, one in zip(whole, texts, strict=True)]
    return [_block(one.text, level, stretches) for one, level in zip(texts, levels(texts), strict=True)]


def _texts(block: str, layout: Layout) -> Iterator[Text]:
    """A table, or the heading and the paragraphs of a block."""
    if _is_table(block):
        yield Text(block)
        return
    for text in headed(block):
        if text.chapter:
            yield text
        else:
            yield from (Text(one, is_chapter(one)) for one in layout.paragraphs(text.text))


def _is_table(block: str) -> bool:
    lines = [line for line in block.split("\n") if line.strip()]
    ruled = any(_RULE.fullmatch(one) for one in lines)
    return len(lines) > 1 and (ruled or all(_TABLE.match(one) for one in lines))


def _block(text: str, level: int, stretches: Stretches) -> Block:
    if _is_table(text):
        return left_out("".join(one.text for one in stretches.pieces(text)), Reason.TABLE)
    if not level and PAGE.fullmatch(text.strip()) and any(map(str.isdigit, text)):
        return left_out(text, Reason.PAGE_NUMBER)
    return Block(tuple(stretches.pieces(_CHINESE_LINES.sub("", text))), level=level)


def _without_verse_numbers(text: str, stretches: Stretches) -> str:
    """The text, numbers at the ends of lines hidden if they count the lines: three or more in a row that are
    as far from each other as their lines are."""
    lines = text.split("\n")
    runs: list[list[int]] = [[]]
    verse = before = last = 0
    for n, line in enumerate(lines):
        if not bare(line):
            continue
        verse += 1
        if found := _VERSE_NUMBER.search(line):
            number = int(found[2])
            if not runs[-1] or number - before != verse - last or number - before < 2:
                runs.append([])
            runs[-1].append(n)
            before, last = number, verse
    for n in (n for run in runs if len(run) >= FEWEST_VERSES for n in run):
        found = _VERSE_NUMBER.search(lines[n])
        assert found is not None
        lines[n] = lines[n][: found.start()] + stretches.hide(found[0], Reason.PAGE_NUMBER)
    return "\n".join(lines)
