"""Whatever is given as the BOOK: a book's file, or a text file made of one; and which of its chapters."""

from __future__ import annotations

from pathlib import Path

import regex

from experiments.narration.book import Book
from experiments.narration.reading.book import read_book
from experiments.narration.text_file import TextFile, is_text_file, read_text_file
from llasa_core.errors import UserError

_RANGE = regex.compile(r"(\d{1,6})(?:-(\d{1,6}))?")


def open_book(path: Path, language: str | None) -> TextFile:
    """language: a code; None: what the file says. Raises UserError for what is no book."""
    if is_text_file(path):
        return read_text_file(path, language)
    return TextFile(read_book(path, language), None)


def chosen_chapters(book: Book, numbers: str | None) -> frozenset[int]:
    """The numbers of the chapters to speak: those of "3", "2-5", "1,4-6", or all that are not empty.

    Raises UserError for numbers that the book does not have, and for an empty chapter that is chosen by
    its number.
    """
    words = {chapter.number: chapter.words for chapter in book.chapters}
    if numbers is None:
        return frozenset(number for number, count in words.items() if count)
    chosen: set[int] = set()
    for part in numbers.split(","):
        found = _RANGE.fullmatch(part.strip())
        first = int(found[1]) if found else 0
        last = int(found[2] or first) if found else 0
        if not 1 <= first <= last <= len(words):
            raise UserError(
                f"--chapters {part.strip()!r}: the chapters are 1 to {len(words)}; "
                f"give numbers such as 3, 2-5 or 1,4-6"
            )
        chosen.update(range(first, last + 1))
    for number in sorted(chosen):
        if not words[number]:
            title = book.chapters[number - 1].title
            raise UserError(f"--chapters: chapter {number}, {title!r}, is empty: leave it out")
    return frozenset(chosen)
