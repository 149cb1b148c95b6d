"""Files that pandoc made are read as what was written; what is left out is said; no word is lost."""

from __future__ import annotations

import zipfile
from pathlib import Path

import docx
import pytest
from docx.oxml.ns import qn

from experiments.narration.account import account
from experiments.narration.book import Book, Reason, letters
from experiments.narration.reading.book import read_book
from experiments.narration.reading.html.markup import read_markup
from tests.experiments.narration.books import DATA, write_epub

FIRST = [
    "Chapter 1. The First Morning",
    "Dr. Smith paid $2.50 in 1984.",
    '"Huh!" she said.',
    "It was bold and linked.",
    "He wrote E=mc² and left.",
    "After the break, café — naïve.",
]
SECOND = ["Chapter 2. The Second Morning", "Yes.", "First item", "Second item", "Done."]
TRIALS = ("trial.md", "trial.epub", "trial-2.epub", "trial.docx")


def plain(book: Book, number: int) -> list[str]:
    """The sentences of a chapter from the end, with the quotes of a typewriter."""
    chapter = book.chapters[number]
    found = [one for paragraph in chapter.paragraphs for one in paragraph.sentences]
    return [one.replace("“", '"').replace("”", '"') for one in found]


@pytest.mark.parametrize("name", TRIALS)
def test_every_format_gives_the_same_chapters(name: str) -> None:
    book = read_book(DATA / name)
    assert plain(book, -2) == FIRST
    assert plain(book, -1) == SECOND
    assert [one.section for one in book.chapters[-2].paragraphs] == [False, False, False, True]
    assert book.chapters[-2].paragraphs[0].heading
    assert book.language == "en-GB"


@pytest.mark.parametrize("name", TRIALS)
def test_what_is_left_out_is_said(name: str) -> None:
    found = {heap.reason: heap for heap in account(read_book(DATA / name)).heaps}
    assert "This is the note with words in it." in found[Reason.FOOTNOTE].first[0]
    assert found[Reason.TABLE].first == ("a b 1 2",)
    assert found[Reason.CODE].first == ("code here",)
    assert "A picture of a cat" in found[Reason.PICTURE].first[0]


def test_plain_text_of_another_program() -> None:
    book = read_book(DATA / "trial.txt")
    assert [chapter.title for chapter in book.chapters] == [FIRST[0], SECOND[0]]
    assert plain(book, 0)[:5] == FIRST[:5]
    found = {heap.reason: heap.words for heap in account(book).heaps}
    assert found == {Reason.FOOTNOTE_MARK: 1, Reason.FOOTNOTE: 9, Reason.TABLE: 4}


@pytest.mark.parametrize("name", (*TRIALS, "trial.txt"))
def test_the_account_adds_up(name: str) -> None:
    found = account(read_book(DATA / name))
    assert found.source == found.spoken + found.left_out


def test_every_letter_of_markup_is_spoken_or_left_out() -> None:
    """One-word sentences, drop capitals, entities, notes, page numbers: all is in the blocks, in order."""
    document = read_markup(
        '<body><h2>I</h2><p><span>C</span>all me&nbsp;Ishmael.<a id="p9" class="pagenum">[9]</a> Huh!</p>'
        "loose text<div>in a <b>div</b><p>and a paragraph</p>behind it</div>"
        "<table><tr><td>1</td></tr></table>"
        '<p>Noted<sup><a href="#n1">1</a></sup> here.</p><p id="n1">1. A note.</p>'
        '<p hidden="">gone</p></body>',
        "a page",
    )
    pieces = [piece for block in document.blocks for piece in block.pieces]
    assert letters("".join(piece.text for piece in pieces)) == letters(document.written)
    spoken = [block.text for block in document.blocks if block.text]
    assert spoken == [
        "I", "Call me Ishmael. Huh!", "loose text", "in a div", "and a paragraph", "behind it", "Noted here.",
        "1. A note.",
    ]  # fmt: skip
    reasons = [piece.reason for piece in pieces if piece.reason]
    assert reasons == [Reason.PAGE_NUMBER, Reason.TABLE, Reason.FOOTNOTE_MARK, Reason.HIDDEN]


@pytest.mark.parametrize(
    "page",
    [
        "<body><p>One<img alt='two'>three</img>four<br>five</br></p><hr>six</hr></body>",
        "<html><head><title>no</title><body><p>One</p></body><p>two</p></head></html>",
        "<div><p>One</p>two<!-- no --> three<?no no?> four<script>no</script></div>",
        "<body><p>One<p>two<body>three</body>four</body>",
    ],
)
def test_odd_markup_loses_nothing(page: str) -> None:
    document = read_markup(page, "a page")
    read = letters("".join(piece.text for block in document.blocks for piece in block.pieces))
    assert read == letters(document.written)
    assert read.startswith("One")
    assert "no" not in read


