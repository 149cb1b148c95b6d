"""Chapters and marks of Word files, Markdown of other programs, signs between sections, Roman numbers."""

from __future__ import annotations

import zipfile
from pathlib import Path

import docx
import pytest
from docx.oxml import parse_xml

from experiments.narration.account import account
from experiments.narration.book import Book, Reason
from experiments.narration.chunks import PACKINGS, chunks
from experiments.narration.reading.book import read_book
from llasa_core.errors import UserError
from tests.experiments.narration.books import DATA

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
BODY = '<w:pPr><w:outlineLvl w:val="9"/></w:pPr>'
RAISED = '<w:vertAlign w:val="superscript"/>'


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def p(content: str, properties: str = "") -> str:
    """A paragraph of plain text or of runs."""
    inside = content if content.startswith("<") else run(content)
    return f"<w:p><w:pPr>{properties}</w:pPr>{inside}</w:p>"


def style(name: str, properties: str = "") -> str:
    identifier = name.replace(" ", "")
    return (
        f'<w:style {W} w:type="paragraph" w:customStyle="1" w:styleId="{identifier}"><w:name w:val="{name}"/>'
        f"{properties}</w:style>"
    )


def word(tmp_path: Path, *paragraphs: str, styles: tuple[str, ...] = ()) -> Book:
    document = docx.Document()
    for one in styles:
        document.styles.element.append(parse_xml(one))
    for one in paragraphs:
        document.element.body.insert(-1, parse_xml(one.replace(">", f" {W}>", 1)))
    document.save(str(tmp_path / "a.docx"))
    return checked(tmp_path / "a.docx")


def checked(path: Path) -> Book:
    book = read_book(path)
    found = account(book)
    assert found.source == found.spoken + found.left_out
    return book


def read(tmp_path: Path, name: str, text: str) -> Book:
    (tmp_path / name).write_text(text, "utf-8")
    return checked(tmp_path / name)


def spoken(book: Book) -> list[str]:
    """Paragraphs."""
    return [" ".join(one.sentences) for chapter in book.chapters for one in chapter.paragraphs]


def headings(book: Book) -> list[str]:
    return [" ".join(one.sentences) for each in book.chapters for one in each.paragraphs if one.heading]


def out(book: Book) -> list[tuple[Reason, str]]:
    return [(one.reason, one.text) for _, one in book.everything_left_out]


@pytest.mark.parametrize(
    ("properties", "extra"),
    [
        ('<w:outlineLvl w:val="0"/>', ""),
        ('<w:pStyle w:val="Mine"/>', style("Mine", '<w:basedOn w:val="Heading1"/>')),
        ('<w:pStyle w:val="Mine"/>', style("Mine", '<w:pPr><w:outlineLvl w:val="0"/></w:pPr>')),
        ('<w:pStyle w:val="CSP-ChapterTitle"/>', style("CSP - Chapter Title")),
    ],
)
def test_chapters_of_word_by_outline_level_and_style(tmp_path: Path, properties: str, extra: str) -> None:
    book = word(
        tmp_path, p("The Sea", properties), p("It rose."), p("The Land", properties), p("It lay."),
        styles=(extra,) if extra else (),
    )  # fmt: skip
    assert [one.title for one in book.chapters] == headings(book) == ["The Sea", "The Land"]


@pytest.mark.parametrize(
    ("properties", "extra"),
    [
        ('<w:outlineLvl w:val="9"/><w:pStyle w:val="Heading1"/>', ""),
        ('<w:pStyle w:val="Mine"/>', style("Mine", '<w:basedOn w:val="Mine"/>')),
        ('<w:pStyle w:val="Mine"/>', style("Mine", '<w:basedOn w:val="Title"/>')),
        ('<w:pStyle w:val="Mine"/>', style("Mine", f'<w:basedOn w:val="Heading1"/>{BODY}')),
        ('<w:pStyle w:val="Mine"/>', style("CSP - Chapter Body Text")),
    ],
)  # fmt: skip
def test_styles_that_make_no_heading(tmp_path: Path, properties: str, extra: str) -> None:
    assert headings(word(tmp_path, p("The Sea", properties), styles=(extra,) if extra else ())) == []


BOLD = ["Jane Doe", "Chapter One", "It rose.", "CHAPTER II: THE LAND", "It lay."]


