"""Lines that were broken to a width: which are one paragraph, and which words stand on two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import regex

from llasa_core.text.vocabulary import common_words

NARROWEST, WIDEST = 40, 100
"""Characters that lines are broken to. Shorter ones may be a list or verse, longer ones are paragraphs."""
MOST_LINES = 0.9
"""Of the lines are no longer than the width."""
PAGE = regex.compile(
    r"(?:[-–—\[(|\s]*(?:(?:page|p\.)\s*)?\d{1,4}(?:\s*(?:of|/)\s*\d{1,4})?[-–—\])|\s]*)", regex.IGNORECASE
)
"""A line that is the number of a page."""
_ENDS = regex.compile(r"[.!?\u2026:;\u3002\uff01\uff1f\uff1a\uff1b][\p{Pf}\p{Pe}\"'*_]*$")
_FIRST_WORD = regex.compile(r"\s*(?:\p{Han}|\S+)")
_BROKEN = regex.compile(r"(?<!\p{L})(\p{L}+)[-\u2010]\n[^\S\n]*(\p{Ll}+)")
_NUMBER_WORD = regex.compile(
    r"(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|one|two|three|half|self|well|ill)",
    regex.IGNORECASE,
)


def paragraphs_of(text: str, is_heading: Callable[[str], bool]) -> Iterator[str]:
    """Of text without empty lines: each line is a paragraph, unless lines were broken to a width. Then one
    ends with a line that had room for the next word, before an indented line, and around headings; the number
    of a page does not end it."""
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    prose = [line for line in lines if not is_heading(line) and not PAGE.fullmatch(line)]
    width = _width(prose)
    if width is None:
        yield from lines
        return
    indent = min(map(_indent, prose))
    own: list[str] = []
    before = ""
    for line in lines:
        if own and PAGE.fullmatch(line):
            own.append(line)
            continue
        goes_on = _is_full(before, line, width) or (not _ends(before) and line.lstrip()[:1].islower())
        if own and (not goes_on or _indent(line) > indent or is_heading(before) or is_heading(line)):
            yield "\n".join(own)
            own = []
        own.append(line)
        before = line
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
    return width if broken and NARROWEST <= width <= WIDEST else None


def _is_full(line: str, following: str, width: int) -> bool:
    word = _FIRST_WORD.match(following)
    assert word is not None
    return line.endswith(("-", "\u2010")) or len(line) + 1 + len(word[0].strip()) > width


def _ends(line: str) -> bool:
    return _ENDS.search(line) is not None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def whole_words(text: str) -> str:
    """The text with words on two lines put together. What is a word of the text or a common one without the
    hyphen loses it; what stands in the text with it, or whose halves are common words, keeps it; all others
    are as most of these are."""
    if not _BROKEN.search(text):
        return text
    written = {word.casefold() for word in regex.findall(r"\p{L}+(?:[-\u2010]\p{L}+)*", text)}
    known = common_words()

    def loses_hyphen(left: str, right: str) -> bool | None:
        whole = (left + right).casefold()
        if len(left) == 1 or _NUMBER_WORD.fullmatch(left) or f"{left}-{right}".casefold() in written:
            return False
        if whole in written or whole in known:
            return True
        return False if {left.casefold(), right} <= known else None

    decided = [loses_hyphen(*pair) for pair in _BROKEN.findall(text)]
    most = decided.count(True) > decided.count(False)

    def together(match: regex.Match[str]) -> str:
        left, right = str(match[1]), str(match[2])
        if right in ("and", "or", "to"):
            return f"{left}- {right}"
        found = loses_hyphen(left, right)
        loses = most or left.casefold() not in known if found is None else found
        return left + right if loses else f"{left}-{right}"

    return str(_BROKEN.sub(together, text))
