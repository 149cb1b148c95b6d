"""`llasa-search narrate`: the chapters of a book, and the text that will be spoken. It loads no model."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from experiments.cli.commands import Command
from experiments.cli.options import option
from experiments.cli.parameters import FileType, TextType
from experiments.files import Destination, check_outputs, write_whole
from llasa_core.errors import UserError
from llasa_core.paths import regular_file
from llasa_core.presets import PRESETS, find_preset

EXAMPLES = """\
  the chapters of a book, how long each takes to say, and what is left out:
    llasa-search narrate book.epub --list
  what will be spoken, to be edited, and what the edited text differs in from the book:
    llasa-search narrate book.epub --chapters 2-4 --text-file book.txt
    llasa-search narrate book.txt --list
"""


@click.command(cls=Command, examples=EXAMPLES)
@click.argument("book", type=FileType(), help="a .txt, .md, .epub or .docx, or a file that --text-file wrote")
@option("--list", None, "print the chapters, and what is left out", group="outputs", into="listed")
@option(
    "--text-file FILE",
    FileType(),
    "write what will be spoken; edit it, and give it as the BOOK",
    group="outputs",
    into="to",
)
@option(
    "--chapters NUMBERS", TextType(), "of these chapters only: 3, 2-5, 1,4-6", group="book", into="numbers"
)
@option("--language CODE", TextType(), "of the book (default: what it says, else en)", group="book")
@option(
    "--lexicon FILE",
    FileType(),
    "words and how to spell them: .yaml, or lines word TAB respelling",
    group="book",
)
@option(
    "--preset NAME",
    TextType(lambda: PRESETS),
    "whose pace and letters (default nano)",
    default="nano",
    group="chunks",
)
@option("--paper-chunks", None, "split as Llasa's paper does: 100 characters a chunk", group="chunks")
def command(
    book: Path,
    listed: bool,
    to: Path | None,
    numbers: str | None,
    language: str | None,
    lexicon: Path | None,
    preset: str,
    paper_chunks: bool,
) -> int:
    """List a book's chapters, and write the text that will be spoken. Speaking it is not part of this
    version.

    Every word of the book is spoken, or left out and said: footnotes, page numbers, tables, pictures.
    """
    if not listed and to is None:
        raise UserError("nothing to do: give --list, or --text-file FILE to write what will be spoken")
    check_extra()
    from experiments.cli import narrate_report as report
    from experiments.narration.chunks import Packing, chunks
    from experiments.narration.lexicon import read_lexicon
    from experiments.narration.opening import chosen_chapters, open_book
    from experiments.narration.readable import pace_of
    from experiments.narration.text_file import written

    found_preset = find_preset(preset)
    entries = () if lexicon is None else read_lexicon(lexicon)
    file = regular_file(book, "BOOK", cure="give a book as .txt, .md, .epub or .docx")
    if to is not None:
        check_outputs([Destination("--text-file", to)], {"BOOK": file, "--lexicon": lexicon})
    given = open_book(file, language)
    chosen = chosen_chapters(given.book, numbers)
    found = chunks(given.book, Packing.of(pace_of(found_preset), paper=paper_chunks), entries)
    if to is not None:
        write_whole(to, written(given.book, chosen, to, entries).encode())
    if listed:
        report.show(given.book, found, chosen)
    report.warn(given, found, chosen, entries, found_preset)
    if to is not None:
        report.tell_written(given.book, found, chosen, to)
    return 0


def check_extra() -> None:
    """Raises UserError if the libraries of the extra `narration` are missing."""
    missing = [
        name
        for name in ("docx", "lxml", "markdown_it", "mdit_py_plugins", "regex", "sentencex")
        if not find_spec(name)
    ]
    if missing:
        raise UserError(f"narrate needs {', '.join(missing)}: pip install 'llasa-search[narration]'")