def test_chapters_that_nothing_marks(tmp_path: Path) -> None:
    book = word(tmp_path, *(p(run(one, "<w:b/>")) for one in BOLD))
    assert headings(book) == ["Chapter One", "CHAPTER II: THE LAND"]
    assert [one.title for one in book.chapters] == ["(front matter)", "Chapter One", "CHAPTER II: THE LAND"]
    marked = read(
        tmp_path, "a.md", "# The Book\n\n**Chapter One**\n\nIt rose.\n\n**Chapter Two**\n\nIt lay.\n"
    )
    assert [one.title for one in marked.chapters] == ["The Book", "Chapter One", "Chapter Two"]


@pytest.mark.parametrize(
    "lines",
    [
        ["Chapter One was over.", "Part of it", "Book two rooms", "Chapter one, and", "Part civil, part not"],
        ["Chapter One", "Chapter Two", "Chapter Three"],
        ["Part 1. He left the house at ten in the morning."],
    ],
)
def test_sentences_and_lists_of_chapters_are_no_headings(tmp_path: Path, lines: list[str]) -> None:
    found = headings(word(tmp_path, *map(p, [*lines, "It rose."])))
    assert found == (["Chapter Three"] if lines[-1] == "Chapter Three" else [])


def test_marked_headings_are_enough(tmp_path: Path) -> None:
    text = "# One\n\nIt rose.\n\nChapter Two\n\n# Three\n\nIt lay.\n"
    assert headings(read(tmp_path, "a.md", text)) == ["One", "Three"]


def test_a_drop_cap_begins_the_paragraph_behind_it(tmp_path: Path) -> None:
    drop = '<w:framePr w:dropCap="drop" w:lines="3"/>'
    assert spoken(word(tmp_path, p("“O", drop), p("nce,” he said."), p("A"), p("man."))) == [
        "“Once,” he said.",
        "A",
        "man.",
    ]


def test_frames_that_hold_the_number_of_a_page(tmp_path: Path) -> None:
    frame = '<w:framePr w:wrap="around"/>'
    book = word(tmp_path, p("It rose."), p("– 7 –", frame), p("Room 7", frame), p("8"))
    assert spoken(book) == ["It rose.", "Room 7", "8"]
    assert out(book) == [(Reason.PAGE_NUMBER, "– 7 –")]


def test_a_deleted_end_of_a_paragraph_is_none(tmp_path: Path) -> None:
    gone = '<w:rPr><w:del w:id="4" w:author="A"/></w:rPr>'
    book = word(tmp_path, p("This half ", gone), p("goes on "), p("and ends."))
    assert spoken(book) == ["This half goes on", "and ends."]


@pytest.mark.parametrize(
    ("runs", "said", "marks"),
    [
        (run("He said.") + run("2", RAISED) + run(" Then."), "He said. Then.", ["2"]),
        (run("A word") + run("12", RAISED) + run(" here."), "A word here.", ["12"]),
        (run("He") + run("[3]", RAISED) + run(" left."), "He left.", ["[3]"]),
        (run("He") + run("*", '<w:rStyle w:val="FootnoteReference"/>') + run(" left."), "He left.", ["*"]),
        (run("10 m") + run("2", RAISED) + run(" of x") + run("2", RAISED), "10 m² of x²", []),
        (run("The 1") + run("st", RAISED) + run(" of May."), "The 1st of May.", []),
    ],
)
def test_raised_marks_of_notes(tmp_path: Path, runs: str, said: str, marks: list[str]) -> None:
    reference = style("FootnoteReference").replace('"paragraph"', '"character"')
    reference = reference.replace('w:name w:val="FootnoteReference"', 'w:name w:val="footnote reference"')
    book = word(tmp_path, p(runs), styles=(reference,))
    assert spoken(book) == [said]
    assert out(book) == [(Reason.FOOTNOTE_MARK, one) for one in marks]


def test_text_boxes_have_a_reason_of_their_own(tmp_path: Path) -> None:
    box = f"<w:r><w:pict><w:txbxContent>{p('A letter.')}</w:txbxContent></w:pict></w:r>"
    assert out(word(tmp_path, p(box), p("He read it."))) == [(Reason.TEXT_BOX, "A letter.")]