def test_a_note_is_found_by_the_mark_that_links_to_it(tmp_path: Path) -> None:
    pages = {
        "one.xhtml": '<h1>One</h1><p id="r1">He left.<sup><a href="notes.xhtml#n1">1</a></sup></p>',
        "notes.xhtml": '<p id="n1"><sup><a href="one.xhtml#r1">1</a></sup> Nobody knows why.</p>',
    }
    book = read_book(write_epub(tmp_path / "a.epub", pages))
    assert [s for c in book.chapters for p in c.paragraphs for s in p.sentences] == ["One", "He left."]
    heaps = {heap.reason: heap for heap in account(book).heaps}
    assert heaps[Reason.FOOTNOTE].first == ("Nobody knows why.",)


def test_powers_are_spoken_and_raised_marks_are_not(tmp_path: Path) -> None:
    pages = {"a.xhtml": "<h1>One</h1><p>x<sup>2</sup> and 10 m<sup>2</sup> here.<sup>3</sup> Yes.</p>"}
    book = read_book(write_epub(tmp_path / "a.epub", pages))
    assert book.chapters[0].paragraphs[1].sentences == ("x² and 10 m² here.", "Yes.")


def test_text_that_is_no_well_formed_xml_is_read_as_html(tmp_path: Path) -> None:
    pages = {"a.xhtml": "<h1>One</h1><p>It <i>rained</i><br>all day.<p>Huh!"}
    book = read_book(write_epub(tmp_path / "a.epub", pages))
    found = [one.sentences for one in book.chapters[0].paragraphs]
    assert found == [("One",), ("It rained all day.",), ("Huh!",)]


def test_gutenberg_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(
        "Produced by nobody\n\n*** START OF THE PROJECT GUTENBERG EBOOK A ***\n\n"
        "CHAPTER I.\n\nIt was\ncold.\n\n[Illustration: A man]\n\n- 12 -\n\n* * *\n\nHuh!\n\n"
        "CHAPTER II\n\nThe end[1] came.\n\n[1] A note.\n\n"
        "*** END OF THE PROJECT GUTENBERG EBOOK A ***\n\nLicence words.\n",
        encoding="utf-8",
    )
    book = read_book(path)
    assert [chapter.title for chapter in book.chapters] == ["CHAPTER I.", "CHAPTER II"]
    first, second = ([s for p in c.paragraphs for s in p.sentences] for c in book.chapters)
    assert first == ["CHAPTER I.", "It was cold.", "Huh!"]
    assert second == ["CHAPTER II", "The end came."]
    assert book.chapters[0].paragraphs[2].section
    found = account(book)
    assert {heap.reason for heap in found.heaps} == {
        Reason.LICENCE, Reason.PICTURE, Reason.PAGE_NUMBER, Reason.FOOTNOTE, Reason.FOOTNOTE_MARK,
    }  # fmt: skip
    assert found.source == found.spoken + found.left_out


@pytest.mark.parametrize("line", ["Part of it was gone by then.", "Book two rooms, please.", "12 men came."])
def test_a_sentence_is_no_heading(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"Chapter 1\n\nYes.\n\n{line}\n\nChapter 2\n\nNo.\n", encoding="utf-8")
    assert len(read_book(path).chapters) == 2


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# The Clock\n\nIt stood.\n", "The Clock"),
        ("# The Clock\n\n## One\n\nIt stood.\n\n## Two\n\nIt ran.\n", "The Clock"),
        ("---\ntitle: Harbour\n---\n\n# The Clock\n\nIt stood.\n", "Harbour"),
        ("# One\n\nIt stood.\n\n# Two\n\nIt ran.\n", "story"),
        ("## One\n\nIt stood.\n\n# Late\n\nIt ran.\n", "story"),
        ("It stood.\n", "story"),
    ],
)
def test_the_title_of_a_book_is_its_only_top_heading(tmp_path: Path, text: str, title: str) -> None:
    file = tmp_path / "story.md"
    file.write_text(text)
    assert read_book(file).title == title


