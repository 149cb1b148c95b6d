"""Plain text as it is found: contents pages, numbered chapters, lines, pages, brackets, notes."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.narration.account import account
from experiments.narration.book import Book, Reason
from experiments.narration.reading.book import read_book
from experiments.narration.reading.txt.hyphens import whole_words
from experiments.narration.reading.txt.numbers import value

LONG = "He went to the town and bought the bread that his wife had wanted"
"""A line of prose that is broken to a width."""


def read(tmp_path: Path, text: str) -> Book:
    path = tmp_path / "book.txt"
    path.write_text(text, encoding="utf-8")
    book = read_book(path)
    found = account(book)
    assert found.source == found.spoken + found.left_out
    return book


def titles(tmp_path: Path, text: str) -> list[str]:
    """Of the chapters that begin with a heading."""
    book = read(tmp_path, text)
    return [one.title for one in book.chapters if one.paragraphs[0].heading]


def paragraphs(tmp_path: Path, text: str) -> list[str]:
    """With an asterisk where a section begins."""
    book = read(tmp_path, text)
    found = [one for chapter in book.chapters for one in chapter.paragraphs]
    return [("* " if one.section else "") + " ".join(one.sentences) for one in found]


def heaps(tmp_path: Path, text: str) -> dict[Reason, tuple[str, ...]]:
    found: dict[Reason, tuple[str, ...]] = {}
    for _, one in read(tmp_path, text).everything_left_out:
        found[one.reason] = (*found.get(one.reason, ()), one.text)
    return found


BODY = "CHAPTER I. The Start\n\nIt began.\n\nCHAPTER II.\nThe End\n\nIt ended.\n"


@pytest.mark.parametrize(
    "contents",
    [
        "Contents\n\n CHAPTER I. The Start\n CHAPTER II. The End\n",
        "TABLE OF CONTENTS\n\nChapter I: The Start ........ 1\n\nChapter II: The End ........ 14\n",
        "CONTENTS\n\n                        PAGE\nI. The Start            1\nII. The End            20\n",
        " CHAPTER I. The Start\n CHAPTER II. The End\n",
        " CHAPTER I. The Start      1\n CHAPTER II. The End     20\n",
    ],
)
def test_a_contents_page_is_left_out(tmp_path: Path, contents: str) -> None:
    text = f"{contents}\n\n{BODY}"
    assert titles(tmp_path, text) == ["CHAPTER I. The Start", "CHAPTER II. The End"]
    assert heaps(tmp_path, text) == {Reason.CONTENTS: (" ".join(contents.split()),)}


@pytest.mark.parametrize(
    "text",
    [
        BODY,
        "PART ONE\n\nCHAPTER I\n\nYes.\n\nPART TWO\n\nCHAPTER I\n\nNo.\n",
        "The contents\n\nwere spoiled.\n\nContents\n\nA box.\n",
    ],
)
def test_headings_that_do_not_come_again_are_no_contents(tmp_path: Path, text: str) -> None:
    assert heaps(tmp_path, text) == {}


def test_a_chinese_contents_page(tmp_path: Path) -> None:
    text = "目录\n第一章 开始\n第二章 结束\n\n正文 第一章 开始\n\n他来了。\n\n正文 第二章 结束\n\n他走了。\n"
    assert titles(tmp_path, text) == ["正文 第一章 开始", "正文 第二章 结束"]


@pytest.mark.parametrize(
    "headings",
    [
        ("1", "2"), ("1.", "2."), ("One", "Two"), ("I", "II"), ("1. The Start", "2. The End"),
        ("One: The Start", "Two: The End"), ("I. The Start", "II. The End"), ("1、起点", "2、终点"),
    ],
)  # fmt: skip
def test_numbers_that_run_through_the_file_are_headings(tmp_path: Path, headings: tuple[str, str]) -> None:
    first, second = headings
    assert titles(tmp_path, f"{first}\n\nIt began.\n\n{second}\n\nIt ended.\n") == [first, second]


@pytest.mark.parametrize(
    "text",
    [
        "1. A coat.\n\n2. A hat.\n\nThat is all.\n",
        "1. He took a coat.\n\nIt was cold.\n\n2. He took a hat.\n\nIt rained.\n",
        "X. The Stone\n\nIt fell.\n\nXII. The Tree\n\nIt stood.\n",
        "He went to\n\n1\n\nthe town. It was\n\n2\n\nfar. He came\n\n3\n\nback.\n",
        "one\n\nIt began.\n\ntwo\n\nIt ended.\n",
    ],
)
def test_numbers_of_lists_and_pages_are_no_headings(tmp_path: Path, text: str) -> None:
    assert titles(tmp_path, text) == []


@pytest.mark.parametrize(
    "heading",
    [
        "Prologue: The Storm", "Epilogue — Later", "~ Chapter Eleven ~", "[Chapter 10]", "chapter fourteen",
        "Author’s Note", "Acknowledgements", "Appendix A", "Stave One", "CHAPTER THE FOURTH",
        "Chapter One Hundred and One", "CHAPTER II. In which he is convinced he has found\nhis own ideal",
        "【第三章】", "楔子 雨夜", "卷一 春", "番外 一", "正文 第一章 开始",
    ],
)  # fmt: skip
def test_headings_by_their_words(tmp_path: Path, heading: str) -> None:
    text = f"{heading}\n\nIt began.\n\nChapter 99\n\nIt ended.\n"
    assert titles(tmp_path, text) == [" ".join(heading.split()), "Chapter 99"]


@pytest.mark.parametrize(
    "sentence",
    [
        "Part German, part Irish, he had come to New York with his brothers\nin the spring of that year.",
        "Chapter 5, Verse 3 says that John went down to the river with his men\nand that he came.",
        "Letter A was missing.", "Book Club met on Mondays.", "Part Three, said the voice.",
        "Introduction to the book he had none.", "Appendix and all, it was heavy.", "Act now.",
        "Chapter 7 He left the house.", "正文在这里。", "楔子在木头里。", "第三节车厢里没有人",
    ],
)  # fmt: skip
def test_sentences_that_begin_like_headings(tmp_path: Path, sentence: str) -> None:
    text = f"Chapter 1\n\nIt began.\n\n{sentence}\n\nChapter 2\n\nIt ended.\n"
    assert titles(tmp_path, text) == ["Chapter 1", "Chapter 2"]


def test_a_sentence_below_a_heading_is_none_of_it(tmp_path: Path) -> None:
    text = "CHAPTER I\nThe Start\n\nYes.\n\nCHAPTER II\nIt ended there\nand then.\n"
    assert titles(tmp_path, text) == ["CHAPTER I The Start", "CHAPTER II"]


def test_where_numbers_run_capitals_are_no_chapters(tmp_path: Path) -> None:
    text = "I\n\nHe read the sign.\n\nNO ENTRY\n\nHe went in.\n\nII\n\nThe end.\n"
    assert titles(tmp_path, text) == ["I", "II"]
    without = "THE SIGN\n\nHe read it.\n\nTHE DOOR\n\nHe went in.\n"
    assert titles(tmp_path, without) == ["THE SIGN", "THE DOOR"]
    stories = f"THE SIGN\n\n{text}\nTHE DOOR\n\n{text}"
    assert titles(tmp_path, stories) == ["THE SIGN", "I", "II", "THE DOOR", "I", "II"]


@pytest.mark.parametrize("line", ["P.S.", "S. H.", "10:30", "1,000", "50%", "THE END", "FINIS", "- END -"])
def test_a_heading_has_a_word(tmp_path: Path, line: str) -> None:
    text = f"THE SIGN\n\nHe read it.\n\nTHE DOOR\n\nHe went in.\n\n{line}\n\nYes.\n"
    assert titles(tmp_path, text) == ["THE SIGN", "THE DOOR"]
    assert line in paragraphs(tmp_path, text)


def test_a_paragraph_a_line_with_empty_lines_around_headings(tmp_path: Path) -> None:
    text = (
        "Chapter One\n\nHe left the house\nNobody saw him go.\n* * *\nLater he ate.\n\nChapter Two\n\nEnd.\n"
    )
    assert paragraphs(tmp_path, text) == [
        "Chapter One", "He left the house", "Nobody saw him go.", "* Later he ate.", "Chapter Two", "End.",
    ]  # fmt: skip


def test_indents_with_empty_lines_around_headings(tmp_path: Path) -> None:
    body = f"     {LONG}\nfor a long time. He went home.\n     “Yes,” he said.\n     {LONG}\nonce more.\n"
    assert paragraphs(tmp_path, f"CHAPTER I\n\n{body}\nCHAPTER II\n\n{body}")[1:4] == [
        f"{LONG} for a long time. He went home.", "“Yes,” he said.", f"{LONG} once more.",
    ]  # fmt: skip


def test_empty_lines_between_broken_paragraphs_are_the_only_ends(tmp_path: Path) -> None:
    """Verse, letters and short lines within them stay as they are."""
    verse = "“How doth the little crocodile\n    Improve his shining tail,\nAnd pour the waters of the Nile."
    prose = f"{LONG}\n{LONG}\nfor him."
    text = "\n\n".join([*[prose] * 4, verse, "London.\nMy dear son.", prose])
    assert len(paragraphs(tmp_path, text)) == 7
    poem = "Sugar is sweet,\nAnd so are you.\n\nRoses are red,\nViolets are blue,\nAnd so on.\n"
    assert len(paragraphs(tmp_path, poem)) == 2


def test_a_break_within_a_block_stands_alone(tmp_path: Path) -> None:
    text = f"{LONG}\n{LONG}\nfor him.\n***\n{LONG}\nagain.\n\n{LONG}\nthen.\n"
    assert paragraphs(tmp_path, text)[1] == f"* {LONG} again."


@pytest.mark.parametrize(
    "between",
    [
        "\n12\n",
        "\n\n12\n\n",
        "\n\n12\n\n\f",
        "\n\n\f12\n\n",
        "\n\n\fTHE LONG ROAD\n\n",
        "\n\n3\n\n\fTHE ROAD\n\n",
    ],
)
def test_a_sentence_over_two_pages_is_whole(tmp_path: Path, between: str) -> None:
    text = f"One.\n\nHe stood up and{between}walked to the door.\n"
    assert paragraphs(tmp_path, text) == ["One.", "He stood up and walked to the door."]


def test_headers_that_recur(tmp_path: Path) -> None:
    pages = [f"{n}   The Long Road\n\nHe saw it.\n\n{LONG}" for n in range(2, 6)]
    text = f"{LONG}\n\f" + "\n\n\f".join([f"The Long Road  1\n\nand home. {LONG}", *pages, "Yes.\n"])
    assert len(heaps(tmp_path, text)[Reason.HEADER]) == 5
    assert not any("Road" in one for one in paragraphs(tmp_path, text))


def test_text_at_the_top_of_a_page_is_no_header(tmp_path: Path) -> None:
    text = "One.\n\nHe saw that\n\f5 men came\nhome and that\n\f1920 was\ngone.\n"
    assert heaps(tmp_path, text) == {}
    far = "One.\n\nHe saw\n\f5     Jane Doe\nthem.\n"
    assert paragraphs(tmp_path, far) == ["One.", "He saw them."]


def test_headings_at_the_top_of_pages_stay(tmp_path: Path) -> None:
    text = "\f".join(f"Day {n}\n\nIt rained.\n\n" for n in range(1, 5))
    assert paragraphs(tmp_path, text)[::2] == ["Day 1", "Day 2", "Day 3", "Day 4"]
    text = "\f".join(f"Chapter {n}\n\nIt rained.\n\n{n}\n" for n in range(1, 5))
    assert titles(tmp_path, text) == ["Chapter 1", "Chapter 2", "Chapter 3", "Chapter 4"]


def test_roman_numbers_of_pages(tmp_path: Path) -> None:
    text = "It was.\n\nvii\n\n\fHe came.\n\nviii\n\n\fYes.\n"
    assert heaps(tmp_path, text) == {Reason.PAGE_NUMBER: ("vii", "viii")}
    assert heaps(tmp_path, "It was.\n\n- vii -\n\nYes.\n") == {Reason.PAGE_NUMBER: ("- vii -",)}
    assert paragraphs(tmp_path, "He read:\n\nmix\n\nYes.\n") == ["He read:", "mix", "Yes."]


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("the sta¬\ntion", "the station"), ("the morn\u00ad\ning", "the morning"),
        ("the plat- \nform", "the platform"), ("the qoph¬ \n yz", "the qophyz"), ("re-\nfined", "refined"),
        ("was-\nn’t", "wasn’t"), ("a well-\nknown", "a well-known"), ("father-in-\nlaw", "father-in-law"),
        ("ex-\npresident", "ex-president"),
    ],
)  # fmt: skip
def test_words_over_two_lines(broken: str, whole: str) -> None:
    assert whole_words(broken) == whole


def test_a_word_over_two_pages(tmp_path: Path) -> None:
    text = "He came by the plat-\n\n12\n\n\fform and left.\n\nEnd.\n"
    assert paragraphs(tmp_path, text) == ["He came by the platform and left.", "End."]


@pytest.mark.parametrize(
    ("text", "reason", "spoken"),
    [
        ("He[A] came.\n\n[Footnote A: In 1914.]", Reason.FOOTNOTE, ["He came."]),
        ("He[1] came.\n\n[Footnote 1: One.\n\nTwo [sic].]\n\nYes.", Reason.FOOTNOTE, ["He came.", "Yes."]),
        ("[Illustration: He came\n\n_by Doe_]\n\nYes.", Reason.PICTURE, ["Yes."]),
        ("He [Pg 12]left the king[Pg 13]dom.", Reason.PAGE_NUMBER, ["He left the kingdom."]),
        ("[Transcriber's Note: Errors are mended.]\n\nYes.", Reason.COMMENT, ["Yes."]),
        ("[Sidenote: A note]\n\nYes.", Reason.FOOTNOTE, ["Yes."]),
    ],
)
def test_brackets(tmp_path: Path, text: str, reason: Reason, spoken: list[str]) -> None:
    assert paragraphs(tmp_path, text) == spoken
    assert reason in heaps(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    ["[Illustration: He came.\n\nYes.", "[Footnote 1: One.\n\n[Illustration]", "He [A] came.", "[He left.]"],
)
def test_brackets_that_stay(tmp_path: Path, text: str) -> None:
    assert paragraphs(tmp_path, text)[0] == text.split("\n")[0]


def test_numbers_of_notes_at_words(tmp_path: Path) -> None:
    text = "The king died.1 His son ruled.”2\n\n1. Livy.\n2. Ibid.\n\nYes.\n"
    assert paragraphs(tmp_path, text) == ["The king died. His son ruled.”", "Yes."]
    assert heaps(tmp_path, text) == {
        Reason.FOOTNOTE_MARK: ("1", "2"),
        Reason.FOOTNOTE: ("1. Livy.", "2. Ibid."),
    }


@pytest.mark.parametrize(
    "text", ["He died.1 Yes.\n\n2. Livy.\n", "See No.1 Now.\n\n1. Livy.\n", "He had 1.\n\n1. Livy.\n"]
)
def test_numbers_that_are_none_of_notes(tmp_path: Path, text: str) -> None:
    assert heaps(tmp_path, text) == {}


def test_an_underlined_heading(tmp_path: Path) -> None:
    assert paragraphs(tmp_path, "Chapter One\n===========\n\nYes.\n") == ["Chapter One", "Yes."]
    assert paragraphs(tmp_path, "He slept.\n---------\n\nYes.\n") == ["He slept.", "* Yes."]


def test_broken_chinese_lines_get_no_spaces(tmp_path: Path) -> None:
    text = "因曾歷過一番夢幻之後，故將真事\n隱去，而借此。\n\n书名：长路\n作者：某人\n"
    assert paragraphs(tmp_path, text) == [
        "因曾歷過一番夢幻之後，故將真事隱去，而借此。",
        "书名：长路 作者：某人",
    ]


def test_numbers_of_verses(tmp_path: Path) -> None:
    lines = [f"The line of verse{'     ' + str(n) if n % 5 == 0 else ''}" for n in range(1, 16)]
    assert heaps(tmp_path, "\n".join(lines)) == {Reason.PAGE_NUMBER: ("5", "10", "15")}
    prices = "Apples     5\nPears     10\nPlums     15\n"
    assert heaps(tmp_path, prices) == {}


@pytest.mark.parametrize(
    ("number", "is_value"),
    [("12", 12), ("XIV", 14), ("Twenty-One", 21), ("one hundred and two", 102), ("twelfth", 12), ("no", 0)],
)
def test_values(number: str, is_value: int) -> None:
    assert value(number) == is_value
