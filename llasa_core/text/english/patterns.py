"""Patterns of English numbers, and how the readings of their parts are combined."""

import re
from collections.abc import Iterable, Sequence
from itertools import islice, product

from llasa_core.text.english import numbers

INTEGER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,2}(?:,\d\d)+,\d{3}(?!\d)|\d+)"
"""With thousands set apart, or lakhs: `1,50,000`."""
NUMBER = rf"(?:{INTEGER}(?:\.\d+)?|\.\d+)"
START = r"(?<![\w.,'^])"
"""Nothing of a number or word before: "B2" and "1.5" are not read from their middle."""
MINUS = r"(?:(?<![-–—\w)\]%°$£€¥'\"])(?P<minus>[-−–])(?=[\d.$£€¥]))?"
DASH = r"\s?[-–—−~]\s?"
DECIMAL_COMMA = r"\d{1,3}(?:\.\d{3})*,\d{2}(?!\d|,\d)"
POINTED = r"\d{1,3}(?:\.\d{3}){2,}(?![\d.])"
"""`1.000.000`"""
MARK = "\U000f0000-\U000ffffd"
"""Of a character class: what an earlier rule has read."""
MARKED = f"[{MARK}]"
SENTENCE_END = re.compile(
    r"\s*[\"')]*\s*(?:$|(?!(?:[A-Z][a-z]+day|Eastern|Central|Pacific|Mountain|CEO|CFO|Chief|Chairman|President|"
    r"Day|Boulevard)\b)[A-Z\"'])"
)
"""Behind the full stop of an abbreviation that may end a sentence: "at 5 p.m. Friday" goes on."""
SENTENCE_BEGINS = re.compile(
    r"[\"')\u201d]*\s(?:The|An?|And|But|Or|So|Then|Thus|Yet|He|She|It|They|We|You|His|Her|Its|Their|Our|My|Your|"
    r"This|That|These|Those|There|Here|In|On|At|By|For|From|To|With|Of|As|If|When|While|Where|After|Before|"
    r"Until|Since|Although|Because|However|Who|What|Why|How|Which|Not|Now|Later|Soon|Once|All|Some|Many|Most|"
    r"Both|During|Only)(?:'\w+)?\s"
)
"""Behind a full stop: a word that begins a sentence and hardly ever a name."""
SAINTS = (
    "Louis|Paul|John|Peter|Petersburg|George|James|Mary|Clair|Clare|Andrews?|Patrick|Bernards?|Thomas|Helena|"
    "Lawrence|Moritz|Michael|Nicholas|Joseph|Francis|Augustine|Vincent|Albans|Ives|Martin|Anthony|Mark|Luke|"
    "Matthew|Stephen|Anne|Margaret|Benedict|Cloud|Croix|Kitts|Lucia|Germain|Denis"
)
"""Who a "St." behind a number or a title may be, where "42nd St." is a street."""
LIMIT = 32
"""Readings that are kept of one thing."""


def combined(pattern: str, *parts: Sequence[str]) -> tuple[str, ...]:
    """The pattern filled with each reading of each part, the best ones first, LIMIT at most."""
    return tuple(islice((pattern.format(*chosen) for chosen in product(*parts)), LIMIT))


def signed(match: re.Match[str], found: Iterable[str]) -> tuple[str, ...]:
    """The readings with "minus" before them where the match has a minus sign; "negative" is as right."""
    found = tuple(found)
    if not match["minus"]:
        return found
    return tuple(
        f"~{word} {reading[1:]}" if reading.startswith("~") else f"{word} {reading}"
        for word in ("minus", "negative")
        for reading in found
    )


def plain_number(text: str) -> str:
    """A number with a decimal point: `1.200,50` and `1.000.000` have points for thousands."""
    if re.fullmatch(DECIMAL_COMMA, text) or re.fullmatch(r"\d+,\d", text):
        return text.replace(".", "").replace(",", ".")
    return text.replace(".", "") if re.fullmatch(POINTED, text) else text


class Numbers:
    """What reads numbers for one side of the Atlantic."""

    def __init__(self, british: bool) -> None:
        self.british = british

    def number(self, text: str) -> tuple[str, ...]:
        """All readings of a number, the best first."""
        return numbers.readings(plain_number(text), self.british)

    def best(self, text: str) -> str:
        return self.number(text)[0]
