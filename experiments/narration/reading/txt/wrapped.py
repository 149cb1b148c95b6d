"""Lines that were broken to a width: which of them are one paragraph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import regex

from experiments.narration.reading.txt.stretches import SIGN, bare

NARROWEST, WIDEST = 40, 100
"""Columns that lines are broken to. Shorter ones may be a list or verse, longer ones are paragraphs."""
MOST_LINES = 0.9
"""Of the lines are no longer than the width."""
PAGE = regex.compile(
    r"(?:[-–—\[(|\s]*(?:(?:page|p\.)\s*)?\d{1,4}(?:\s*(?:of|/)\s*\d{1,4})?[-–—\])|\s]*)", regex.IGNORECASE
)
"""A line that is the number of a page."""
BREAK = regex.compile(r"\s*(?:[*·•⁂~#§†✻❦◆◇❖☙♦]\s*)+|\s*(?:[-–—_=]\s*){3,}")
"""A line behind which a section begins."""
HYPHENS = ("-", "\u2010", "\u00ad", "\u00ac")
"""At the end of a line: what was typed, and what other programs write where a word was broken."""
_ENDS = regex.compile(r"[.!?\u2026:;\u3002\uff01\uff1f\uff1a\uff1b][\p{Pf}\p{Pe}\"'*_]*$")
_FIRST_WORD = regex.compile(r"\s*(?:\p{Han}|\S+)")
_WIDE = regex.compile(r"[\p{Han}\u3000-\u303f\uff00-\uff60]")
_HIDDEN = regex.compile(rf"[{SIGN[1:-1]}\s]+")


class Layout:
    """How the paragraphs of one file are set: with empty lines between them, which is left as it is, or
    without. blocks: what stands between empty lines."""

    def __init__(self, blocks: Sequence[str], is_heading: Callable[[str], bool]) -> None:
        self._is_heading = is_heading
        self._one = len(blocks) < 2
        prose = [own for block in blocks if (own := self._prose(block))]
        pairs = [pair for own in prose for pair in pairwise(own)]
        self._width = _width([line for own in prose for line in own], pairs)
        self._splits = self._one or self._ends_within(prose, pairs)

    def paragraphs(self, block: str) -> Iterator[str]:
        """Of a block. A line that begins a section stands alone, and so do the lines of a file that were not
        broken to a width, if most of them end a sentence and none begins within one. Where paragraphs of
        lines that were broken end within blocks, one ends with a line that had room for the next word, before
        an indented line, and around headings."""
        own: list[str] = []
        for line in [*_lines(block), ""]:
            if not line or BREAK.fullmatch(bare(line)):
                if own:
                    yield from self._split(own) if self._splits else ("\n".join(own),)
                if line:
                    yield line
                own = []
            else:
                own.append(line)

    def _split(self, lines: Sequence[str]) -> Iterator[str]:
        if self._width is None:
            yield from _unbroken(lines)
            return
        indent = min(map(_indent, lines))
        own: list[str] = []
        before = ""
        for line in lines:
            if own and _HIDDEN.fullmatch(line):
                own.append(line)
                continue
            goes_on = _is_full(before, line, self._width) or (not _ends(before) and _begins_small(line))
            apart = any(self._is_heading(one) or PAGE.fullmatch(one) for one in (before, line) if one)
            if own and (not goes_on or _indent(line) > indent or apart):
                yield "\n".join(own)
                own = []
            own.append(line)
            before = line
        yield "\n".join(own)

    def _prose(self, block: str) -> list[str]:
        """Lines that tell how the file is set."""
        return [
            line
            for line in _lines(block)
            if not (
                self._is_heading(line)
                or PAGE.fullmatch(line)
                or BREAK.fullmatch(bare(line))
                or _HIDDEN.fullmatch(line)
            )
        ]

    def _ends_within(self, prose: Sequence[Sequence[str]], pairs: Sequence[tuple[str, str]]) -> bool:
        """Whether paragraphs end within blocks, in the whole file."""
        several = [own for own in prose if len(own) > 1]
        if self._width is None:
            lines = [line for own in several for line in own]
            small = sum(_begins_small(line) for _, line in pairs)
            return 2 * sum(map(_ends, lines)) > len(lines) and 50 * small <= len(pairs)
        width = self._width
        ended = sum(
            _indent(line) > min(map(_indent, own)) or (_ends(before) and not _is_full(before, line, width))
            for own in several
            for before, line in pairwise(own)
        )
        return bool(ended) and 2 * ended >= len(several)


def _lines(block: str) -> list[str]:
    return [line.rstrip() for line in block.split("\n") if line.strip()]


def _unbroken(lines: Sequence[str]) -> Iterator[str]:
    """Each line, but a word on two of them."""
    own: list[str] = []
    for line in lines:
        if own and not (own[-1].endswith(HYPHENS) and _begins_small(line)):
            yield "\n".join(own)
            own = []
        own.append(line)
    yield "\n".join(own)


def _width(lines: Sequence[str], pairs: Sequence[tuple[str, str]]) -> int | None:
    """What lines were broken to; None if they were not: most lines that are not the last of a block end
    within a sentence then, and most of these had no room for the next word."""
    if len(pairs) < 2:
        return None
    width = sorted(map(_columns, lines))[int(MOST_LINES * (len(lines) - 1))]
    within = [(before, line) for before, line in pairs if not _ends(before)]
    full = sum(_is_full(before, line, width) for before, line in within)
    broken = 2 * len(within) >= len(pairs) and full >= 0.8 * len(within)
    return width if broken and NARROWEST <= width <= WIDEST else None


def _is_full(line: str, following: str, width: int) -> bool:
    word = _FIRST_WORD.match(following)
    assert word is not None
    return line.endswith(HYPHENS) or (_columns(line) + 1 + _columns(word[0].strip()) > width)


def _columns(line: str) -> int:
    """Chinese characters take two."""
    return len(line) + len(_WIDE.findall(line))


def _ends(line: str) -> bool:
    return _ENDS.search(line) is not None


def _begins_small(line: str) -> bool:
    return bare(line)[:1].islower()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
