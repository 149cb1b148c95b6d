"""Chapters of files that mark no headings: Word and Markdown where they are paragraphs like any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import regex

from experiments.narration.reading.blocks import Block
from experiments.narration.reading.txt.headings import is_chapter


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
    """The first word of the heading of a chapter, in small letters; "" if the text is none."""
    word = regex.search(r"\p{L}+", text)
    return word[0].lower() if word and is_chapter(text) else ""
