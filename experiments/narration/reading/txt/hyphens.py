"""Words that stand on two lines."""

from __future__ import annotations

import regex

from experiments.narration.reading.txt.stretches import SIGN
from experiments.narration.reading.txt.wrapped import HYPHENS
from llasa_core.text.vocabulary import common_words

_BROKEN = regex.compile(
    rf"(?<!\p{{L}})(?P<left>\p{{L}}+)(?P<hyphen>[{''.join(HYPHENS)}])[^\S\n]*\n[^\S\n]*"
    rf"(?P<hidden>(?:{SIGN}[^\S\n]*\n?[^\S\n]*)*)(?P<right>n['’]t(?!\p{{L}})|\p{{Ll}}+)"
)
_NUMBER_WORD = regex.compile(
    r"(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|one|two|three|half|self|well|ill)",
    regex.IGNORECASE,
)
_PREFIX = regex.compile(r"(?:re|un|in|im|dis|de|con|com|en|ex|be|mis|ad|ab|per)", regex.IGNORECASE)
"""Words, perhaps, but where a line ends nearly always the begin of one."""
_COMPOUND = regex.compile(
    r"in-(?:between|depth|house|laws?)|re-(?:elect|enter|examin)\p{L}*|ex-\p{L}+", regex.IGNORECASE
)


def whole_words(text: str) -> str:
    """The text with words on two lines put together, around what is hidden between the lines. A sign of a
    broken word that nobody types goes. With a hyphen, what is a word of the text or a common one without it
    loses it, as do those of which the left half is a prefix and "n't"; what stands in the text with it, or
    whose halves are common words, keeps it; all others are as most of these are."""
    if not _BROKEN.search(text):
        return text
    written = {word.casefold() for word in regex.findall(r"\p{L}+(?:[-\u2010]\p{L}+)*", text)}
    known = common_words()

    def loses_hyphen(found: regex.Match[str]) -> bool | None:
        left, right = str(found["left"]), str(found["right"])
        whole, compound = (left + right).casefold(), f"{left}-{right}".casefold()
        if found["hyphen"] in "\u00ad\u00ac" or not right.isalpha():
            return True
        if len(left) == 1 or _NUMBER_WORD.fullmatch(left) or compound in written:
            return False
        if whole in written or whole in known:
            return True
        if (found.start() and text[found.start() - 1] in "-\u2010") or _COMPOUND.fullmatch(compound):
            return False
        if _PREFIX.fullmatch(left):
            return True
        return False if {left.casefold(), right} <= known else None

    decided = [loses_hyphen(found) for found in _BROKEN.finditer(text)]
    most = decided.count(True) > decided.count(False)

    def together(match: regex.Match[str]) -> str:
        left, hidden, right = str(match["left"]), "".join(match["hidden"].split()), str(match["right"])
        found = loses_hyphen(match)
        if right in ("and", "or", "to") and match["hyphen"] in "-\u2010":
            return f"{left}- {hidden}{right}"
        loses = most or left.casefold() not in known if found is None else found
        return f"{left}{hidden}{right}" if loses else f"{left}-{hidden}{right}"

    return str(_BROKEN.sub(together, text))
