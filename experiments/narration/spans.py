"""Emotions of a part of a line in the text file: `She said {sad} very quietly {/} and left.`"""

from __future__ import annotations

from dataclasses import dataclass

import regex

from llasa_core.emotion import Emotion
from llasa_core.errors import UserError
from verifiers.shared.emotions import EMOTIONS, canonical

_MARK = regex.compile(
    r"""(?P<opening>[[\p{Ps}\p{Pi}"'¿¡]--[{]]*)\{(?P<emotion>[^{}/]+)\}"""
    r"""|\{/\}(?P<closing>[[\p{Po}\p{Pe}\p{Pf}]--[}]]*)""",
    regex.V1,
)
"""Quotation marks and brackets directly before a part go with it, and punctuation directly behind it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a part begins, or ends. emotion: what the part is spoken with; "" where it ends. why: where it
    ends, why braces before that on the line are text; "" without any."""

    emotion: str
    why: str = ""

    def __str__(self) -> str:
        return f"{{{self.emotion or '/'}}}"


def split_marks(text: str) -> list[str | Mark]:
    """Stretches of text, without white space around, and the marks between them. Braces around what is no
    emotion are text.

    >>> [str(one) for one in split_marks("She {sad} left {/}, {as} we.")]
    ['She', '{sad}', 'left,', '{/}', '{as} we.']
    """
    found: list[str | Mark] = []
    place, opening, why = 0, "", ""
    for one in _MARK.finditer(text):
        if one["emotion"] and (wrong := _wrong(one["emotion"])):
            why = wrong
            continue
        before = opening + text[place : one.start()].strip()
        opening, place = one["opening"] or "", one.end()
        mark = Mark(one["emotion"].strip()) if one["emotion"] else Mark("", why)
        found += [before + (one["closing"] or ""), mark]
    return [*found, opening + text[place:].strip()]


def has_marks(text: str) -> bool:
    """Whether `split_marks` finds one."""
    return len(split_marks(text)) > 1


def _wrong(text: str) -> str:
    """Why the text names no emotion; "" if it does."""
    try:
        for label in Emotion.parse(text).weights:
            canonical(label, tuple(EMOTIONS))
    except UserError as error:
        return str(error)
    return ""
