"""The chapter that narration is measured with: long enough, readable, and the same from .md and .epub."""

from __future__ import annotations

from pathlib import Path

from markdown_it import MarkdownIt

from experiments.narration.account import account
from experiments.narration.chunks import PACKINGS, chunks
from experiments.narration.readable import check_readable
from experiments.narration.reading.book import read_book
from experiments.narration.worth import CHAPTER
from llasa_core.text.alphabet import NANO
from tests.experiments.narration.books import write_epub


def test_the_chapter_from_markdown_and_from_epub(tmp_path: Path) -> None:
    text = CHAPTER.read_text("utf-8")
    pages = {"one.xhtml": MarkdownIt().render(text).replace("<hr>", "<hr/>")}
    epub = read_book(write_epub(tmp_path / "book.epub", pages))
    markdown = read_book(CHAPTER)
    own, other = (chunks(book, PACKINGS["nano"]) for book in (markdown, epub))
    assert [one.key for one in own] == [one.key for one in other]
    assert [one.ends for one in own] == [one.ends for one in other]
    told = account(markdown)
    assert (told.spoken, told.left_out) == (told.source, 0)
    assert told.spoken >= 1500
    check_readable(own, NANO)
    for written in ("$40", "6:45", "Dr. Helen", "3rd of May", "i.e.", "3%", "Sokolova", "Huh!"):
        assert written in text
