"""What is read of one file of markup, before its notes are found."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import unquote, urldefrag

from experiments.narration.reading.blocks import Block

Target = tuple[str, str]
"""Where a link leads to: (path, fragment)."""


class Trust(Enum):
    """How far an element is a footnote mark by itself, without the place that it links to."""

    SURE = "a mark, and where it links to is its note"
    LIKELY = "a mark, unless it links to a heading; what it links to has to look like its note"
    DOUBTFUL = "a mark only if what it links to looks like its note"


@dataclass(frozen=True, slots=True)
class Mark:
    """A footnote mark that links: in the piece `piece` of the block `block`."""

    block: int
    piece: int
    text: str
    target: Target
    trust: Trust


@dataclass(frozen=True, slots=True)
class Link:
    """Any link, with its text, in the block `block`."""

    block: int
    text: str
    target: Target


@dataclass(frozen=True, slots=True)
class Span:
    """A block element. end: behind the last of the blocks in it. names: its own anchors."""

    tag: str
    end: int
    names: frozenset[str]


@dataclass(slots=True)
class Document:
    """One file of markup. blocks: in order. spans: of its elements, by the block that they begin with, inner
    ones first. written: all text that a reader of the file sees, and the words for pictures."""

    blocks: list[Block]
    written: str
    marks: list[Mark]
    links: list[Link]
    spans: dict[int, list[Span]] = field(default_factory=dict)
    title: str = ""
    _places: dict[str, int] = field(default_factory=dict)

    def position(self, fragment: str) -> int | None:
        """The number of the block that a link leads to: the first without a fragment, None if it is not
        there."""
        if not fragment:
            return 0
        if not self._places:
            for number, block in enumerate(self.blocks):
                for anchor in block.anchors:
                    self._places.setdefault(anchor, number)
        return self._places.get(fragment)


def target(link: str, path: str) -> Target:
    """The file and the fragment that a link in the file `path` names."""
    file, fragment = urldefrag(link)
    return resolve(file, path) if file else path, unquote(fragment)


def resolve(link: str, path: str) -> str:
    """The file in the archive that a link without fragment in the file `path` names."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(link)))
