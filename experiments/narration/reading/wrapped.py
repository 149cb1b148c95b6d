"""Lines that were broken to a width: which are one paragraph, and which words stand on two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import regex

from llasa_core.text.compare.sounds import common_words

NARROWEST, WIDEST = 40, 100
"""Characters that lines are broken to. Shorter ones may be a list or verse, longer ones are paragraphs."""
MOST_LINES = 0.9
"""Of the lines are no longer than the width."""
_ENDS = regex.compile(r"[.!?\u2026:;][\p{Pf}\p{Pe}\"'*_]*$")
_BROKEN = regex.compile(r"(\p{L}+)[-\u2010]\n[^\S\n]*(\p{Ll}+)")


def paragraphs_of(text: str, is_heading: Callable[[str], bool]) -> Iterator[str]:
    """Of text without empty lines: each line is a paragraph, unless lines were broken to a width. Then one
    ends with a line that had room for the next word, before an indented line, and around headings."""
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    width = _width([line for line in lines if not is_heading(line)])
    if width is None:
        yield from lines
        return
    indent = min(map(_indent, lines))
    own = lines[:1]
    for before, line in pairwise(lines):
        goes_on = _is_full(before, line, width) or (not _ends(before) and line.lstrip()[:1].islower())
        if not goes_on or _indent(line) > indent or is_heading(before) or is_heading(line):
            yield "\n".join(own)
            own = []
        own.append(line)
    yield "\n".join(own)


def _width(lines: Sequence[str]) -> int | None:
    """What lines were broken to; None if they were not: most lines end within a sentence then, and most of
    these had no room for the next word."""
    if len(lines) < 3:
        return None
    width = sorted(map(len, lines))[int(MOST_LINES * (len(lines) - 1))]
    within = [(before, line) for before, line in pairwise(lines) if not _ends(before)]
    full = sum(_is_full(before, line, width) for before, line in within)
    broken = 2 * len(within) >= len(lines) - 1 and full >= 0.8 * len(within)
    return width if broken and width >= NARROWEST and max(map(len, lines)) <= WIDEST else None


def _is_full(line: str, following: str, width: int) -> bool:
    return line.endswith(("-", "\u2010")) or len(line) + 1 + len(following.split()[0]) > width


def _ends(line: str) -> bool:
    return _ENDS.search(line) is not None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def whole_words(text: str) -> str:
    """The text with words on two lines put together: without the hyphen where that is a word of the text or a
    common one, with it where both halves are."""
    if not _BROKEN.search(text):
        return text
    written = {word.casefold() for word in regex.findall(r"\p{L}+(?:[-\u2010]\p{L}+)*", text)}
    known = common_words()

    def together(match: regex.Match[str]) -> str:
        left, right = str(match[1]), str(match[2])
        whole, parts = (left + right).casefold(), f"{left}-{right}".casefold()
        if whole in written or whole in known:
            return left + right
        apart = parts in written or {left.casefold(), right} <= known
        return f"{left}-{right}" if apart else left + right

    return str(_BROKEN.sub(together, text))
