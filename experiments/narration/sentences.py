"""Sentences, by the rules of sentencex (MIT, some 300 languages), which loses no character."""

from __future__ import annotations

import regex
from sentencex import get_sentence_boundaries

from llasa_core.text import base_language

LONGEST = 20_000
"""Characters of a sentence. The longest in a printed novel have some 5,000; what has more has no full
stops."""
_WIDE_END = regex.compile(r"(?<=……|——)(?=\p{Han})")
_TITLE = regex.compile(r"(?<![A-Za-z])(?:Dr|Mr|Mrs|Ms|Prof|St)\.\s*$")
"""English titles within Chinese, whose rules do not know them."""
_ASKED = regex.compile(r"[?!][\"'”’»]*\s*$")
_CALLED = regex.compile(r"[?!][\"”’»]\s*$")
"""The end of a speech: a closing mark behind the sign."""
_SMALL = regex.compile(r"\p{Ll}+(?![\p{L}\p{N}])")
"""A word in small letters: "iPhone" is none."""
_SAYS = regex.compile(
    r"(?:I|(?:(?:Mr|Mrs|Ms|Dr|Prof|St|Col|Capt|Gen|Lieut|Lt|Sgt|Rev)\.?\s+)?\p{Lu}[\p{L}'’-]+"
    r"(?:\s\p{Lu}[\p{L}'’-]+)?)\s+(?:\p{Ll}+ly\s+)?"
    r"(?:(?:said|says|asked|asks|answered|replied|cried|shouted|whispered|murmured|exclaimed|muttered"
    r"|demanded|inquired|enquired|screamed|yelled|gasped)\b"
    r"|(?:called|repeated|returned|added|began|continued|observed|remarked|laughed|sighed)(?=[.,;:!?—]))"
)
"""Who says what stands before: a name and a verb of speech. The verbs that say other things as well ("Mary
called a cab") count where the clause ends with them."""
_CAPITAL = regex.compile(r"\P{L}*\p{Lu}")
_NEVER_ENDS = (
    (regex.compile(r"\b(?:Lieut|Messrs|Mlle|Brig|Cmdr)\.\s*$"), regex.compile(r"\p{Lu}")),
    (regex.compile(r"\b(?:[Vv]ols?|[Cc]h|[Cc]haps?)\.\s*$"), regex.compile(r"\d|[IVXLC]+\b|[ivxlc]+\b")),
    (regex.compile(r"\d(?:st|[nrst]?d|th|s)\.\s*$"), regex.compile(r"\d+d\b|\p{Ll}")),
)
"""Abbreviations that sentencex does not know, and what stands behind one within a sentence: a name, a
number, pence or a small letter."""
_OPENED = regex.compile(r"(?<=\S)\s+([“‘«„\"]+)\s*$")
"""An opening mark at the end. "»" is none: it closes in French, with a space before it."""


def sentences(text: str, language: str) -> list[str]:
    """The sentences of a paragraph in order, without the white space around them; together they are the text.

    >>> sentences("Dr. Lee left. “Huh!” she said.", "en")
    ['Dr. Lee left.', '“Huh!” she said.']
    """
    text = " ".join(text.split())
    found: list[str] = []
    base = base_language(language)
    for boundary in get_sentence_boundaries(base, text):
        for part in _WIDE_END.split(boundary["text"]):
            if found and _goes_on(found[-1], part, base):
                found[-1] += part
            else:
                found.append(part)
    if len(found) > 1 and not any(map(str.isalnum, found[0])):
        found[:2] = [found[0] + found[1]]
    for number in range(1, len(found)):
        if mark := _OPENED.search(before := found[number - 1]):
            found[number - 1 : number + 1] = before[: mark.start()], before[mark.start(1) :] + found[number]
    return [stripped for one in found if (stripped := one.strip())]


def _goes_on(before: str, part: str, base: str) -> bool:
    """Whether the part belongs to the sentence before it."""
    if not any(map(str.isalnum, part)) or (base == "zh" and _TITLE.search(before)):
        return True
    if _ASKED.search(before) and _SMALL.match(part) and _CAPITAL.match(before):
        return True  # "Oh! my dear", but not in a text that has no capitals at all
    if base != "en":
        return False
    if _CALLED.search(before) and _SAYS.match(part):
        return True
    return any(ends.search(before) and begins.match(part) for ends, begins in _NEVER_ENDS)


def ends_sentence(text: str) -> bool:
    """Whether the text ends as a sentence does, brackets and quotation marks behind the end aside."""
    return text.rstrip(" \"'”’»」』)]").endswith((".", "!", "?", "…", "。", "！", "？"))
