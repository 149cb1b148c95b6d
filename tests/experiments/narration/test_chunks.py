"""Chunks: no word is lost, none is too long, and an edit of a sentence changes no other chunk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.narration.book import Book, Boundary, Chapter, Paragraph, Source, letters
from experiments.narration.chunks import PACKINGS, Chunk, Packing, chunks
from experiments.narration.lexicon import Entry
from experiments.narration.readable import check_readable
from experiments.narration.reading.book import read_book
from experiments.narration.sentences import sentences
from llasa_core.errors import UserError
from llasa_core.text import spoken_form
from llasa_core.text.alphabet import LLASA, NANO
from tests.experiments.narration.books import DATA

LLASA_PACKING = PACKINGS["llasa"]
LONG = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of "
    "foolishness; it was the epoch of belief, on Jan. 3rd, 2021, it was the epoch of incredulity, it was the "
    "season of Light and of $1,250.50, it was the season of Darkness and nothing else."
)


def book_of(*paragraphs: str, language: str = "en") -> Book:
    found = tuple(Paragraph(tuple(sentences(one, language))) for one in paragraphs)
    return Book("A", language, (Chapter(1, "One", found),), Source(Path("a.txt"), "", 0))


def ids(found: tuple[Chunk, ...]) -> set[str]:
    return {one.id for one in found}


@pytest.mark.parametrize("paper", [False, True])
@pytest.mark.parametrize("name", ["trial.epub", "trial.docx", "trial.txt", "trial.md"])
def test_no_word_is_lost_between_a_book_and_its_chunks(name: str, paper: bool) -> None:
    book = read_book(DATA / name)
    found = chunks(book, replace(LLASA_PACKING, paper=paper))
    for chapter in book.chapters:
        spoken = "".join(one.written for one in found if one.chapter == chapter.number)
        wanted = "".join(one for paragraph in chapter.paragraphs for one in paragraph.sentences)
        assert letters(spoken) == letters(wanted)


WORDS = st.sampled_from(
    ["Huh!", "Yes.", "Dr. Lee", "went,", "and", "3.14", "“No,”", "he said.", "他来了。", "very;"]
)


@given(st.lists(st.lists(WORDS, max_size=120), max_size=4), st.booleans(), st.sampled_from(["en", "zh"]))
def test_no_word_is_lost(paragraphs: list[list[str]], paper: bool, code: str) -> None:
    texts = [" ".join(one) for one in paragraphs if one]
    found = chunks(book_of(*texts, language=code), replace(PACKINGS["nano"], paper=paper))
    assert letters("".join(one.written for one in found)) == letters("".join(texts))
    assert len(ids(found)) == len(found)
    assert all(any(map(str.isalnum, one.written)) for one in found)


def test_long_sentences_are_cut_behind_clauses_and_every_part_is_spoken_as_in_the_whole() -> None:
    found = chunks(book_of(LONG), Packing(target=5, most=6))
    assert all(one.seconds <= 6 for one in found)
    assert all(one.written.endswith((",", ";", ".")) for one in found)
    assert letters("".join(one.spoken for one in found)) == letters(spoken_form(LONG).spoken)
    assert [one.ends for one in found[:-1]] == [Boundary.CLAUSE] * (len(found) - 1)
    assert found[-1].ends is Boundary.CHAPTER


def test_what_has_no_place_to_cut_is_cut_all_the_same() -> None:
    found = chunks(book_of("他" * 200, language="zh"), Packing(target=8, most=10))
    assert len(found) > 4
    assert all(one.seconds <= 10 for one in found)


def test_sentences_are_packed_and_short_ones_carried() -> None:
    found = chunks(book_of("Huh! He walked home along the river. No.", "Yes."), LLASA_PACKING)
    assert [one.written for one in found] == ["Huh! He walked home along the river. No.", "Yes."]
    assert [one.guarded for one in found] == [False, True]
    assert [one.ends for one in found] == [Boundary.PARAGRAPH, Boundary.CHAPTER]


def test_chinese_is_joined_without_spaces() -> None:
    found = chunks(book_of("他来了。她走了！谁知道呢？", language="zh"), LLASA_PACKING)
    assert [one.written for one in found] == ["他来了。她走了！谁知道呢？"]


@pytest.mark.parametrize(("length", "count"), [(100, 1), (101, 2), (200, 2), (201, 3), (350, 4)])
def test_the_paper_s_rule(length: int, count: int) -> None:
    text = ("some words, and more of them " * 20)[: length - 2] + "x."
    assert len(text) == length
    found = chunks(book_of(text), Packing(paper=True))
    assert len(found) == count


def test_an_edit_changes_the_id_of_its_own_chunk_alone() -> None:
    paragraphs = [f"He walked on for {n} miles by the river. Nobody said a word. {LONG} Yes." for n in "2468"]
    before = ids(chunks(book_of(*paragraphs), LLASA_PACKING))
    for number, paragraph in enumerate(paragraphs):
        edited = [*paragraphs]
        edited[number] = paragraph.replace("walked", "rambled", 1).replace("rambled", "marched", 1)
        after = ids(chunks(book_of(*edited), LLASA_PACKING))
        assert len(before - after) == len(after - before) == 1


def test_equal_lines_have_ids_of_their_own_and_a_new_one_leaves_them() -> None:
    before = ids(chunks(book_of("Yes.", "No.", "Yes."), LLASA_PACKING))
    after = ids(chunks(book_of("Yes.", "Yes.", "No.", "Yes."), LLASA_PACKING))
    assert len(before) == 3
    assert before < after
    assert len(after) == 4


def test_the_lexicon_changes_the_keys_of_what_it_touches_and_no_id() -> None:
    book = book_of("Siobhan came.", "Nobody saw Bath.", "It rained.")
    plain = chunks(book, LLASA_PACKING)
    entry = Entry("Siobhan", "Shivawn")
    found = chunks(book, LLASA_PACKING, (entry,))
    assert ids(plain) == ids(found)
    assert [a.key == b.key for a, b in zip(plain, found, strict=True)] == [False, True, True]
    assert found[0].spoken == "Shivawn came."
    assert found[0].lexicon == (entry.key,)


def test_words_that_the_model_cannot_read() -> None:
    found = chunks(book_of("It rained.", "He said привет to pаypal."), LLASA_PACKING)  # a Cyrillic a
    with pytest.raises(UserError, match=r"Cyrillic .*'привет' in chapter 1, .* and 1 more words"):
        check_readable(found, LLASA)
    check_readable(found[:1], NANO)
    with pytest.raises(UserError, match="Han"):
        check_readable(chunks(book_of("他来了。", language="zh"), LLASA_PACKING), NANO)
    check_readable(chunks(book_of("Søren ate crème brûlée with Weiß."), LLASA_PACKING), NANO)
