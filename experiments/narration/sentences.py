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
            if found and (not any(map(str.isalnum, part)) or (base == "zh" and _TITLE.search(found[-1]))):
                found[-1] += part
            else:
                found.append(part)
    if len(found) > 1 and not any(map(str.isalnum, found[0])):
        found[:2] = [found[0] + found[1]]
    return [stripped for one in found if (stripped := one.strip())]


def ends_sentence(text: str) -> bool:
    """Whether the text ends as a sentence does, brackets and quotation marks behind the end aside."""
    return text.rstrip(" \"'”’»」』)]").endswith((".", "!", "?", "…", "。", "！", "？"))
