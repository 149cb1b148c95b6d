"""English: the order in which rules read what is written."""

import re
from functools import lru_cache

from llasa_core.text.english import places, roman, scripture, symbols, times, web, words
from llasa_core.text.english.amounts import Amounts
from llasa_core.text.english.codes import Codes
from llasa_core.text.english.dates import Dates
from llasa_core.text.english.measures import Measures
from llasa_core.text.english.money import Money
from llasa_core.text.rules import Change, Rule, apply

_GROUPS = re.compile(
    r"(?<![\d.,+'_])(\d{1,3})((?: \d{3}){2,}|(?: 000)+|(?:'\d{3})+|(?:_\d{3})+)(?![\d,'_]|[.]\d)"
)
"""Thousands that are set apart by spaces, apostrophes or underscores."""
_INVERSE = re.compile(r"(\d\s?[A-Za-zμ]{1,4}) ([A-Za-z]{1,3})\^[-−]([123])(?!\d)")
"""`m s^-2`"""
_LINK = re.compile(r"!?\[([^\[\]]+)\]\((?:https?:|/|#|www)[^()\s]*\)")
"""Of Markdown: the words are read, not where they lead."""
_CITED = re.compile(r"(?:(?<=[.,;:!?)])|(?<=[a-z]{3}))(?:\[(?:\d{1,3}|[A-Z])\])+(?=[\s.,;:!?)]|$)")
"""Marks of footnotes: `as was shown.[12]`."""
_BOLD = re.compile(r"(?<![\w=])=(?=[A-Z])([^=\n]*[\w.!?])=(?![\w=])")
"""As Project Gutenberg writes it: `=Chapter 1.=`."""


@lru_cache(maxsize=2)
def _rules(british: bool) -> tuple[tuple[Rule, ...], tuple[Rule, ...], tuple[Rule, ...]]:
    codes = Codes(british)
    readers = (Money(british), Dates(british), Measures(british), Amounts(british))
    digits = [
        *scripture.rules(),
        *codes.codes(),
        *times.rules(),
        *(one for reader in readers for one in reader.rules()),
        *codes.plain(),
    ]
    plain = [*roman.rules(), *places.rules(), *words.rules(british), *symbols.rules()]
    return tuple(web.rules()), tuple(digits), tuple(plain)


def read(text: str, british: bool, changes: list[Change]) -> str:
    """Clean text with a mark for each thing that was read; `changes` gets what the marks stand for."""
    addresses, digits, plain = _rules(british)
    text = re.sub(r"[-=]{1,2}>", "→", text)
    text = _CITED.sub("", _BOLD.sub(r"\1", _LINK.sub(r"\1", text)))
    text = apply(addresses, roman.plain_roman(text).replace("``", '"'), changes)
    if "^" in text or any("0" <= character <= "9" for character in text):
        text = _INVERSE.sub(lambda m: f"{m[1]}/{m[2]}" + ("" if m[3] == "1" else f"^{m[3]}"), text)
        text = _GROUPS.sub(lambda m: m[1] + re.sub("[ '_]", ",", m[2]), text)
        text = apply(digits, text, changes)
    return symbols.separate(apply(plain, re.sub("[_ ]+", " ", text), changes))
