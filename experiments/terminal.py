"""What commands print: safe to show, whatever ids and texts hold, and never the end of a command."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

STDOUT = Path("-")
"""As the name of a file: what is asked for is printed."""
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but for tab and line feed, marks that turn the direction of writing, and lone
surrogates: they can move the cursor, hide text, or end a command with an error."""


def clean(text: str) -> str:
    r"""The text with what a terminal would obey as Python writes it.

    >>> clean("\x1b[2Jid")
    '\\x1b[2Jid'
    """
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


WIDEST = 120
"""Columns of what goes to no terminal."""
UNWRAPPED = 1000
"""Columns for tables of names that a reader takes out of a file or a pipe."""


class Terminal(Console):
    """A console that shows every text clean, and to which a reader who has gone (`| head -1`) is no error.

    widest: columns, where it is no terminal and COLUMNS does not say them.
    """

    def __init__(self, *, stderr: bool = False, widest: int = WIDEST) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)
        if not self.is_terminal and "COLUMNS" not in os.environ:
            self.width = widest

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(clean(segment.text), segment.style)

    def say(self, line: str) -> None:
        """One line, however long."""
        self.print(line, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        discard(self.file)


def say(line: str, *, error: bool = False) -> None:
    """Prints one line to stdout, or to stderr."""
    _write(f"{clean(line)}\n", sys.stderr if error else sys.stdout)


def print_json(value: Any) -> None:
    """Prints JSON to stdout: safe for terminals, and the same value in every encoding."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    text = json.dumps(value, indent=2, ensure_ascii=not encoding.lower().startswith("utf"), allow_nan=False)
    _write(_UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n", sys.stdout)


def discard(stream: Any) -> None:
    """From now on what is written to the stream goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    except (OSError, ValueError):
        pass  # a stream without a file
    finally:
        os.close(nowhere)


def flush() -> None:
    """Hands over what was printed. Raises OSError if it could not be written, unless its reader has gone."""
    for stream in (sys.stdout, sys.stderr):
        _write("", stream)


def _write(text: str, stream: TextIO | None) -> None:
    """stream: None if it was closed when the process began."""
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        discard(stream)
