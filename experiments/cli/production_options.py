"""The options of the files that are made of a spoken book, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from experiments.cli.options import Decorator, bundled, kinds, option
from experiments.cli.parameters import FileType, TextType
from experiments.narration.production.options import CLIPS, DEFAULT, KINDS, PER, MakingOptions
from experiments.terminal import Terminal, say
from llasa_core.paths import shown

if TYPE_CHECKING:
    from experiments.narration.production.make import Made
    from experiments.narration.takes import Narration

GROUP = "files of the book"


def making() -> Decorator[Any]:
    """What is made of the book, as `making: MakingOptions`, for `read_making`, which has to check them before
    anything is spoken."""
    own = partial(option, group=GROUP)
    options = [
        own(
            "--files LIST",
            TextType(lambda: KINDS),
            f"of {', '.join(KINDS)} (default {DEFAULT}); srt and vtt by sentence and by word",
            default=DEFAULT,
        ),
        own(
            "--per WHAT",
            TextType(lambda: PER),
            "a file each chapter or book (default: m4b book, else chapter)",
        ),
        own("--loudness TARGET", TextType(), "ebu:-18 (LUFS, the default), acx, or none", default="ebu:-18"),
        own(
            "--pauses LIST",
            TextType(),
            "seconds: sentence=0.5,paragraph=0.9 ...; also head, clause, heading, section, chapter",
            default="",
        ),
        own("--cover FILE", FileType(), "a JPEG or PNG picture, for mp3, m4b and epub"),
        own("--title TEXT", TextType(), "of the book (default: what it says)"),
        own("--author TEXT", TextType(), "for the tags", default=""),
        own(
            "--aligner NAME",
            TextType(),
            "what times the words: whisper:MODEL, proportional, or auto (default)",
            default="auto",
        ),
        own(
            "--certificate-audio WHAT",
            TextType(lambda: CLIPS),
            "embed, link, none, or auto (default): in the page while it stays small",
            default="auto",
            into="clips",
        ),
        own(
            "--third-ear SPEC",
            TextType(kinds),
            "a recogniser that did not search hears every take: what the certificate is worth",
        ),
    ]
    return bundled("making", MakingOptions, options)


def tell_made(narration: Narration, made: Made) -> None:
    """The files, and how loud they have become, on stdout."""
    from experiments.narration.production.names import files_of

    terminal = Terminal()
    terminal.print(_levels(narration, made))
    if made.words_by:
        how = " (by their letters alone, no recogniser heard them)" if made.words_by == "proportional" else ""
        terminal.say(f"words are timed by {made.words_by}{how}")
    for placed in made.off:
        terminal.say(
            f"chunk {placed.chunk.id} was at {placed.before:.0f} dB and is still off the target: "
            "speak it again, by narrate redo"
        )
    terminal.say("\n".join(shown(path) for path in _shortened(made.files)))
    if earlier := [path for path in files_of(narration.folder) if path not in made.files]:
        more = f" and {len(earlier) - 1} more" if len(earlier) > 1 else ""
        say(f"note: {shown(earlier[0])}{more} were made before, and stay as they are", error=True)


def _shortened(files: Sequence[Path]) -> list[Path]:
    return sorted(files, key=lambda path: (path.parent.name, path.name))


def _levels(narration: Narration, made: Made) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("chapter", overflow="fold")
    for heading in ("minutes", "LUFS", "RMS dB", "peak dB", "floor dB", "ACX levels"):
        table.add_column(heading, justify="right")
    titles = {chapter.number: f"{chapter.number}. {chapter.title}" for chapter in narration.plan.chapters}
    for number, found in sorted(made.levels.items(), key=lambda pair: (pair[0] == 0, pair[0])):
        if number == 0:
            table.add_section()
        table.add_row(
            titles.get(number, "the book"),
            f"{found.seconds / 60:.1f}",
            f"{found.lufs:.1f}",
            f"{found.rms:.1f}",
            f"{found.peak:.1f}",
            f"{found.floor:.0f}",
            "yes" if found.acx else "no",
        )
    return table
