"""Contents pages of plain text: lists of headings that come again behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import regex

from experiments.narration.book import Reason
from experiments.narration.reading.txt.headings import LONGEST_HEADING, is_chapter
from experiments.narration.reading.txt.numbers import CHINESE, ROMAN, WORDS
from experiments.narration.reading.txt.stretches import Stretches, bare

_TITLE = regex.compile(
    r"(?:table\s+of\s+)?contents|(?:list\s+of\s+)?chapters|目\s*[录錄次]", regex.IGNORECASE
)
_LEADERS = regex.compile(
    r"(?:\s*(?:[.·•…_]\s?){3,}|\s{3,}|\t+)\s*(?:\d{1,4}|[ivxlc]{1,8})\.?\s*$", regex.IGNORECASE
)
"""Between an entry and the number of its page."""
_NUMBER = rf"(?:\d{{1,4}}|{WORDS}|{ROMAN})(?!\w)"
_PREFIX = regex.compile(
    rf"\s*(?:(?P<chapter>(?:chapter|part|book|canto|act|letter|stave)\s+(?:the\s+)?{_NUMBER})|{_NUMBER}(?=\s*[.:—–-])"
    rf"|(?P<chinese>第\s?{CHINESE}\s?[章回卷节節部篇]))",
    regex.IGNORECASE,
)
_COLUMN = regex.compile(r"(?:chapter|page|p\.)(?:\s+page)?\.?", regex.IGNORECASE)
_BODY = regex.compile(r"正文\s*")
LINES = 3
"""Over which an entry, or a heading, may be written."""
FEWEST = 3
"""Letters by which a title alone is known again."""


def without_contents(text: str, stretches: Stretches) -> str:
    """The text, contents pages hidden."""
    lines = text.split("\n")
    at = [n for n, line in enumerate(lines) if bare(line)]
    spoken = [bare(lines[n]) for n in at]
    if not any(map(_is_title, spoken)) and not any(
        _is_start(one) and any(map(_is_start, spoken[n + 1 : n + 1 + LINES])) for n, one in enumerate(spoken)
    ):
        return text
    last = {key: n for n in range(len(at)) for key in _heading_keys(spoken, n)}
    kept: list[str] = []
    start = done = 0
    while start < len(at):
        end = _end(lines, at, spoken, start, last)
        if end > start:
            kept += lines[done : at[start]]
            kept += ["", stretches.hide("\n".join(lines[at[start] : at[end - 1] + 1]), Reason.CONTENTS), ""]
            done = at[end - 1] + 1
        start = max(end, start + 1)
    return "\n".join([*kept, *lines[done:]])


def _end(
    lines: Sequence[str], at: Sequence[int], spoken: Sequence[str], start: int, last: Mapping[str, int]
) -> int:
    """Behind the last entry of a contents page that begins here; `start` if none does. One with a title has
    two entries or more; one without it, two chapters of the same kind: no chapter of a book follows another
    without a word between them. The list ends where its first entry comes again.

    last: where each heading stands for the last time.
    """
    titled = _is_title(spoken[start])
    if not titled and not _is_start(spoken[start]):
        return start
    n = start + titled
    entries: list[tuple[int, frozenset[str], bool]] = []
    while n < len(at):
        if titled and _COLUMN.fullmatch(spoken[n]):
            n += 1
            continue
        if len(lines[at[n]]) > LONGEST_HEADING:
            break
        leaders = titled and _LEADERS.search(lines[at[n]]) is not None
        for size in range(1, LINES + 1):
            whole = " ".join(spoken[n : n + size])
            without = " ".join(_entry(lines[one]) for one in at[n : n + size])
            keys = frozenset((*_keys(whole, titled), *_keys(without, titled)))
            too_long = len(whole) > LONGEST_HEADING or n + size > len(at)
            if too_long or (entries and not keys.isdisjoint(entries[0][1])):
                size = 0
                break
            if leaders or any(last.get(key, 0) >= n + size for key in keys):
                break
        else:
            size = 0
        if not size:
            break
        entries.append((n, keys, leaders))
        n += size
    while any(not (leaders or any(last.get(key, 0) >= n for key in keys)) for _, keys, leaders in entries):
        n = entries.pop()[0]
    chapters = Counter(_kind(spoken[one]) for one, _, _ in entries if _is_start(spoken[one]))
    enough = len(entries) > 1 if titled else max(chapters.values(), default=0) > 1
    return n if enough else start


def _is_title(line: str) -> bool:
    return _TITLE.fullmatch(line.strip(" .:*_#=-")) is not None


def _is_start(line: str) -> bool:
    return len(line) <= LONGEST_HEADING and is_chapter(_entry(line))


def _entry(line: str) -> str:
    return str(_LEADERS.sub("", line)).strip()


def _kind(line: str) -> str:
    """The word before the number of a heading."""
    found = regex.match(r"\s*\p{L}+", line)
    return found[0].strip().casefold() if found and not line.lstrip().startswith("第") else "第"


def _keys(line: str, titled: bool) -> Iterator[str]:
    """By which an entry is known again: all of it; below the title of a contents page also what is behind its
    number, or the word and the number alone."""
    entry = _BODY.sub("", _entry(line))
    if whole := _letters(entry):
        yield whole
    found = _PREFIX.match(entry)
    if titled and found:
        if len(title := _letters(entry[found.end() :])) >= FEWEST:
            yield title
        if number := found["chapter"] or found["chinese"]:
            yield _letters(number)


def _heading_keys(spoken: Sequence[str], n: int) -> Iterator[str]:
    """What an entry for the heading on this line, and the next ones, may say."""
    for length in range(1, LINES + 1):
        whole = " ".join(spoken[n : n + length])
        if n + length > len(spoken) or len(whole) > LONGEST_HEADING:
            return
        key = _letters(_BODY.sub("", whole))
        if key:
            yield key


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
