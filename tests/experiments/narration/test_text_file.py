"""The text that will be spoken: written, read again, edited, and held against its source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.narration.book import Book, Chapter, LeftOut, Paragraph, Reason, Source, words
from experiments.narration.chunks import PACKINGS, chunks
from experiments.narration.edits import compared
from experiments.narration.reading.book import read_book
from experiments.narration.text_file import is_text_file, read_text_file, written
from llasa_core.errors import UserError
from tests.experiments.narration.books import DATA


def text_of(source: Path, folder: Path) -> Path:
    book = read_book(source)
    path = folder / "text.txt"
    path.write_text(written(book, frozenset(one.number for one in book.chapters), path), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["trial.md", "trial.epub", "trial.docx", "trial.txt"])
def test_unedited_it_is_the_same_book(tmp_path: Path, name: str) -> None:
    book = read_book(DATA / name)
    again = read_text_file(text_of(DATA / name, tmp_path))
    assert again.edits is not None
    assert again.edits.found == ()
    assert [c.paragraphs for c in again.book.chapters] == [c.paragraphs for c in book.chapters]
    packing = PACKINGS["llasa"]
    assert [one.id for one in chunks(again.book, packing)] == [one.id for one in chunks(book, packing)]


def test_the_spoken_form_stands_below_a_sentence(tmp_path: Path) -> None:
    text = text_of(DATA / "trial.epub", tmp_path).read_text("utf-8")
    assert "#   spoken: Doctor Smith paid two dollars fifty in nineteen eighty four.\n" in text
    assert text.count("#   spoken") == 4


def test_every_edit_is_told_down_to_one_word(tmp_path: Path) -> None:
    path = text_of(DATA / "trial.md", tmp_path)
    text = path.read_text("utf-8").replace('"Huh!" she said.\n', "").replace("Yes.", "Oh yes.")
    path.write_text(text, encoding="utf-8")
    found = read_text_file(path)
    assert found.edits is not None
    assert [(one.dropped, one.added) for one in found.edits.found] == [
        (("Huh", "she", "said"), ()),
        (("Yes",), ("Oh", "yes")),
    ]
    assert found.book.left_out[0] == LeftOut(Reason.EDITED, "Huh she said")


def test_a_source_that_changed_or_went_is_said(tmp_path: Path) -> None:
    source = tmp_path / "a.md"
    source.write_text("# One\n\nIt rained.\n", encoding="utf-8")
    path = text_of(source, tmp_path)
    source.write_text("# One\n\nIt snowed.\n", encoding="utf-8")
    assert "has changed since" in read_text_file(path).unchecked
    source.unlink()
    assert "is not there" in read_text_file(path).unchecked


@pytest.mark.parametrize(
    ("body", "says"),
    [("It rained.\n", "line 2: text before the first chapter"), ("=== One\n\n# It rained.\n", "no words")],
)
def test_files_that_are_refused(tmp_path: Path, body: str, says: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"#! llasa-search narration text\n{body}", encoding="utf-8")
    with pytest.raises(UserError, match=says):
        read_text_file(path)


SENTENCES = st.text(alphabet="ab =#\\*.!-他", min_size=1, max_size=12).map(
    lambda text: " ".join(text.split())
)
PARAGRAPHS = st.builds(
    Paragraph,
    st.lists(SENTENCES.filter(lambda one: any(map(str.isalnum, one))), min_size=1, max_size=3).map(tuple),
    section=st.booleans(),
)


@given(st.lists(PARAGRAPHS, min_size=1, max_size=4))
def test_whatever_a_sentence_begins_with_comes_back(
    tmp_path_factory: pytest.TempPathFactory, found: list[Paragraph]
) -> None:
    folder = tmp_path_factory.mktemp("text")
    paragraphs = (replace(found[0], section=False), *found[1:])
    book = Book("A", "de", (Chapter(1, "One", paragraphs),), Source(folder / "no.txt", "", 0))
    (folder / "a.txt").write_text(written(book, frozenset({1}), folder / "a.txt"), encoding="utf-8")
    assert read_text_file(folder / "a.txt").book.chapters[0].paragraphs == paragraphs


@given(st.lists(SENTENCES, max_size=8), st.lists(SENTENCES, max_size=8))
def test_edits_account_for_every_word(before: list[str], after: list[str]) -> None:
    def chapter(texts: list[str]) -> Chapter:
        return Chapter(1, "One", (Paragraph(tuple(texts)),))

    edits = compared([chapter(before)], [chapter(after)])
    own, other = (sorted(word for text in texts for word in words(text)) for texts in (before, after))
    dropped = [word for one in edits.found for word in one.dropped]
    added = [word for one in edits.found for word in one.added]
    assert sorted([*own, *added]) == sorted([*other, *dropped])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_as_another_editor_saves_it(encoding: str, tmp_path: Path) -> None:
    path = text_of(DATA / "trial.md", tmp_path)
    path.write_bytes(path.read_text("utf-8").replace("\n", "\r\n").encode(encoding))
    assert is_text_file(path)
    found = read_text_file(path)
    assert found.edits is not None and found.edits.found == ()
    assert found.book.chapters[0].paragraphs == read_book(DATA / "trial.md").chapters[0].paragraphs
