"""Chapters of files that mark no headings: Word and Markdown where they are paragraphs like any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import regex

from experiments.narration.reading.blocks import Block

_LONGEST = 80
_LONGEST_TITLE = 6
"""Words of a title that ends in a full stop."""
_ONE_TO_NINE = "one|two|three|four|five|six|seven|eight|nine"
_HEADING = regex.compile(
    r"(?P<kind>chapter|part|book)\s+(?:\d{1,3}|[ivxlc]{1,7}|(?:the\s+)?(?:first|second|third|fourth|fifth|last)"
    rf"|(?:twenty|thirty|forty|fifty)(?:[\s-](?:{_ONE_TO_NINE}))?"
    rf"|{_ONE_TO_NINE}|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen)"
    r"(?P<title>\s*[.:—–-].*|\s+(?-i:\p{Lu}).*)?|(?P<kind>prologue|epilogue)[.:]?",
    regex.IGNORECASE,
)


def with_headings(blocks: Sequence[Block]) -> list[Block]:
    """The blocks of a file that marks no more than one heading, which may be its title: the paragraphs that
    read as headings of chapters ("Chapter One", "PART II: The Road") are headings then, below that one.

    Lines that follow each other are none: they are a list of the chapters.
    """
    marked = [block.level for block in blocks if block.level and block.text]
    if len(marked) > 1:
        return list(blocks)
    spoken = [number for number, block in enumerate(blocks) if block.text]
    kinds = {number: kind for number in spoken if (kind := _kind(blocks[number].text))}
    listed = {
        number
        for number, behind in pairwise(spoken)
        if kinds.get(number) and kinds.get(number) == kinds.get(behind)
    }
    level = max(marked, default=0) + 1
    return [
        replace(block, level=level) if number in kinds and number not in listed and not block.level else block
        for number, block in enumerate(blocks)
    ]


def _kind(text: str) -> str:
    """What the text is a heading of, in small letters; "" if it is none."""
    found = _HEADING.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None or text.endswith((",", ";", "!", "?")):
        return ""
    title = found["title"] or ""
    return "" if title.endswith(".") and len(title.split()) > _LONGEST_TITLE else str(found["kind"]).lower()
