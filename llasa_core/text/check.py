"""Text before it is spoken: white space, and digits spelled as words."""

import re
from functools import lru_cache
from typing import Any

from llasa_core.errors import UserError

_APOSTROPHE = re.compile(r"(?<=[A-Za-z])\u2019(?=[A-Za-z])")
_MARKER = re.compile(r"<\|[^<>|]*\|>")
_NUMBER = re.compile(
    r"(?P<currency>[$£€])?(?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
    r"(?:\.(?P<decimals>\d+)(?!\.?\d))?(?P<suffix>st|nd|rd|th)?(?P<percent>\s?%)?",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\b(\d{1,2}):([0-5]\d)\b")
_CURRENCIES = {"$": ("dollar", "cent"), "£": ("pound", "pence"), "€": ("euro", "cent")}
_MAX_DIGITS = 15
"""Longer numbers are read digit by digit."""


def no_character(text: str) -> str | None:
    """The first code point in the text that is no character: half of a surrogate pair, a NUL, or a
    non-character such as U+FFFE. None if there is none."""
    for character in text:
        code = ord(character)
        if code == 0 or 0xD800 <= code <= 0xDFFF or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE:
            return f"U+{code:04X}"
    return None


def check_text(text: str) -> str:
    """The text with its white space normalised, and typographic apostrophes within words as the typewriter's.

    Raises UserError if there is nothing to say (empty, or punctuation only), and for a text that holds a
    code point that is no character, or one of the model's own markers such as `<|s_7|>`, which would break
    the prompt.
    """
    if not isinstance(text, str):
        raise UserError(f"the text has to be a string, not {type(text).__name__}: give the words to speak")
    text = _APOSTROPHE.sub("'", " ".join(text.split()))
    if code := no_character(text):
        raise UserError(f"the text holds {code}, which is no character: write it as UTF-8 again")
    if not text:
        raise UserError("the text is empty: give the words to speak")
    if not any(character.isalnum() for character in text):
        raise UserError(f"the text {text[:40]!r} holds no letter or digit: give words to speak")
    if marker := _MARKER.search(text):
        raise UserError(f"the text holds {marker.group()!r}, a marker of the model's own: remove it")
    return text


def spell_numbers(text: str) -> str:
    """English text with its digits as words: `"Room 21, $2.50"` -> `"Room twenty one, two dollars fifty"`.

    The result is what is spoken and what errors are counted against, so that "21" and "twenty one" are no
    difference. Text without digits comes back unchanged.

    >>> spell_numbers("The 3rd of 1,200 is 12.5% at 10:05")
    'The third of one thousand two hundred is twelve point five percent at ten oh five'
    """
    if not any("0" <= character <= "9" for character in text):
        return text
    text = _CLOCK.sub(_spell_clock, text)
    # A word that touches a number ("B2", "4x") is set apart, or the spelled number would run into it.
    text = re.sub(r"(?<=[A-Za-z])(?=[$£€]?\d)", " ", text)
    spelled = _NUMBER.sub(_spell, text)
    return " ".join(spelled.split())


@lru_cache(maxsize=1)
def _engine() -> Any:
    import inflect

    return inflect.engine()


def _words(digits: str) -> str:
    if len(digits) > _MAX_DIGITS or (len(digits) > 1 and digits.startswith("0")):
        return _one_by_one(digits)
    return str(_engine().number_to_words(int(digits), andword="", comma="")).replace("-", " ")


def _one_by_one(digits: str) -> str:
    return " ".join(str(_engine().number_to_words(int(digit))) for digit in digits)


def _spell(match: re.Match[str]) -> str:
    whole, decimals = match["whole"].replace(",", ""), match["decimals"]
    if match["suffix"] and not decimals and len(whole) <= _MAX_DIGITS:
        words = str(_engine().ordinal(_words(whole)))
    elif match["currency"]:
        words = _spell_money(match["currency"], whole, decimals)
    else:
        words = _words(whole)
        if decimals:
            words += f" point {_one_by_one(decimals)}"
        words += (match["suffix"] or "") if decimals else ""
    if match["percent"]:
        words += " percent"
    # A letter that follows ("5km") starts a new word.
    follows = match.string[match.end() : match.end() + 1]
    return f"{words} " if follows.isalpha() else words


def _spell_money(sign: str, whole: str, decimals: str | None) -> str:
    unit, _ = _CURRENCIES[sign]
    words = f"{_words(whole)} {unit if whole.lstrip('0') == '1' else unit + 's'}"
    if decimals and len(decimals) == 2:
        return words if int(decimals) == 0 else f"{words} {_words(decimals.lstrip('0'))}"
    if decimals:
        return f"{_words(whole)} point {_one_by_one(decimals)} {unit}s"
    return words


def _spell_clock(match: re.Match[str]) -> str:
    hour, minute = match[1].lstrip("0") or "0", match[2]
    if minute == "00":
        return f"{_words(hour)} o'clock"
    return f"{_words(hour)} {'oh ' if minute[0] == '0' else ''}{_words(minute.lstrip('0'))}"
