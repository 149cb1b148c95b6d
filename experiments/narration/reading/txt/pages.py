"""Pages of a book as its text: their numbers and running headers, and the sentences that they break."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import regex

from experiments.narration.book import Reason
from experiments.narration.reading.txt.headings import LONGEST_LINE, is_chapter, level
from experiments.narration.reading.txt.numbers import ROMAN, value
from experiments.narration.reading.txt.stretches import SIGN, Stretches, bare
from experiments.narration.reading.txt.wrapped import NARROWEST, PAGE

_SURE = regex.compile(
    rf"\s*(?:[-–—]+\s*(?:\d{{1,4}}|{ROMAN})\s*[-–—]+|(?:page|p\.)\s*(?:\d{{1,4}}(?:\s*(?:of|/)\s*\d{{1,4}})?|{ROMAN}))\s*",
    regex.IGNORECASE,
)
"""A line that is the number of a page wherever it stands."""
_SMALL_ROMAN = regex.compile(rf"\s*({ROMAN})\s*")
_OPEN = regex.compile(r"[\p{L}\p{M},;\-\u2010\u00ad\u00ac]$")
"""The end of a line whose sentence goes on."""
_NUMBERED = regex.compile(r"(?P<first>\d{1,4})\s+(?P<head>[^\d\s].*)|(?P<head>.*[^\d\s])\s+(?P<last>\d{1,4})")
_FAR = regex.compile(r"\d{1,4}(?:\s{3,}|\t)\S.*|.*\S(?:\s{3,}|\t)\d{1,4}")
_NO_HEADER = tuple(".!?,;:…”\"'’。！？，")
HEADERS = 3
"""Times that a line of small letters recurs next to the bounds of pages: a running header."""
ZONE = 2
"""Lines at the top and bottom of a page that may be its header, footer and number."""
WITHIN = 0.2
"""Of lines that are a bare number stand within a sentence: all of them are numbers of pages. The number of a
chapter never does."""


def _numbered(line: str) -> regex.Match[str] | None:
    """A short line with a number at one end."""
    return _NUMBERED.fullmatch(line) if len(line) <= LONGEST_LINE else None


def without_pages(text: str, stretches: Stretches) -> str:
    """The text, numbers of pages and running headers hidden; where a sentence goes on behind them, or behind
    a form feed alone, nothing but they is between its lines."""
    pages = _Pages(text.replace("\f", "\n\f\n").split("\n"))
    reasons = {
        **dict.fromkeys(pages.numbers(), Reason.PAGE_NUMBER),
        **dict.fromkeys(pages.headers(), Reason.HEADER),
    }
    return _joined(pages.lines, reasons, stretches)


class _Pages:
    """The lines of a text, a form feed being one. at: places of those that are not empty."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = [n for n, line in enumerate(lines) if bare(line)]
        self.feeds = [n for n, line in enumerate(lines) if line == "\f"]
        starts = [n for n, (one, two) in enumerate(pairwise(self.at), start=1) if "\f" in lines[one:two]]
        self.bounds = starts
        """Of `at`, the first line of each page but the first."""
        self._within = self._lines_within()

    def headers(self) -> set[int]:
        """Lines next to the bounds of pages that stand within a sentence, if they recur or say what they are,
        and all that are like them; but the first on the first page, and a heading where it stands first.
        Without form feeds, lines with a number at one end."""
        places: dict[str, list[int]] = defaultdict(list)
        for line in sorted(self._edges() if self.bounds else self._numbered_lines()):
            if key := self._key(line):
                places[key].append(line)
        found: set[int] = set()
        for own in places.values():
            within = [line for line in own if line in self._within]
            told = any(self._is_header_alone(line) for line in within)
            if not within or not (told or len(own) >= HEADERS):
                continue
            title = self.lines[own[0]].strip()
            stays = own[0] not in within and (
                is_chapter(title) or (self._on_first_page(own[0]) and not _numbered(title))
            )
            found.update(own[1:] if stays else own)
        return found

    def _is_header_alone(self, n: int) -> bool:
        """Whether a line within a sentence need not recur: capitals at the bound of a page or with a number;
        small letters only at a bound and far from their number, as "5 men came" may begin a page."""
        line = self.lines[n].strip()
        if any(map(str.islower, line)):
            return bool(self.bounds) and (len(line) <= LONGEST_LINE and _FAR.fullmatch(line) is not None)
        return bool(self.bounds) or _numbered(line) is not None

    def numbers(self) -> set[int]:
        plain = {n for n in self.at if PAGE.fullmatch(self.lines[n]) and any(map(str.isdigit, self.lines[n]))}
        sure = {n for n in self.at if _SURE.fullmatch(self.lines[n])}
        sure |= {self.at[bound - 1] for bound in self.bounds} & plain
        if self.feeds and self.at and self.feeds[-1] > self.at[-1]:
            sure |= {self.at[-1]} & plain
        bare_ones = {n for n in plain - sure if self._alone(n) or n in self._within}
        within = bare_ones & self._within
        sure |= bare_ones if len(within) >= WITHIN * len(bare_ones) else within
        return sure | self._small_romans()

    def _small_romans(self) -> set[int]:
        """At the bounds of pages, in a rising run."""
        own = [
            (n, number)
            for n in sorted(self._edges())
            if (found := _SMALL_ROMAN.fullmatch(self.lines[n]))
            and found[1].islower()
            and (number := value(found[1]))
        ]
        return {n for one, two in pairwise(own) if one[1] < two[1] for n in (one[0], two[0])}

    def _edges(self) -> set[int]:
        """Lines at the top and the bottom of pages."""
        around = [*self.bounds, *([0, len(self.at)] if self.bounds else [])]
        return {
            self.at[n]
            for bound in around
            for n in range(max(0, bound - ZONE), min(len(self.at), bound + ZONE))
            if not self._has_line_between(n, bound)
        }

    def _has_line_between(self, n: int, bound: int) -> bool:
        """Whether text is between a line and the bound, so that it is no header."""
        between = self.at[n + 1 : bound] if n < bound else self.at[bound:n]
        return any(not self._may_be_left(line) for line in between)

    def _numbered_lines(self) -> set[int]:
        return {n for n in self.at if self._alone(n) and _numbered(self.lines[n].strip())}

    def _key(self, n: int) -> str:
        """Letters of a line that may be a header, without the number of the page."""
        line = bare(self.lines[n])
        if len(line) > LONGEST_LINE or line.endswith(_NO_HEADER) or PAGE.fullmatch(line):
            return ""
        if is_chapter(line):
            return line.casefold()
        found = _numbered(line)
        return _letters(found["head"] if found else line)

    def _lines_within(self) -> set[int]:
        """Lines that stand within a sentence: what is before them has no end, what is behind goes on in small
        letters. Next to a form feed, the fewest for which that holds."""
        found: set[int] = set()
        for bound in self.bounds:
            sizes = sorted(
                ((above, below) for above in range(ZONE + 1) for below in range(ZONE + 1)),
                key=lambda one: (sum(one), one),
            )
            for above, below in sizes:
                own = self.at[max(0, bound - above) : bound + below]
                if self._goes_on(bound - above - 1, bound + below) and all(map(self._may_be_left, own)):
                    found.update(own)
                    break
        for n, line in enumerate(self.at):
            numbered = PAGE.fullmatch(self.lines[line]) or (
                self._alone(line) and _numbered(self.lines[line].strip())
            )
            if numbered and self._goes_on(n - 1, n + 1) and self._may_be_left(line):
                found.add(line)
        return found

    def _may_be_left(self, n: int) -> bool:
        return bool(PAGE.fullmatch(self.lines[n]) or _SURE.fullmatch(self.lines[n]) or self._key(n))

    def _goes_on(self, before: int, behind: int) -> bool:
        """Whether a sentence does, from one of the lines that are not empty to another."""
        if before < 0 or behind >= len(self.at):
            return False
        return _is_open(self.lines[self.at[before]]) and _begins_small(self.lines[self.at[behind]])

    def _alone(self, n: int) -> bool:
        """Whether nothing stands right above and below a line."""
        return not any(bare(line) for line in (*self.lines[max(0, n - 1) : n], *self.lines[n + 1 : n + 2]))

    def _on_first_page(self, n: int) -> bool:
        return not self.feeds or n < self.feeds[0]


