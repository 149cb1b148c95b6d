"""`llasa-search narrate`: lists chapters and writes text, and refuses bad input in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.cli import main as cli
from tests.experiments.narration.books import DATA, write_epub

BOOK = str(DATA / "trial.epub")


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["narrate", BOOK, "--list"]) == 0
    shown = capsys.readouterr().out
    assert "Chapter 1. The First Morning" in shown
    assert "This is the note with words in it." in shown
    assert "to speak" in shown


def test_a_list_speaks_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["narrate", BOOK, "--list", "-o", str(tmp_path / "spoken")]) == 0
    assert "to speak" in capsys.readouterr().out
    assert not (tmp_path / "spoken").exists()


def test_text_is_written_edited_and_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "book.txt"
    (tmp_path / "lexicon.tsv").write_text("Smith\tSmyth\nZork\tZorc\n", encoding="utf-8")
    lexicon = ["--lexicon", str(tmp_path / "lexicon.tsv")]
    assert cli.main(["narrate", BOOK, "--text-file", str(text), "--chapters", "2", *lexicon]) == 0
    told = capsys.readouterr().err
    assert "line 2: 'Zork' never matches" in told
    assert "6 sentences in" in told
    assert "#   spoken: Doctor Smyth" in text.read_text("utf-8")
    text.write_text(text.read_text("utf-8").replace("“Huh!” she said.\n", ""), encoding="utf-8")
    assert cli.main(["narrate", str(text), "--list"]) == 0
    shown = capsys.readouterr()
    assert "edited: 1 places, 3 words left out, 0 added" in shown.err
    edited = text.read_bytes()
    assert cli.main(["narrate", BOOK, "--text-file", str(text), "--chapters", "2", *lexicon]) == 2
    assert "is there and holds another text" in capsys.readouterr().err and text.read_bytes() == edited
    assert "left out in the text file" in shown.out


def test_mixed_scripts_are_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_epub(tmp_path / "a.epub", {"a.xhtml": "<h1>One</h1><p>He said привет.</p>"})
    assert cli.main(["narrate", str(path), "--list", "--preset", "llasa-1b"]) == 0
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("warning: the model cannot read Cyrillic")


def test_letters_that_are_left_out_are_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_epub(tmp_path / "a.epub", {"a.xhtml": "<h1>One</h1><p>Søren came to Łódź by café.</p>"})
    assert cli.main(["narrate", str(path), "--list", "--preset", "nano"]) == 0
    (line,) = capsys.readouterr().err.strip().splitlines()
    told = "the model leaves out Latin (ø Ł) in 'Søren' and in 1 more words: respell them in a --lexicon"
    assert line == f"warning: {told}"
    assert cli.main(["narrate", str(path), "--list", "--preset", "llasa-1b"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["narrate", BOOK], "--list, or --text-file"),
        (["narrate", "no.epub", "--list"], "does not exist"),
        (["narrate", BOOK, "--list", "--chapters", "9"], "the chapters are 1 to 3"),
        (["narrate", BOOK, "--list", "--chapters", "2-x"], "the chapters are 1 to 3"),
        (["narrate", BOOK, "--list", "--language", "xq"], "unknown language"),
        (["narrate", BOOK, "--list", "--preset", "nan"], "did you mean 'nano'"),
        (["narrate", BOOK, "--list", "--lexicon", "no.tsv"], "does not exist"),
        (["narrate", BOOK, "--text-file", BOOK], "write over BOOK"),
    ],
)
def test_refused(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert says in lines[0]


def test_an_empty_chapter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nav = (
        '<nav epub:type="toc"><ol><li><a href="a.xhtml">One</a></li>'
        '<li><a href="b.xhtml">Two</a></li></ol></nav>'
    )
    pages = {"a.xhtml": "<p>It rained.</p>", "b.xhtml": "<p> </p>"}
    path = write_epub(tmp_path / "a.epub", pages, contents=nav)
    assert cli.main(["narrate", str(path), "--list"]) == 0
    assert "chapter 2, 'Two', is empty" in capsys.readouterr().err
    assert cli.main(["narrate", str(path), "--list", "--chapters", "1-2"]) == 2
    assert "chapter 2, 'Two', is empty: leave it out" in capsys.readouterr().err
