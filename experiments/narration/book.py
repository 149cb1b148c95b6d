"""What a book is made of: chapters, paragraphs, sentences, and what is left out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import regex

_WORD = regex.compile(r"\p{Han}|[\p{L}\p{N}\p{M}--\p{Han}]+(?:['’][\p{L}\p{M}--\p{Han}]+)*", regex.V1)
_HAN = regex.compile(r"\p{Han}")
LONGEST_SHOWN = 60
"""Characters of a text that a report or an error repeats."""


class Boundary(StrEnum):
    """What ends behind a chunk, from the shortest pause to the longest. CLAUSE: a sentence goes on."""

    CLAUSE = "clause"
    SENTENCE = "sentence"
    PARAGRAPH = "paragraph"
    SECTION = "section"
    CHAPTER = "chapter"


class Reason(StrEnum):
    """Why a part of a book is not spoken."""

    FOOTNOTE = "footnote"
    FOOTNOTE_MARK = "footnote mark"
    PAGE_NUMBER = "page number"
    HEADER = "page header or footer"
    TABLE = "table"
    PICTURE = "picture"
    CONTENTS = "table of contents"
    CODE = "code"
    FORMULA = "formula"
    READING = "reading of a character"
    HIDDEN = "hidden text"
    DELETED = "deleted text"
    COMMENT = "comment"
    MARKUP = "markup"
    SIGN = "sign between sections"
    TEXT_BOX = "text box"
    LICENCE = "Project Gutenberg's licence"
    ASIDE = "outside of the reading order"
    EDITED = "left out in the text file"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A part of the source that is not spoken. text: as it is written there."""

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """sentences: as they are written, none empty. heading: of a chapter or a part of one. section: whether a
    section begins here (a line of asterisks, a rule). speaker, emotion: whose voice, and how; None: the
    narrator's, as it comes. continues: whether it stands in one printed paragraph with what is before it,
    which another speaker says, or the same one with another emotion."""

    sentences: tuple[str, ...]
    heading: bool = False
    section: bool = False
    speaker: str | None = None
    emotion: str | None = None
    continues: bool = False


@dataclass(frozen=True, slots=True)
class Chapter:
    """number: from 1, in the whole book. title: as the contents or the heading has it; it is spoken only
    where it is a heading among the paragraphs."""

    number: int
    title: str
    paragraphs: tuple[Paragraph, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def words(self) -> int:
        """Words that are spoken."""
        return sum(count_words(sentence) for one in self.paragraphs for sentence in one.sentences)


@dataclass(frozen=True, slots=True)
class Source:
    """The file that the book comes from. sha256: of its content. words: of all of it, as `count_words`."""

    path: Path
    sha256: str
    words: int


@dataclass(frozen=True, slots=True)
class Book:
    """language: a code, "" if the file does not say. left_out: what belongs to no chapter."""

    title: str
    language: str
    chapters: tuple[Chapter, ...]
    source: Source
    left_out: tuple[LeftOut, ...] = ()

    @property
    def everything_left_out(self) -> Iterator[tuple[Chapter | None, LeftOut]]:
        """With the chapter that it stood in."""
        yield from ((None, one) for one in self.left_out)
        yield from ((chapter, one) for chapter in self.chapters for one in chapter.left_out)


def letters(text: str) -> str:
    """Letters and digits alone, in compatibility form: what is equal for equal words, however they are
    set."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text)))


def count_words(text: str) -> int:
    """Runs of letters and digits; each Chinese character is one.

    >>> count_words("Huh! Don't. 他来了")
    5
    """
    return len(_WORD.findall(text))


def words(text: str) -> list[str]:
    """The words that `count_words` counts, in order."""
    return [str(word) for word in _WORD.findall(text)]


def join(parts: list[str]) -> str:
    """Sentences in one line: with a space between them, but none between Chinese ones.

    >>> join(["He came.", "She left."]), join(["他来了。", "她走了！"])
    ('He came. She left.', '他来了。她走了！')
    >>> join(["“Stop!”", "“No!”"]), join(["“停！”", "“不！”"])
    ('“Stop!” “No!”', '“停！”“不！”')
    """
    text = ""
    for part in parts:
        text += part if not text or _close(text, part) else f" {part}"
    return text


def _close(before: str, behind: str) -> bool:
    """Whether Chinese stands on both sides. Quotation marks, dashes and ellipses are written in all
    languages, so what stands behind them decides."""
    sides = (next((one for one in side if one not in "…—“”‘’"), None) for side in (reversed(before), behind))
    known = [one for one in sides if one is not None]
    return bool(known) and all(_HAN.match(one) or one in "。！？；：，、「」『』《》（）" for one in known)


def beginning(text: str) -> str:
    """The first words, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_SHOWN else f"{line[: LONGEST_SHOWN - 4].rstrip()} ..."
