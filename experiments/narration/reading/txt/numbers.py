"""Numbers as headings write them: in figures, as Roman numbers, in English and Chinese words."""

from __future__ import annotations

import regex

_ONES = "one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_FIRSTS = "first second third fourth fifth sixth seventh eighth ninth".split()
_TEENTHS = [f"{one}th" for one in ("ten", "eleven", "twelf", *_TEENS[3:])]
_VALUES = {
    **{word: value for value, word in enumerate((*_ONES, *_TEENS), start=1)},
    **{word: value for value, word in enumerate((*_FIRSTS, *_TEENTHS), start=1)},
    **{word: value for value, word in zip(range(20, 100, 10), _TENS, strict=True)},
    **{f"{word[:-1]}ieth": value for value, word in zip(range(20, 100, 10), _TENS, strict=True)},
}
_UNDER_HUNDRED = (
    rf"(?:(?:{'|'.join(_TENS)})(?:[-\s](?:{'|'.join((*_ONES, *_FIRSTS))}))?"
    rf"|{'|'.join(sorted(_VALUES, key=len, reverse=True))})"
)
WORDS = rf"(?:(?:{'|'.join(_ONES)}|a)\s+hundred(?:(?:\s+and)?\s+{_UNDER_HUNDRED})?|{_UNDER_HUNDRED})"
"""A number up to 999 in words, or an ordinal number, in a pattern without regard to capitals."""
ROMAN = r"(?=[ivxlcdm])(?:m{0,3}(?:c[md]|d?c{0,4})(?:x[cl]|l?x{0,4})(?:i[xv]|v?i{0,4}))"
CHINESE = r"[0-9０-９〇零一二三四五六七八九十百千两兩]+"
_DIGITS = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}
_WHOLE_ROMAN = regex.compile(ROMAN, regex.IGNORECASE)


def value(number: str) -> int:
    """Of a number that one of the patterns above finds; 0 for any other text.

    >>> value("12"), value("XIV"), value("Twenty-One"), value("one hundred and two"), value("no")
    (12, 14, 21, 102, 0)
    """
    if number.isascii() and number.isdigit():
        return int(number)
    if _WHOLE_ROMAN.fullmatch(number):
        digits = [_DIGITS[one] for one in number.lower()]
        return sum(-one if one < max(digits[at:], default=0) else one for at, one in enumerate(digits))
    total = 0
    for word in regex.split(r"[-\s]+", number.lower()):
        if word == "hundred":
            total = 100 * (total or 1)
        elif word not in ("and", "a"):
            if word not in _VALUES:
                return 0
            total += _VALUES[word]
    return total