def test_word_files_that_are_not_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds another file within it.*save it again"):
        word(tmp_path, p("It rose."), "<w:altChunk></w:altChunk>")
    with (
        zipfile.ZipFile(DATA / "trial.docx") as old,
        zipfile.ZipFile(tmp_path / "b.docx", "w") as new,
    ):
        for name in old.namelist():
            content = old.read(name).replace(
                b"http://schemas.openxmlformats.org/officeDocument/2006/", b"http://purl.oclc.org/ooxml/officeDocument/"
            )  # fmt: skip
            new.writestr(name, content)
    with pytest.raises(UserError, match=r"Strict Open XML Document: .* save it as Word Document") as error:
        read_book(tmp_path / "b.docx")
    assert "damaged" not in str(error.value)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("# One {#one .x}", ["One"]),
        ("One {.x}\n===", ["One"]),
        ("::: {.epigraph}\nTo be.\n:::", ["To be."]),
        ("[It [was]{.u}]{.smallcaps} late.", ["It was late."]),
        ("[here](http://a.b){target=_blank} and ![x](a.png){width=50%} and `code`{.py}.", 
         ["here and and code."]),
        ("It rose.\n\n\\newpage\n\n\\vspace{2cm}\n\nIt lay.", ["It rose.", "It lay."]),
        ("{mainmatter}\n\nIt rose.", ["It rose."]),
        ("% The Road\n% Jane Doe\n\nIt rose.", ["It rose."]),
        ("100 % sure {sad} and {a b} [sic] `[x]{.y}` \\\\o/ 3 {-}.",
         ["100 % sure {sad} and {a b} [sic] [x]{.y} \\o/ 3 {-}."]),
        ("Text\n::: not a fence of one\nmore", ["Text ::: not a fence of one more"]),
        ("\\[a\\]{.b}", ["[a]{.b}"]),
    ],
)  # fmt: skip
def test_what_pandoc_adds_to_markdown_is_markup(tmp_path: Path, written: str, said: list[str]) -> None:
    assert spoken(read(tmp_path, "a.md", f"{written}\n")) == said


def test_the_title_of_pandoc_is_the_books(tmp_path: Path) -> None:
    assert read(tmp_path, "a.md", "% The Long\n  Road\n% Jane Doe\n\nIt rose.\n").title == "The Long Road"


def test_a_book_of_indented_paragraphs_is_no_code(tmp_path: Path) -> None:
    assert spoken(read(tmp_path, "a.md", "# One\n\n    It rose.\n\n\tIt lay.\n")) == [
        "One",
        "It rose.",
        "It lay.",
    ]
    book = read(tmp_path, "b.md", f"# One\n\n{'It rose and lay. ' * 20}\n\n    code = 1\n")
    assert (Reason.CODE, "code = 1") in out(book)
    fenced = read(tmp_path, "c.md", "# One\n\n```\nsome code of many words\n```\n")
    assert (Reason.CODE, "some code of many words") in out(fenced)


@pytest.mark.parametrize(
    "sign", ["❦", "❧ ☙", "◆ ◇ ◊", "\\+ + +", "~\\*~", ". . . . .", "<<>>", "oOo", "-o0o-", "xxx", "x x x"]
)
def test_signs_between_sections(tmp_path: Path, sign: str) -> None:
    written = sign.replace("<<>>", "&lt;&lt;&gt;&gt;")
    book = read(tmp_path, "a.md", f"One.\n\n{written}\n\nTwo.\n")
    assert [(one.sentences, one.section) for one in book.chapters[0].paragraphs] == [
        (("One.",), False),
        (("Two.",), True),
    ]
    letters = [(Reason.SIGN, sign)] if any(map(str.isalnum, sign)) else []
    assert [one for one in out(book) if one[0] is Reason.SIGN] == letters


@pytest.mark.parametrize("line", ["“…”", "?!", "!", "Oo.", "xxx!", "XXX", "Ooo"])
def test_what_is_no_sign_between_sections(tmp_path: Path, line: str) -> None:
    book = read(tmp_path, "a.md", f"One.\n\n{line}\n\nTwo.\n")
    assert not any(one.section for one in book.chapters[0].paragraphs)
    assert not any(reason is Reason.SIGN for reason, _ in out(book))


@pytest.mark.parametrize(
    ("heading", "said"),
    [
        ("I", "One"),
        ("I.", "One."),
        ("I. THE START", "One. THE START"),
        ("V. The Road", "Five. The Road"),
        ("X. “Go”", "Ten. Go"),
        ("XIV", "Fourteen"),
        ("I Am Born", "I Am Born"),
        ("I, Robot", "I, Robot"),
        ("C. The End", "C. The End"),
        ("MIX", "MIX"),
        ("IIII", "IIII"),
        ("X-Rays", "X Rays"),
    ],
)
def test_roman_numbers_of_headings(tmp_path: Path, heading: str, said: str) -> None:
    book = read(tmp_path, "a.md", f"# {heading.replace('.', chr(92) + '.')}\n\nI. He left.\n")
    found = chunks(book, PACKINGS["llasa"])
    assert (found[0].written, found[0].spoken) == (heading, said)
    assert found[1].spoken.startswith("I.")
