"""Quotations of a paragraph, and the words beside them that say who speaks: "said Alice", "Bob asked"."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from itertools import pairwise

import regex

_INCHES = r"(?<=\d['’′]\s?\d{1,2})\""
_STRAIGHT = rf"(?<!\d)\"(?:[^\"]|{_INCHES})*\"?"
_LETTER = r"[\p{L}\p{N}]"
_SINGLE = rf"(?<!{_LETTER})‘(?!\s|\d\d|(?:tis|twas|twere|twill|em|til|n|cause|bout)\b)"
_WITHIN = r"(?:[^‘“”]|“[^“”]*”)*?"
_QUOTED = regex.compile(
    rf"“[^“”]*”?|„[^„“”]*[“”]?|«[^«»]*»?|»[^«»]*«?|「[^「」]*」?|『[^『』]*』?|{_STRAIGHT}"
    rf"|{_SINGLE}{_WITHIN}(?<=[.,;:!?…—–-])’(?!{_LETTER})|{_SINGLE}{_WITHIN}(?<=\S)’(?!{_LETTER})"
)
"""A quotation whose end is missing goes on to the end of its paragraph: it continues in the next one. A mark
of inches (6'2") is none. ‘ opens only before a word and ’ closes only behind one, best behind a comma or the
like, so that apostrophes are none."""
_OPEN_SINGLE = regex.compile(rf"{_SINGLE}[^‘]*\Z")
_CLOSERS = {"“": "”", "„": "“”", "«": "»", "»": "«", "「": "」", "『": "』", '"': '"', "‘": "’"}

_VERBS = (
    "said|says|asked|asks|answered|answers|replied|replies|cried|cries|called|calls|shouted|shouts|whispered"
    "|whispers|murmured|murmurs|added|adds|continued|continues|began|begins|exclaimed|exclaims|muttered"
    "|mutters|repeated|repeats|returned|returns|observed|remarked|told|went on|laughed|sighed"
)
_VERB = regex.compile(rf"(?<![\w'’-])(?:{_VERBS})(?![\w'’-])")
_PRONOUN = r"(?:[Hh]e|[Ss]he|I|[Tt]hey|[Ww]e|[Yy]ou|[Ii]t)"
_HE_SAID = regex.compile(rf"(?<![\w'’]){_PRONOUN}\s+(?:\w+ly\s+|then\s+)?\Z")
_HE = regex.compile(rf"\s*{_PRONOUN}(?!\w)")
_SAID_HE = regex.compile(rf"\s+{_PRONOUN}(?!\w)")
_FIRST = regex.compile(r"[\s,;—–-]*(?:(?:\w+ly|then|so|thus)\s+)?\Z", regex.IGNORECASE)
"""Between a quotation, or the begin of a sentence, and the verb of "said Alice"."""
_ANOTHER = (
    r"(?i:to|of|for|from|with|at|about|by|near|behind|beside|called|named|that|what|nothing|he|she|i|they|we"
    r"|you|it)\b"
)
_WORDS = rf"(?:(?!{_ANOTHER})[\w'’-]+\.?\s+){{0,2}}?"
"""Between the verb and the name: "said the old", "said Mr."."""
_OBJECT = r"(?<!\b(?:to|told|called|asked|named|of|with|at|for|from|by|beside|behind|near)\s+)"
"""A name is whom one speaks to, or of, behind these."""
_CLAUSE_GOES_ON = regex.compile(r"(?:[,;:]|\b(?:and|but|or|then|also))\s*\Z|\A\s*\Z")
"""Before a verb whose subject stands earlier: "He rose and said"."""
_CHINESE = r"(?P<he>[他她我]们?)[说问答喊叫]|[说道问喊叫](?=[：:])"


class Unknown(Enum):
    """Who speaks, where it is nobody of the given names. PRONOUN: "he", as a rule who spoke before in the
    paragraph. OTHER: "the stranger"."""

    PRONOUN = "pronoun"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Quotation:
    """A stretch of a text. open: whether its end is missing."""

    start: int
    end: int
    open: bool


@dataclass(frozen=True, slots=True)
class Tag:
    """A stretch that says who speaks. follows: whether it is the first in what stands behind a quotation."""

    start: int
    end: int
    speaker: str | Unknown
    follows: bool = False


def quotations(text: str, following: str = "") -> list[Quotation]:
    """following: the next paragraph. A ‘ without an end is a quotation only if that one begins with a ‘."""
    found = [Quotation(one.start(), one.end(), _is_open(one[0])) for one in _QUOTED.finditer(text)]
    if following.startswith("‘"):
        rest = found[-1].end if found else 0
        if last := _OPEN_SINGLE.search(text, rest):
            found.append(Quotation(last.start(), last.end(), open=True))
    return found


def _is_open(quoted: str) -> bool:
    return len(quoted) < 2 or quoted[-1] not in _CLOSERS[quoted[0]]


def tags(text: str, quoted: Sequence[Quotation], ends: Sequence[int], names: Sequence[str]) -> list[Tag]:
    """The tags of what stands outside of the quotations, in order. ends: of the sentences of the text."""
    if not names:
        return []
    patterns = _Patterns.of(tuple(names))
    found: list[Tag] = []
    bounds = [0, *(place for one in quoted for place in (one.start, one.end)), len(text)]
    for number, (start, end) in enumerate(zip(bounds[::2], bounds[1::2], strict=True)):
        cuts = [start, *ends[bisect_right(ends, start) : bisect_left(ends, end)], end]
        for first, last in pairwise(cuts):
            follows = number > 0 and not text[start:first].strip()
            comma = follows and first == start and text[start - 2 : start - 1] in (",", "，")
            found += (
                replace(one, start=first + one.start, end=first + one.end, follows=follows and not place)
                for place, one in enumerate(_tags(text[first:last], patterns, comma))
            )
    return sorted(found, key=lambda one: one.start)


@dataclass(frozen=True, slots=True)
class _Patterns:
    """Of tags with one of the names, which stands before the verb, or behind it; beside: directly behind a
    quotation with a comma, where any verb is one of speech."""

    names: tuple[str, ...]
    before: regex.Pattern[str]
    behind: regex.Pattern[str]
    beside: regex.Pattern[str]
    chinese: regex.Pattern[str]

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, names: tuple[str, ...]) -> _Patterns:
        own = "|".join(
            rf"{regex.escape(one)}|(?=\p{{Lu}})(?i:{regex.escape(one)})"  # "alice" is Alice too
            for one in sorted(names, key=len, reverse=True)
        )
        name = rf"(?P<name>{own})(?!\w|['’]s\b)"
        more = r"(?:\s+\p{Lu}[\w'’-]+)?"
        return cls(
            names,
            regex.compile(rf"(?<![\w'’-]){_OBJECT}{name}{more},?\s+(?:\w+ly\s+)?\Z"),
            regex.compile(rf"\s+{_WORDS}{name}"),
            regex.compile(rf"\s*(?:{name}{more}\s+\p{{Ll}}|\p{{Ll}}+ed\s+{_WORDS}{name})"),
            regex.compile(rf"(?P<name>{own})[说道问答喊叫]|{_CHINESE}"),
        )


def _tags(told: str, patterns: _Patterns, comma: bool) -> list[Tag]:
    """Of a sentence, or the part of one outside of quotations. comma: whether a quotation is before it that
    ends in a comma: it goes on with who said that."""
    found: list[Tag] = []
    if comma and (one := patterns.beside.match(told)):
        found.append(Tag(0, one.end(), _entry(one["name"], patterns.names)))
    for verb in _VERB.finditer(told):
        left = told[: verb.start()]
        start, end = verb.span()
        speaker: str | Unknown = Unknown.OTHER
        if one := patterns.before.search(left):
            speaker, start = _entry(one["name"], patterns.names), one.start()
        elif one := _HE_SAID.search(left):
            speaker, start = Unknown.PRONOUN, one.start()
        elif _FIRST.match(left) and verb[0] != "told":
            if one := patterns.behind.match(told, verb.end()):
                speaker, end = _entry(one["name"], patterns.names), one.end()
            elif _SAID_HE.match(told, verb.end()):
                speaker = Unknown.PRONOUN
        elif _CLAUSE_GOES_ON.search(left):
            continue
        else:
            start = 0
        found.append(Tag(start, end, speaker))
    for one in patterns.chinese.finditer(told):
        he = Unknown.PRONOUN if one["he"] else Unknown.OTHER
        found.append(Tag(one.start(), one.end(), _entry(one["name"], patterns.names) if one["name"] else he))
    if comma and not found and told.strip():
        found.append(Tag(0, 0, Unknown.PRONOUN if _HE.match(told) else Unknown.OTHER))
    return found


def _entry(written: str, names: Sequence[str]) -> str:
    """The name as it is given."""
    return next((one for one in names if one == written), "") or next(
        one for one in names if one.casefold() == written.casefold()
    )