def _joined(lines: Sequence[str], reasons: dict[int, Reason], stretches: Stretches) -> str:
    """The lines, those with a reason hidden. Between two others that are one sentence, nothing else."""
    kept: list[str] = []
    between: list[str] = []
    before = ""
    for n, line in enumerate(lines):
        if n in reasons:
            between.append(stretches.hide(line, reasons[n]))
        elif not bare(line):
            between.append(line)
        else:
            signs = [one for one in between if bare(one) != one.strip() and one.strip()]
            broken = "\f" in between or signs
            if broken and _is_open(before) and (_begins_small(line) or (signs and _is_long(before, line))):
                between = [_signs_of(one) for one in between if _signs_of(one)]
            kept += [*between, line]
            between, before = [], line
    return "\n".join([*kept, *between])


def _signs_of(line: str) -> str:
    return "".join(regex.findall(SIGN, line))


def _is_open(line: str) -> bool:
    return _OPEN.search(bare(line)) is not None and not level(line)


def _is_long(before: str, line: str) -> bool:
    """Whether a line is too long for one that ends a title, and what is behind it may go on in capitals."""
    same = len(line) - len(line.lstrip()) <= len(before) - len(before.lstrip())
    return len(before.strip()) >= NARROWEST and same and not level(line) and bare(line)[:1].isupper()


def _begins_small(line: str) -> bool:
    return bare(line)[:1].islower()


def _letters(line: str) -> str:
    return "".join(filter(str.isalpha, line.casefold()))
