"""How the Roman number of a heading is said."""

from __future__ import annotations

import regex

from llasa_core.text import base_language
from llasa_core.text.english.numbers import cardinal
from llasa_core.text.english.roman import is_roman, roman

_NUMBER = regex.compile(r"([IVX]{1,6}|XL[IVX]{0,4})(?=\.?\s*$|\.\s+[\p{Lu}\p{N}\"“‘])")
"""Up to 49: "C." and "L." begin names, "MIX" and "LIV" are words."""


def numbered(heading: str, language: str) -> str:
    """The heading with the Roman number that it begins with in words, if a full stop or nothing is behind it.

    >>> numbered("I", "en"), numbered("V. The Road", "en"), numbered("I Am", "en"), numbered("I", "de")
    ('One', 'Five. The Road', 'I Am', 'I')
    """
    found = _NUMBER.match(heading)
    if found is None or base_language(language) != "en" or not is_roman(found[1]):
        return heading
    return cardinal(roman(found[1])).capitalize() + heading[found.end() :]
