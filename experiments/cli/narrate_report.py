"""What `narrate` tells of a book: chapters, what is left out, what was edited, and what may go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from experiments.narration.account import account
from experiments.narration.book import Book, beginning
from experiments.narration.chunks import Chunk
from experiments.narration.edits import Edits
from experiments.narration.lexicon import Entry
from experiments.narration.readable import alphabet_of, check_readable, left_out
from experiments.narration.text_file import TextFile
from experiments.terminal import Terminal, say
from llasa_core.errors import UserError
from llasa_core.paths import shown
from llasa_core.presets import Preset

MOST_EDITS = 20
"""Edits that are told one by one."""


def show(book: Book, chunks: Sequence[Chunk], chosen: frozenset[int]) -> None:
    """The chapters with their words and predicted minutes, and what of the book is left out, on stdout."""
    terminal = Terminal()
    terminal.say(f"{book.title} ({book.language})")
    terminal.print(_chapters(book, chunks, chosen))
    found = account(book)
    terminal.say(f"{found.source:,} words: {found.spoken:,} to speak, {found.left_out:,} left out")
    if found.heaps:
        table = _table("left out", "places>", "words>", "for instance")
        for heap in found.heaps:
            first = " | ".join(heap.first)
            table.add_row(heap.reason.value, f"{heap.places:,}", f"{heap.words:,}", first)
        terminal.print(table)


def _chapters(book: Book, chunks: Sequence[Chunk], chosen: frozenset[int]) -> Table:
    table = _table("", "chapter", "words>", "minutes>", "chunks>", "")
    for chapter in book.chapters:
        own = [chunk for chunk in chunks if chunk.chapter == chapter.number]
        remark = "empty" if not chapter.words else "" if chapter.number in chosen else "not chosen"
        row = (f"{chapter.words:,}", f"{_minutes(own):.1f}", f"{len(own):,}", remark)
        table.add_row(str(chapter.number), chapter.title, *row)
    spoken = [chunk for chunk in chunks if chunk.chapter in chosen]
    words = sum(chapter.words for chapter in book.chapters if chapter.number in chosen)
    table.add_section()
    table.add_row("", "chosen", f"{words:,}", f"{_minutes(spoken):.1f}", f"{len(spoken):,}", "")
    return table


def _table(*headings: str) -> Table:
    """A heading that ends in > is of numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        right = heading.endswith(">")
        table.add_column(heading.rstrip(">"), overflow="fold", justify="right" if right else "left")
    return table


def _minutes(chunks: Sequence[Chunk]) -> float:
    return sum(chunk.seconds for chunk in chunks) / 60


def warn(
    given: TextFile,
    chunks: Sequence[Chunk],
    chosen: frozenset[int],
    lexicon: Sequence[Entry],
    preset: Preset,
    *,
    speaks: bool,
) -> None:
    """What is wrong with what was given, a line each on stderr. preset: whose letters are looked at. speaks:
    what its model cannot read will be refused."""
    for chapter in given.book.chapters:
        if not chapter.words:
            say(f"warning: chapter {chapter.number}, {chapter.title!r}, is empty", error=True)
    used = {key for chunk in chunks for key in chunk.lexicon}
    for entry in lexicon:
        if entry.key not in used:
            say(f"warning: {entry.place}: {entry.word!r} never matches in this book", error=True)
    own = [chunk for chunk in chunks if chunk.chapter in chosen]
    try:
        if not speaks:
            check_readable(own, alphabet_of(preset))
    except UserError as error:
        say(f"warning: {error}", error=True)
    if line := left_out(own, alphabet_of(preset)):
        say(f"warning: {line}", error=True)
    if given.unchecked:
        say(f"warning: {given.unchecked}, so nothing is checked against it", error=True)
    if given.edits is not None:
        _tell_edits(given.edits)


def _tell_edits(edits: Edits) -> None:
    dropped = sum(len(one.dropped) for one in edits.found)
    say(f"edited: {len(edits.found)} places, {dropped} words left out, {edits.added} added", error=True)
    for one in edits.found[:MOST_EDITS]:
        words = f"left out: {' '.join(one.dropped) or '-'}; added: {' '.join(one.added) or '-'}"
        place = beginning(one.before or one.after)
        say(f"  {one.chapter}, {place!r}: {beginning(words)}", error=True)
    if len(edits.found) > MOST_EDITS:
        say(f"  and {len(edits.found) - MOST_EDITS} more", error=True)


def tell_written(book: Book, chunks: Sequence[Chunk], chosen: frozenset[int], path: Path) -> None:
    """One line on stderr about the text file."""
    own = [chunk for chunk in chunks if chunk.chapter in chosen]
    guarded = sum(chunk.guarded for chunk in own)
    count = sum(len(p.sentences) for one in book.chapters if one.number in chosen for p in one.paragraphs)
    say(
        f"written to {shown(path)}: {count:,} sentences in {len(own):,} chunks, {guarded:,} of them "
        f"too short to be read alone without care",
        error=True,
    )