@pytest.mark.parametrize(
    ("text", "chapters"),
    [
        (
            f"CHAPTER I\nIt was {'very ' * 20}dark.\n\nHe slept.\n\nCHAPTER II\nShe was {'very ' * 20}old.\n",
            ["CHAPTER I", "CHAPTER II"],
        ),
        (
            "第一章 山村\n\u3000\u3000他来了。\n\u3000\u3000她走了。\n\n第二章 大海\n\u3000\u3000船开了。\n",
            ["第一章 山村", "第二章 大海"],
        ),
        ("2008年，他离开了北京。\n\nA先生说了很多话。他笑了。\n\nDNA是生命的密码。我们都知道。\n", ["a"]),
    ],
)
def test_headings_of_plain_text(tmp_path: Path, text: str, chapters: list[str]) -> None:
    """On the first line of a paragraph, and none in Chinese text that says it is one by nothing."""
    path = tmp_path / "a.txt"
    path.write_text(text, encoding="utf-8")
    book = read_book(path)
    assert [one.title for one in book.chapters] == chapters
    headings = [s for c in book.chapters for p in c.paragraphs if p.heading for s in p.sentences]
    assert headings == [one for one in chapters if one != "a"]
    found = account(book)
    assert found.source == found.spoken + found.left_out


def test_every_document_of_an_epub_is_spoken_or_left_out(tmp_path: Path) -> None:
    page = "<html><body><p>{}</p></body></html>"
    path = write_epub(
        tmp_path / "a.epub",
        {"one.xhtml": "<h1>One</h1><p>Hello there.</p>", "two.xhtml": "<p>It rained.</p>"},
        contents='<nav><ol><li><a href="one.xhtml">One</a></li>'
        '<li><a href="two.xhtml#gone">Two</a></li></ol></nav>',
        more={
            "OEBPS/OLD.HTM": page.format("An old page."),
            "OEBPS/new.xml": page.format("A new page."),
            "OEBPS/art.svg": '<svg xmlns="http://www.w3.org/2000/svg"><text>Drawn words</text></svg>',
            "OEBPS/extra.xhtml": page.format("Not in the order."),
        },
    )
    kinds = {"OLD.HTM": "text/x-oeb1-document", "new.xml": "application/xml", "art.svg": "image/svg+xml"}
    listed = "".join(f'<item id="{name}" href="{name}" media-type="{kind}"/>' for name, kind in kinds.items())
    listed += '<item id="extra" href="extra.xhtml" media-type="application/xhtml+xml"/>'
    order = "".join(f'<itemref idref="{name}"/>' for name in kinds)
    edited = tmp_path / "b.epub"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(edited, "w") as new:
        for name in old.namelist():
            text = old.read(name).decode()
            if name.endswith("book.opf"):
                text = text.replace("</manifest>", f"{listed}</manifest>").replace(
                    "</spine>", f"{order}</spine>"
                )
            new.writestr(name, text)
    book = read_book(edited)
    spoken = [s for c in book.chapters for p in c.paragraphs for s in p.sentences]
    assert spoken == ["One", "Hello there.", "It rained.", "An old page.", "A new page."]
    assert [one.title for one in book.chapters] == ["One", "Two"]  # a link that leads nowhere is the file's
    heaps = {heap.reason: heap.first for heap in account(book).heaps}
    assert heaps[Reason.ASIDE] == ("Not in the order.",) and heaps[Reason.PICTURE] == ("Drawn words",)


def test_words_that_are_left_out_are_counted_as_they_are_set(tmp_path: Path) -> None:
    pages = {"a.xhtml": "<h1>One</h1><p>Yes.</p><table><tr><td>Name</td><td>Age</td></tr></table>"}
    heaps = {heap.reason: heap for heap in account(read_book(write_epub(tmp_path / "a.epub", pages))).heaps}
    assert (heaps[Reason.TABLE].words, heaps[Reason.TABLE].first) == (2, ("Name Age",))
    document = docx.Document()
    seen = document.add_paragraph("He said: ").add_run("Not hidden.")
    vanish = seen._r.get_or_add_rPr().makeelement(qn("w:vanish"), {qn("w:val"): "0"})
    seen._r.rPr.append(vanish)
    cells = document.add_table(1, 2).rows[0].cells
    for cell, parts in zip(cells, (("foot", "ball"), ("ga", "me")), strict=True):
        for part in parts:
            cell.paragraphs[0].add_run(part)
    document.save(str(tmp_path / "a.docx"))
    book = read_book(tmp_path / "a.docx")
    assert [s for c in book.chapters for p in c.paragraphs for s in p.sentences] == ["He said: Not hidden."]
    (heap,) = account(book).heaps
    assert (heap.reason, heap.words, heap.first) == (Reason.TABLE, 2, ("football game",))


