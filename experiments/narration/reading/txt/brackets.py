"""What Project Gutenberg sets in square brackets and a listener does not want: notes, pictures, numbers of
pages, with all paragraphs up to the bracket that closes them."""

from __future__ import annotations

import regex

from experiments.narration.book import Reason
from experiments.narration.reading.txt.stretches import Stretches

_OPEN = regex.compile(
    r"\[[_*\s]*(?:(?P<note>footnotes?\b|sidenotes?\b)|(?P<comment>transcriber['’]?s?['’]?\s+notes?\b)"
    r"|(?P<picture>(?:illustrations?|picture|image|frontispiece|decoration)\b)"
    r"|(?P<page>(?:pg|page|p)\b[.\s]*(?:\d{1,4}|[ivxlc]{1,8})\s*\]))",
    regex.IGNORECASE,
)
_BRACKET = regex.compile(r"[\[\]]")
_PARAGRAPH = regex.compile(r"\n[^\S\n]*\n\s*$")
LONGEST = 10_000
"""Characters up to the bracket that closes: one that closes later, or never, was forgotten."""


def without_brackets(text: str, stretches: Stretches) -> str:
    """The text, such brackets hidden. One that does not close, or only behind another that begins a
    paragraph, stays."""
    kept: list[str] = []
    at = 0
    while found := _OPEN.search(text, at):
        end = _close(text, found.start())
        if end is None:
            kept.append(text[at : found.end()])
            at = found.end()
            continue
        kept.append(text[at : found.start()])
        kept.append(stretches.hide(text[found.start() : end], _reason(found)))
        at = end
    return "".join(kept) + text[at:]


def _reason(found: regex.Match[str]) -> Reason:
    if found["note"]:
        return Reason.FOOTNOTE
    if found["comment"]:
        return Reason.COMMENT
    return Reason.PICTURE if found["picture"] else Reason.PAGE_NUMBER


def _close(text: str, start: int) -> int | None:
    """Behind the bracket that closes the one at `start`."""
    depth = 0
    for bracket in _BRACKET.finditer(text, start, start + LONGEST):
        at = bracket.start()
        if at > start and _OPEN.match(text, at) and _PARAGRAPH.search(text, max(0, at - 80), at):
            return None
        depth += 1 if bracket[0] == "[" else -1
        if not depth:
            return int(bracket.end())
    return None
