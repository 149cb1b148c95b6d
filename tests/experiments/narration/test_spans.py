"""Emotions of a part of a line in the text file: what is a mark, what is text, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.narration.book import Book, Boundary, Chapter, Paragraph, Source, count_words
from experiments.narration.chunks import PACKINGS, chunks
from experiments.narration.quotes import with_speakers
from experiments.narration.reading.book import read_book
from experiments.narration.text_file import read_text_file, written
from llasa_core.errors import UserError


def text_file(folder: Path, body: str) -> Path:
    path = folder / "book.txt"
    path.write_text(f"#! llasa-search narration text\n# language: en\n=== One\n\n{body}\n", "utf-8")
    return path


def parts(folder: Path, body: str) -> list[tuple[str, str | None, str | None, bool]]:
    """Of a file: text, speaker, emotion, and whether a part continues."""
    found = read_text_file(text_file(folder, body)).book.chapters[0].paragraphs
    return [("|".join(one.sentences), one.speaker, one.emotion, one.continues) for one in found]


def test_a_part_of_a_line_has_its_own_emotion(tmp_path: Path) -> None:
    body = "It was late. She said {sad} very quietly {/}, and left.\nHe stayed.\n\n{happy=0.6, sad=0.2}Oh{/}!"
    assert parts(tmp_path, body) == [
        ("It was late. She said", None, None, False),
        ("very quietly,", None, "sad", True),
        ("and left.|He stayed.", None, None, True),
        ("Oh!", None, "happy=0.6, sad=0.2", False),
    ]
    found = chunks(read_text_file(text_file(tmp_path, body)).book, PACKINGS["nano"])
    assert [(one.emotion, one.ends) for one in found] == [
        (None, Boundary.CLAUSE),
        ("sad", Boundary.CLAUSE),
        (None, Boundary.PARAGRAPH),
        ("happy=0.6, sad=0.2", Boundary.CHAPTER),
    ]


def test_a_part_may_be_of_several_lines_and_stays_with_its_speaker(tmp_path: Path) -> None:
    body = "[Alice, angry] Go! {难过} No.\nI meant{/} it. {happy} Ha! {/}\n[] She left."
    assert parts(tmp_path, body) == [
        ("Go!", "Alice", "angry", False),
        ("No.|I meant", "Alice", "难过", True),
        ("it.", "Alice", "angry", True),
        ("Ha!", "Alice", "happy", True),
        ("She left.", None, None, True),
    ]


def test_other_braces_and_what_stands_behind_a_backslash_are_text(tmp_path: Path) -> None:
    assert parts(tmp_path, "A set {a, b} is {} or {bored}.\n\\{sad} is a word {/}.\n= {sad} One {/}") == [
        ("A set {a, b} is {} or {bored}.|{sad} is a word {/}.", None, None, False),
        ("{sad} One {/}", None, None, False),
    ]


def test_quotations_find_their_speaker_through_the_parts(tmp_path: Path) -> None:
    body = "“I {sad} know {/} it,” said Alice, {happy}laughing{/}. “Go!”"
    book = with_speakers(read_text_file(text_file(tmp_path, body)).book, ["Alice"])
    found = book.chapters[0].paragraphs
    assert [(one.sentences[0], one.speaker, one.emotion) for one in found] == [
        ("“I", "Alice", None),
        ("know", "Alice", "sad"),
        ("it,”", "Alice", None),
        ("said Alice,", None, None),
        ("laughing.", None, "happy"),
        ("“Go!”", "Alice", None),
    ]
    assert [one.continues for one in found] == [False, True, True, True, True, True]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("It {sad} rained.\n\nYes.", "line 6: {sad} of line 5 is not closed: write {/} behind its last word"),
        ("It {sad} rained.", "line 6: {sad} of line 5 is not closed"),
        ("It {sad} rained.\n= Two", "line 6: {sad} of line 5 is not closed"),
        ("It {sad} rained.\n[Alice] Go. {/}", "line 6: {sad} of line 5 is not closed"),
        ("Yes.\nIt {sad} rained {happy} a lot {/}.", "line 6: {sad} of line 6 is not closed"),
        ("It {sda} rained {/}.", "line 5: {/} ends nothing: unknown emotion 'sda': did you mean 'sad'?"),
        ("It {sad@7} rained {/}.", "line 5: {/} ends nothing: the emotion's strength=7: give a number"),
        ("It rained {/}.", "line 5: {/} ends nothing: begin with an emotion, as in {sad}"),
    ],
)
def test_a_mark_that_is_wrong_is_refused_with_its_line(tmp_path: Path, body: str, says: str) -> None:
    with pytest.raises(UserError) as error:
        read_text_file(text_file(tmp_path, body))
    assert says in str(error.value) and "\n" not in str(error.value)


def test_parts_change_no_word_of_the_book(tmp_path: Path) -> None:
    source, file = tmp_path / "book.md", tmp_path / "book.txt"
    source.write_text("# One\n\nShe put the letter back, and left. It is {sad} so {/}.\n", "utf-8")
    book = read_book(source)
    file.write_text(written(book, frozenset([1]), file), "utf-8")
    again = read_text_file(file)
    assert again.book.chapters[0].paragraphs == book.chapters[0].paragraphs
    file.write_text(
        file.read_text("utf-8").replace("put the letter back,", "put {sad}the letter{/} back,"), "utf-8"
    )
    marked = read_text_file(file)
    assert "sad" in [one.emotion for one in marked.book.chapters[0].paragraphs]
    assert marked.edits is not None and marked.edits.found == ()
    assert marked.book.source.words == marked.book.chapters[0].words == book.source.words


SENTENCES = st.lists(
    st.sampled_from(["a", "b.", "{sad}", "{/}", "{x}", "“", "”", "[c]", "\\", "=", "#", "{生气}"]), min_size=1
).map(" ".join)
VOICES = st.sampled_from([(None, None), ("Alice", None), ("Alice", "sad"), (None, "happy")])


@given(
    st.lists(st.tuples(SENTENCES.filter(lambda one: count_words(one) > 0), VOICES), min_size=1, max_size=4)
)
def test_whatever_a_sentence_holds_comes_back(
    tmp_path_factory: pytest.TempPathFactory, given: list[tuple[str, tuple[str | None, str | None]]]
) -> None:
    file = tmp_path_factory.mktemp("text") / "a.txt"
    paragraphs = tuple(Paragraph((text,), speaker=who, emotion=how) for text, (who, how) in given)
    book = Book("A", "en", (Chapter(1, "One", paragraphs),), Source(file.parent / "no.txt", "", 0))
    file.write_text(written(book, frozenset({1}), file), encoding="utf-8")
    assert read_text_file(file).book.chapters[0].paragraphs == paragraphs
