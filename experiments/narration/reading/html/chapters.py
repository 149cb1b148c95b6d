"""Where the chapters of an EPUB begin: at the lines of its table of contents, if they are of any use."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from experiments.narration.book import Reason, letters
from experiments.narration.reading.blocks import Block, Part
from experiments.narration.reading.html.contents import Entry
from experiments.narration.reading.html.document import Document

_NO_CHAPTER = re.compile(
    r"(?:front )?cover|(?:half )?title(?: page)?|start|begin(?:ning)?|(?:table of )?contents"
    r"|copyright(?: page)?|.*project gutenberg.*licen[cs]e.*",
    re.IGNORECASE,
)
"""Lines that say nothing of how deep the chapters are."""
_NUMBER = (
    r"(?:\d+|[ivxl]+|one|two|three|four|five|six|seven|eight|nine|ten"
    r"|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)"
)
_GROUP = re.compile(
    rf"(?:part|book|volume|teil|band|buch|partie|livre|tome|parte|libro)\s+(?:the\s+)?{_NUMBER}\b.*"
    r"|第\S{1,5}[部卷篇].*",
    re.IGNORECASE,
)
"""Lines below which the chapters stand."""
_ENDED = re.compile(r"[^\W\d_A-Z].?[.!?…。！？][”\"’')]*$")
"""The end of a sentence; "CHAPTER I." and "2." are none."""
_FEW = 6
"""Words before a title that may belong to it: "Book the Second", "2"."""


def parts(documents: Sequence[tuple[str, Document]], entries: Sequence[Entry], title: str) -> Iterator[Part]:
    """The blocks, cut where a line of the contents leads: those that are as high as the chapters or higher,
    and those that begin a file. Where the contents name fewer than two chapters, and the headings more, none
    begins, so that the headings decide; without either, each file is a chapter. title: of the book."""
    places = [
        (entry, depth, number, at)
        for entry, depth in _depths(entries, title)
        for number, (path, document) in enumerate(documents)
        if path == entry.path
        for at in [_place(document, entry.fragment)]
        if at is None or at == len(document.blocks) or not _is_left_out(document.blocks[at])
    ]
    useful = Counter(
        depth for depth, _, _ in {place[1:] for place in places if not _is_none(place[0], title)}
    )
    chosen = next((depth for depth in sorted(useful) if useful[depth] > 1), 0)
    if not chosen:
        levels = Counter(
            one.level for _, document in documents for one in document.blocks if one.level and one.text
        )
        if max(levels.values(), default=0) > 1 or (len(documents) == 1 and not places):
            yield from (Part(tuple(document.blocks)) for _, document in documents)
            return
    begun = False
    for number, (_, document) in enumerate(documents):
        here = [(entry, depth, at) for entry, depth, other, at in places if other == number]
        if here and all(at is None for _, _, at in here):  # links that lead nowhere in this file
            here = [(*here[0][:2], 0)]
        cuts: dict[int, str] = {}
        known = {at for _, _, at in here if at is not None}
        for entry, depth, place in here:
            if place is not None:
                at = _snapped(document.blocks, place, known, begun)
                if at not in cuts and (depth <= max(chosen, 1) or at == 0):
                    cuts[at] = entry.title
                    begun = True
        if not places:
            cuts[0] = ""
        if here and not document.blocks:
            yield Part((), here[0][0].title, begins=True)
        bounds = sorted({0, *cuts, len(document.blocks)})
        for start, end in pairwise(bounds):
            yield Part(tuple(document.blocks[start:end]), cuts.get(start, ""), start in cuts)


def _depths(entries: Sequence[Entry], title: str) -> Iterator[tuple[Entry, int]]:
    """The lines with their depths. What is below the book's title or a part is as high as that itself."""
    above: list[tuple[int, bool]] = []
    for entry in entries:
        while above and above[-1][0] >= entry.depth:
            above.pop()
        yield entry, entry.depth - sum(lifts for _, lifts in above)
        above.append((entry.depth, _is_title(entry, title) or bool(_GROUP.fullmatch(entry.title))))


def _is_title(entry: Entry, title: str) -> bool:
    """Whether the line is the book's title, with or without what the title says behind a colon."""
    line = letters(entry.title).casefold()
    return bool(line) and line in (
        letters(title).casefold(),
        letters(re.split(r"[:;(—]", title)[0]).casefold(),
    )


def _is_none(entry: Entry, title: str) -> bool:
    return _is_title(entry, title) or bool(_NO_CHAPTER.fullmatch(entry.title))


def _is_left_out(block: Block) -> bool:
    """Whether nothing of it is spoken, because it is the licence or a list of the chapters."""
    why = {one.reason for one in block.pieces}
    return not letters(block.text) and bool(why & {Reason.LICENCE, Reason.CONTENTS})


def _place(document: Document, fragment: str) -> int | None:
    """The number of the block that a line of the contents leads to: not the paragraph before a heading, if
    the anchor stands behind all of its words."""
    at = document.position(fragment)
    if at is None or at + 1 >= len(document.blocks):
        return at
    last = fragment in document.blocks[at].behind and not document.blocks[at].level
    return at + 1 if last and document.blocks[at + 1].level else at


def _snapped(blocks: Sequence[Block], at: int, known: Collection[int], begun: bool) -> int:
    """Where the chapter begins whose line leads to block `at`: with the headings that stand before it, or
    with the file if nothing else does but pictures and a few words. known: where other lines lead to. begun:
    whether there is a chapter before, so that headings here are not the book's own."""
    while at and at - 1 not in known and blocks[at - 1].level and blocks[at - 1].text:
        at -= 1
    words = [one.text for one in blocks[:at] if not one.level and letters(one.text)]
    few = sum(len(text.split()) for text in words) <= _FEW and not any(map(_ENDED.search, words))
    few = few and (begun or not any(one.level for one in blocks[:at]))
    return 0 if few and not any(one in known for one in range(at)) else at
