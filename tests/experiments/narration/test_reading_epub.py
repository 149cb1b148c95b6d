"""Books as other programs make them: where their chapters begin, and what of them is no text of the book."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from experiments.narration.account import account
from experiments.narration.book import Book, Reason
from experiments.narration.reading.book import read_book
from tests.experiments.narration.books import write_epub

Tree = Sequence[tuple[str, str] | tuple[str, str, "Tree"]]


def contents(lines: Tree) -> str:
    """A table of contents of lines (title, link, lines below it)."""

    def listed(lines: Tree) -> str:
        items = (
            f'<li><a href="{one[1]}">{one[0]}</a>{listed(one[2]) if one[2:] else ""}</li>' for one in lines
        )
        return f"<ol>{''.join(items)}</ol>"

    return f'<nav epub:type="toc">{listed(lines)}</nav>' if lines else ""


def read(tmp_path: Path, *pages: str, lines: Tree = (), guide: str = "") -> Book:
    """A book of the pages a.xhtml, b.xhtml, ..., of which every word is accounted for."""
    named = {f"{name}.xhtml": page for name, page in zip("abcd", pages, strict=False)}
    book = read_book(write_epub(tmp_path / "a.epub", named, contents=contents(lines), guide=guide))
    found = account(book)
    assert found.source == found.spoken + found.left_out
    return book


def spoken(book: Book) -> list[str]:
    return [" ".join(one.sentences) for chapter in book.chapters for one in chapter.paragraphs]


def heaps(book: Book) -> dict[Reason, tuple[str, ...]]:
    return {heap.reason: heap.first for heap in account(book).heaps}


PART = '<h1 id="p{0}">Part {0}</h1><h2 id="c{1}">I</h2><p>Yes.</p><h2 id="c{2}">II</h2><p>No.</p>'
IN_ONE = (
    '<h1 id="t">THE BOOK</h1><h2 id="c1">CHAPTER I</h2><p>One.</p><h2 id="c2">CHAPTER II</h2><p>Two.</p>',
)
HEADED = ("<h2>One</h2><p>It began.</p>", "<p>It went on.</p>", "<h2>Two</h2><p>It ended.</p>")


@pytest.mark.parametrize(
    ("pages", "lines", "titles"),
    [
        (
            IN_ONE,
            [("THE BOOK", "a.xhtml#t", [("I", "a.xhtml#c1"), ("II", "a.xhtml#c2")])],
            ["THE BOOK", "I", "II"],
        ),
        (
            (PART.format(1, 1, 2), PART.format(2, 3, 4)),
            [
                ("Part 1", "a.xhtml#p1", [("I", "a.xhtml#c1"), ("II", "a.xhtml#c2")]),
                ("Part 2", "b.xhtml#p2", [("III", "b.xhtml#c3"), ("IV", "b.xhtml#c4")]),
            ],
            ["Part 1", "I", "II", "Part 2", "III", "IV"],
        ),
        (
            IN_ONE,
            [("First", "a.xhtml#t"), ("Last", "a.xhtml#c2", [("No chapter", "a.xhtml#c1")])],
            ["First", "Last"],
        ),
        (HEADED, [("Start", "a.xhtml")], ["One", "Two"]),
        (HEADED, [("Cover", "a.xhtml"), ("Two", "c.xhtml")], ["One", "Two"]),
        (HEADED, [], ["One", "Two"]),
        (("<p>It began.</p>", "<p>It ended.</p>"), [], ["(front matter)", "(part 2)"]),
        (("<p>It began.</p>", "<p>It ended.</p>"), [("Start", "a.xhtml")], ["Start"]),
    ],
)
def test_chapters_are_as_deep_as_there_are_two(
    tmp_path: Path, pages: tuple[str, ...], lines: Tree, titles: list[str]
) -> None:
    assert [one.title for one in read(tmp_path, *pages, lines=lines).chapters] == titles


@pytest.mark.parametrize(
    ("page", "begins"),
    [
        ('<p>2</p><p id="c">The Road</p><p>It went on.</p>', "2"),
        ('<img src="a.png" alt=""/><h2>2</h2><h1 id="c">The Road</h1><p>It went on.</p>', "2"),
        ('<p>So he left.</p><h2>2</h2><h1 id="c">The Road</h1><p>It went on.</p>', "2"),
        ('<p>So he left.<a id="c"></a></p><h1>Two</h1><p>It went on.</p>', "Two"),
        ('<p>So he left.</p><p id="c">The Road</p><p>It went on.</p>', "The Road"),
        ('<h1>Two<a id="c"></a></h1><h2>The Road</h2><p>It went on.</p>', "Two"),
    ],
)
def test_a_chapter_begins_with_its_headings(tmp_path: Path, page: str, begins: str) -> None:
    lines: Tree = [("One", "a.xhtml"), ("The Road", "b.xhtml#c")]
    book = read(tmp_path, "<h1>One</h1><p>It began.</p>", page, lines=lines)
    assert [one.title for one in book.chapters] == ["One", "The Road"]
    assert book.chapters[1].paragraphs[0].sentences == (begins,)


def test_a_title_page_is_no_part_of_the_first_chapter(tmp_path: Path) -> None:
    page = (
        '<h1>THE ROAD</h1><p>by Jane Doe</p><h2 id="c">One</h2><p>It began.</p><h2 id="d">Two</h2><p>No.</p>'
    )
    book = read(tmp_path, page, lines=[("One", "a.xhtml#c"), ("Two", "a.xhtml#d")])
    assert [one.title for one in book.chapters] == ["THE ROAD", "One", "Two"]


def test_gutenberg_boilerplate_is_left_out(tmp_path: Path) -> None:
    book = read(
        tmp_path,
        '<section class="pg-boilerplate" id="pg-header"><h2>The eBook</h2></section>'
        '<h2 id="a">One</h2><p>Yes.</p><h2 id="b">Two</h2><p>No.</p>'
        '<div class="transnote"><p>Repaired.</p></div>'
        '<section id="pg-footer"><p id="l">Updated editions.</p></section>',
        lines=[("One", "a.xhtml#a"), ("Two", "a.xhtml#b"), ("Licence", "a.xhtml#l")],
    )
    assert spoken(book) == ["One", "Yes.", "Two", "No."]
    assert [one.title for one in book.chapters] == ["One", "Two"]
    assert heaps(book)[Reason.LICENCE] == ("The eBook", "Updated editions.")
    assert heaps(book)[Reason.COMMENT] == ("Repaired.",)


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ('<p><img alt="T"/>HE bell rang.</p>', ["THE bell rang."]),
        ('<p><span><img alt="“T"/></span>he bell,” he said.</p>', ["“The bell,” he said."]),
        ('<p><img alt="A"/> man came.</p>', ["A man came."]),
        ('<p>He saw <img alt="x"/> there.</p>', ["He saw there."]),
        ('<p>他读书<img alt="注"/>很久。</p>', ["他读书很久。"]),
        ('<div class="dropcap">O</div>\n<p>nce he came.</p><p>Yes.</p>', ["Once he came.", "Yes."]),
        ("<div>O</div><p>nce he came.</p>", ["O", "nce he came."]),
        ("<div>W</div><div><p>\n hen he came.</p></div>", ["When he came."]),
        ("<p>B</p><p>banana, a fruit</p>", ["B", "banana, a fruit"]),
        ("<p>V</p><p>The end.</p>", ["V", "The end."]),
        ('<div class="dropcap">O</div><h2>nce</h2>', ["O", "nce"]),
        ('<p><span aria-hidden="true">It</span><span class="sr-only">It</span> was.</p>', ["It was."]),
        (
            '<p><i aria-hidden="true">I</i><i class="sr-only">It</i><i aria-hidden="true">t</i> was.</p>',
            ["It was."],
        ),
        ('<p><span aria-hidden="true">Yes.</span></p>', ["Yes."]),
    ],
)
def test_drop_caps(tmp_path: Path, page: str, text: list[str]) -> None:
    assert spoken(read(tmp_path, page)) == text


@pytest.mark.parametrize(
    "page",
    [
        '<p>Word.<a href="#n"><sup>1</sup></a></p><div id="n"><p>1. First.</p><p>Second.</p></div>',
        '<p>Word<a href="#n">*</a>.</p><ol><li id="n"><p>First.</p><p>Second.</p></li></ol>',
        '<p id="r">Word.<a href="#n">1</a></p><div><p><a id="n" href="#r">1</a> One.</p><p>Two.</p></div>',
        '<p>Word. <a href="#n"><sup>5</sup></a></p><p id="n">5 Five.</p>',
        '<p>Word. <a href="#n">[note 3]</a></p><p id="n">3. Three.</p>',
        '<p>Word.<span class="super"><a href="#n">4</a></span></p><p id="n">4 Four.</p>',
        "<p>Word.<sup>7,8</sup></p>",
        '<p>Word. [<a href="#n">3</a>]</p><p id="n">[3] Three.</p>',
        '<p>Word.<a href="#n">①</a></p><p id="n">①Yes.</p>',
    ],
)
def test_notes_and_their_marks(tmp_path: Path, page: str) -> None:
    book = read(tmp_path, page)
    assert [one.rstrip(" .[]") for one in spoken(book)] == ["Word"]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (
            '<p>See pages 3–<a href="#p">5</a>.</p><p id="p">A page of the book.</p>',
            ["See pages 3–5.", "A page of the book."],
        ),
        ('<p>Go (<a href="#s">2</a>).</p><h2 id="s">2. Home</h2>', ["Go (2).", "2. Home"]),
        ('<p>Go,<a href="#s">2</a>.</p><p id="s">Home.</p>', ["Go,2.", "Home."]),
        ('<p>Part<a href="#s">2</a></p><h2 id="s">2. Home</h2>', ["Part2", "2. Home"]),
        ('<p>It.<a href="#s">2</a></p><p id="s">Home.</p>', ["It.", "Home."]),
        (
            '<p>It.<a href="#n">1</a></p><div><p id="n">1. A note.</p><h2>Two</h2><p>Home.</p></div>',
            ["It.", "Two", "Home."],
        ),
    ],
)
def test_a_cross_reference_takes_nothing_from_the_book(tmp_path: Path, page: str, text: list[str]) -> None:
    assert spoken(read(tmp_path, page)) == text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<h1><span>1</span><span>The Start</span></h1>", "1 The Start"),
        ("<h1><span>CHAPTER</span><span>TWO</span></h1>", "CHAPTER TWO"),
        ("<h1><span>T</span><span>HE ROAD</span></h1>", "THE ROAD"),
        ('<p><span style="display: block">A line</span><span>another</span></p>', "A line another"),
        ('<p>Line.<span class="linenum">5</span></p>', "Line."),
        ("<p>He said<audio>No player.</audio> so.</p>", "He said so."),
    ],
)
def test_spans(tmp_path: Path, page: str, text: str) -> None:
    assert spoken(read(tmp_path, page)) == [text]


@pytest.mark.parametrize(
    ("lines", "guide", "left"),
    [
        ("<h2>Contents</h2>{0}{1}", "", []),
        ("{0}{1}{2}", "", []),
        ("{0}{1}", "", ["One", "Two"]),
        ("{2}{1}{0}", "", ["Three", "Two", "One"]),
        ("{0}{1}{2}{1}", "", ["One", "Two", "Three", "Two"]),
        ('<p id="x">What Is In It</p>{0}', '<reference type="toc" href="a.xhtml#x"/>', []),
    ],
)
def test_lists_of_the_chapters_in_the_text(tmp_path: Path, lines: str, guide: str, left: list[str]) -> None:
    names = ("One", "Two", "Three")
    links = [f'<p><a href="#{name}">{name}</a></p>' for name in names]
    text = "".join(f'<h2 id="{name}">{name}</h2><p>Yes.</p>' for name in names)
    book = read(tmp_path, lines.format(*links) + text, guide=guide)
    assert spoken(book) == [*left, "One", "Yes.", "Two", "Yes.", "Three", "Yes."]
    assert (Reason.CONTENTS in heaps(book)) == (not left)


def test_contents_with_entities_and_paragraphs_of_empty_lines(tmp_path: Path) -> None:
    lines: Tree = [("One&nbsp;&mdash;", "a.xhtml"), ("Two", "b.xhtml")]
    book = read(tmp_path, "<p>It began<br/><br/>He went<br/>home</p>", "<p>End.</p>", lines=lines)
    assert [one.title for one in book.chapters] == ["One —", "Two"]
    assert spoken(book) == ["It began", "He went home", "End."]
