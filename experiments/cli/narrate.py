"""`llasa-search narrate`: the chapters of a book, the text that will be spoken, and the speaking of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli.commands import Command
from experiments.cli.narrate_options import (
    EXIT_FLAGGED,
    SpeakOptions,
    check_extra,
    folder_option,
    speak_options,
    voice_options,
)
from experiments.cli.options import option
from experiments.cli.parameters import FileType, TextType
from experiments.cli.production_options import making as making_options
from experiments.files import Destination, check_folder, check_outputs, write_whole
from experiments.request_options import RequestOptions
from llasa_core.errors import UserError
from llasa_core.paths import regular_file, shown
from llasa_core.presets import find_preset

if TYPE_CHECKING:
    from experiments.narration.book import Book
    from experiments.narration.chunks import Chunk
    from experiments.narration.production.making import Making
    from experiments.narration.production.options import MakingOptions
    from experiments.narration.speaking.planning import Speaking
    from experiments.narration.voices import Voices

SUB_COMMANDS = {
    "redo": "speak one chunk again: another seed, text, voice or width",
    "make": "make the files of a spoken book again: audio, captions, EPUB, certificate",
}
EXAMPLES = """\
  the chapters of a book, how long each takes to say, and what is left out:
    llasa-search narrate book.epub --list
  what will be spoken, to be edited, and what the edited text differs in from the book:
    llasa-search narrate book.epub --chapters 2-4 --text-file book.txt
    llasa-search narrate book.txt --list
  speak it; the same command goes on after a kill, and speaks what was edited since:
    llasa-search narrate book.txt -o spoken
  one chunk again, with another seed:
    llasa-search narrate redo spoken 3f2a91c05d4e --seed 7
    llasa-search narrate make spoken
"""


class Narrate(Command):
    """`narrate BOOK`, and the commands whose names stand in the place of BOOK."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args and args[0] in SUB_COMMANDS:
            found: click.Command = import_module(f"experiments.cli.narrate_{args[0]}").command
            return found.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


def _notes() -> str:
    lines = "\n".join(f"  {name:<18}{line}" for name, line in SUB_COMMANDS.items())
    return f"commands (llasa-search narrate NAME --help):\n{lines}\n"


@click.command(cls=Narrate, examples=EXAMPLES, notes=_notes)
@click.argument("book", type=FileType(), help="a .txt, .md, .epub or .docx, or a file that --text-file wrote")
@option(
    "--list", None, "print the chapters, and what is left out; speak nothing", group="outputs", into="listed"
)
@option(
    "--text-file FILE",
    FileType(),
    "write what will be spoken; edit it, and give it as the BOOK",
    group="outputs",
    into="to",
)
@folder_option()
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
@option("--paper-chunks", None, "split as Llasa's paper does: 100 characters a chunk", group="chunks")
@option(
    "--voices YAML", FileType(), "the voices of characters: lines NAME: VOICE", group="voice", into="cast"
)
@voice_options()
@speak_options()
@option("--speak-only", None, "make no files of the book", group="outputs")
@making_options()
def command(
    book: Path,
    listed: bool,
    to: Path | None,
    folder: Path | None,
    numbers: str | None,
    language: str | None,
    lexicon: Path | None,
    paper_chunks: bool,
    cast: Path | None,
    request: RequestOptions,
    speak: SpeakOptions,
    speak_only: bool,
    making: MakingOptions,
) -> int:
    """List a book's chapters, write the text that will be spoken, or speak it, until two ears agree.

    Every word of the book is spoken, or left out and said: footnotes, page numbers, tables, pictures. Each
    chunk is searched, cheap first and then wider, until two ears of different families find no word wrong and
    nothing else is amiss; what never passes is kept as the best there is, and listed. Then the book's files
    are made.

    Exit codes: 0 every chunk passed; 1 some could not be spoken; 2 bad input; 3 some did not pass.
    """
    if not listed and to is None and folder is None:
        raise UserError("nothing to do: give -o FOLDER to speak, --list, or --text-file FILE")
    check_extra()
    from experiments.cli import narrate_report as report
    from experiments.narration.chunks import Packing, chunks
    from experiments.narration.lexicon import read_lexicon
    from experiments.narration.opening import chosen_chapters, open_book
    from experiments.narration.production.making import read_making
    from experiments.narration.quotes import with_speakers
    from experiments.narration.readable import pace_of
    from experiments.narration.text_file import written
    from experiments.narration.voices import read_voices

    preset = find_preset(speak.search.preset)
    entries = () if lexicon is None else read_lexicon(lexicon)
    file = regular_file(book, "BOOK", cure="give a book as .txt, .md, .epub or .docx")
    voices = {} if cast is None else read_voices(cast)
    made = None if speak_only or folder is None else read_making(making)
    inputs = {"BOOK": file, "--lexicon": lexicon, "--voices": cast, "--prompt-audio": request.prompt_audio}
    if to is not None:
        check_outputs([Destination("--text-file", to)], inputs)
    given = open_book(file, language)
    given = replace(given, book=with_speakers(given.book, list(voices)))
    chosen = chosen_chapters(given.book, numbers)
    found = chunks(given.book, Packing.of(pace_of(preset), paper=paper_chunks), entries)
    if to is not None:
        _write_new(to, written(given.book, chosen, to, entries).encode())
    if listed:
        report.show(given.book, found, chosen)
    report.warn(given, found, chosen, entries, preset, speaks=not listed and folder is not None)
    if to is not None:
        report.tell_written(given.book, found, chosen, to)
    if listed or folder is None:
        return 0
    plan = _speaking(
        given.book, [one for one in found if one.chapter in chosen], folder, request, speak, voices
    )
    return _speak(folder, plan, speak, made)


def _write_new(path: Path, content: bytes) -> None:
    """Raises UserError if a file with another content is there: somebody may have edited it."""
    if path.exists() and path.read_bytes() != content:
        raise UserError(
            f"--text-file {shown(path)} is there and holds another text, perhaps an edited one: "
            "choose another name, or remove it"
        )
    write_whole(path, content)


def _speak(folder: Path, plan: Speaking, options: SpeakOptions, making: Making | None) -> int:
    """Speaks what is to be spoken, makes the files where all of it is, and tells what it came to."""
    from experiments.cli.narrate_make import make_files
    from experiments.cli.narrate_summary import conclude
    from experiments.narration.speaking.speak import narrate

    code = conclude(folder, narrate(folder, plan, in_flight=options.in_flight))
    if making is not None and code in (0, EXIT_FLAGGED):
        make_files(folder, making)
    return code


def _speaking(
    book: Book,
    found: Sequence[Chunk],
    folder: Path,
    request: RequestOptions,
    options: SpeakOptions,
    voices: Voices,
) -> Speaking:
    """Raises UserError for whatever cannot be spoken, before any model is loaded."""
    from experiments.cli.surroundings import check_surroundings
    from experiments.narration.readable import pace_of
    from experiments.narration.speaking.planning import speaking
    from experiments.narration.speaking.standard import standard_of
    from experiments.narration.voices import check_speakers, voice_of

    check_folder(folder / "audio", "-o")
    check_surroundings()
    preset = find_preset(options.search.preset)
    standard = standard_of(
        preset,
        book.language,
        options.ears,
        pace=pace_of(preset),
        voice=not request.no_prompt,
        emotion=any(chunk.emotion for chunk in found),
    )
    check_speakers((chunk.speaker for chunk in found), voices, request)
    return speaking(
        book,
        found,
        standard,
        options.search,
        options.limits,
        request.seed,
        lambda speaker: voice_of(speaker, voices, request),
    )