WRAPPED = """\
CHAPTER I
It was a bright cold day in April, and the clocks were striking
thirteen. Winston Smith, his chin nuzzled into his breast in an
effort to escape the vile wind, slipped quickly through.
The hallway smelt of boiled cabbage and old rag mats. At one
end of it a coloured poster, too large for indoor display, had
been tacked to the wall. It depicted simply an enor-
mous face, well-
known.
CHAPTER II
Outside, even through the shut window-pane, the world looked
cold.
"""


def paragraphs(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "book.txt"
    path.write_text(text)
    book = read_book(path)
    found = account(book)
    assert found.source == found.spoken + found.left_out
    return [" ".join(one.sentences) for chapter in book.chapters for one in chapter.paragraphs]


def test_lines_that_were_broken_to_a_width_are_paragraphs_without_empty_lines(tmp_path: Path) -> None:
    one, first, second, two, third = paragraphs(tmp_path, WRAPPED)
    assert (one, two) == ("CHAPTER I", "CHAPTER II")
    assert first.startswith("It was a bright") and first.endswith("slipped quickly through.")
    assert second.endswith("simply an enormous face, well-known.")
    assert third == "Outside, even through the shut window-pane, the world looked cold."


@pytest.mark.parametrize(
    "text",
    [
        "Yes.\nNo.\nMaybe so.\n",
        "One thing\nAnother thing\nA third thing\n",
        "Roses are red,\nViolets are blue,\nSugar is sweet,\nAnd so are you.\n",
        "He said that the first thing to do was to go to the market.\nThen they should buy for the week.\n",
    ],
)
def test_lines_of_their_own_stay_so(tmp_path: Path, text: str) -> None:
    assert paragraphs(tmp_path, text) == text.splitlines()


def test_numbers_of_pages_within_a_sentence_are_left_out(tmp_path: Path) -> None:
    lines = WRAPPED.splitlines()
    numbered = "\n".join([*lines[:3], "12", *lines[3:]])
    assert paragraphs(tmp_path, numbered) == paragraphs(tmp_path, WRAPPED)
    page = "They walked along the shore,\n\n12\n\n\fand then home.\n\nA new one.\n"
    assert paragraphs(tmp_path, page) == ["They walked along the shore, and then home.", "A new one."]


def test_indented_bodies_and_single_long_lines_are_unwrapped_too(tmp_path: Path) -> None:
    first, *body = WRAPPED.splitlines()
    told = paragraphs(tmp_path, "\n".join([first, *(f"  {line}" for line in body)]))
    assert told == paragraphs(tmp_path, WRAPPED)
    with_link = WRAPPED.replace("cold.\n", f"cold.\nhttps://a.example/{'x' * 120}\n")
    assert paragraphs(tmp_path, with_link)[:4] == paragraphs(tmp_path, WRAPPED)[:4]


def test_chinese_paragraphs_of_one_line_stay_apart(tmp_path: Path) -> None:
    text = "他每天早上都要去河边走一走，看看那些船是怎样从上游慢慢地开下来的，一直到太阳升起来。\n" * 4
    assert len(paragraphs(tmp_path, text)) == 4


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("She was blue-\neyed.", "She was blue-eyed."),
        ("They were fifty-\nfive men.", "They were fifty-five men."),
        ("W-w-\nwhat is it?", "W-w-what is it?"),
        ("It was pre-\nand post-war.", "It was pre- and post-war."),
        (
            "It was enor-\nmous and some-\nthing of a car-\npenter.",
            "It was enormous and something of a carpenter.",
        ),
    ],
)
def test_words_over_two_lines(tmp_path: Path, broken: str, whole: str) -> None:
    assert paragraphs(tmp_path, f"One.\n\n{broken}\n") == ["One.", whole]


def test_a_heading_at_the_end_of_a_page_stays_one(tmp_path: Path) -> None:
    assert paragraphs(tmp_path, "THE STORM\n\n\fthe sea was high.\n\nYes.\n")[:2] == [
        "THE STORM",
        "the sea was high.",
    ]


def test_a_page_that_ends_within_a_sentence_ends_no_paragraph(tmp_path: Path) -> None:
    text = "It was\n\flate when he ar-\nrived.\n\fThen he left.\n\nThe well-known and the well-\nknown.\n"
    assert paragraphs(tmp_path, text) == [
        "It was late when he arrived.",
        "Then he left.",
        "The well-known and the well-known.",
    ]
