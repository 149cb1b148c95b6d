"""The table of contents of an EPUB: as the programs that show the book have it, and as it stands in the
text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from lxml import etree

from experiments.narration.book import Reason, letters
from experiments.narration.reading.archive import Archive
from experiments.narration.reading.html.document import Document, Target, resolve, target
from experiments.narration.reading.html.elements import TYPE, local, text_of
from experiments.narration.reading.html.parsing import parse

_TITLE = re.compile(
    r"(?:table of )?contents\W*|inhalt(?:sverzeichnis)?|table des matières|sommaire|[ií]ndice|目\s*[录錄次]",
    re.IGNORECASE,
)
"""Titles of the list of the chapters."""
_FEWEST = 3
"""Links, each a block of its own, that are a list of the chapters by themselves."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file that the package lists."""

    path: str
    kind: str
    properties: str

    @property
    def is_nav(self) -> bool:
        """Whether it is the table of contents."""
        return "nav" in self.properties.split()

    def is_document(self, kinds: Collection[str]) -> bool:
        """Whether it is markup: by its type, which old books give wrongly, or by its name."""
        return self.kind in kinds or self.path.lower().endswith(("html", "htm"))


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the table of contents. depth: from 1."""

    title: str
    path: str
    fragment: str
    depth: int


def read_contents(
    archive: Archive, package: etree._Element, package_path: str, items: Mapping[str, Item], name: str
) -> tuple[list[Entry], list[Target]]:
    """The lines: of EPUB 3 if there is a table, of EPUB 2 otherwise. And where the book says that its own
    list of the chapters stands."""
    own = [
        target(one.get("href", ""), package_path)
        for one in package.iterfind(".//{*}guide/{*}reference")
        if one.get("type") == "toc"
    ]
    nav = next((item for item in items.values() if item.is_nav and item.path in archive.names), None)
    spine = package.find(".//{*}spine")
    ncx = items.get("" if spine is None else spine.get("toc", ""))
    entries: list[Entry] = []
    if nav is not None:
        for root in parse(archive.read(nav.path), f"{name}: {nav.path}").iter("{*}nav"):
            kinds = _types(root)
            if "toc" in kinds or not kinds:
                entries += _nav(root, nav.path, 0)
            elif "landmarks" in kinds:
                places = (one for one in root.iter("{*}a") if "toc" in _types(one))
                own += [target(one.get("href", ""), nav.path) for one in places]
    elif ncx is not None and ncx.path in archive.names:
        points = parse(archive.read(ncx.path), f"{name}: {ncx.path}").find(".//{*}navMap")
        if points is not None:
            entries += _points(points, ncx.path, 1)
    return entries, own


def _types(element: etree._Element) -> list[str]:
    return [word for key in TYPE if key != "role" for word in element.get(key, "").split()]


def _nav(element: etree._Element, path: str, depth: int) -> Iterator[Entry]:
    for child in element:
        if isinstance(child.tag, str):
            tag = local(child)
            if tag == "a":
                yield _entry(text_of(child), child.get("href", ""), path, depth)
            else:
                yield from _nav(child, path, depth + (tag == "ol"))


def _points(element: etree._Element, path: str, depth: int) -> Iterator[Entry]:
    for point in element.iterfind("{*}navPoint"):
        content = point.find("{*}content")
        label = "".join(map(str, point.xpath("*[local-name()='navLabel']//text()")))
        if content is not None:
            yield _entry(label, content.get("src", ""), path, depth)
        yield from _points(point, path, depth + 1)


def _entry(title: str, link: str, path: str, depth: int) -> Entry:
    file, _, fragment = link.partition("#")
    return Entry(" ".join(title.split()), resolve(file, path) if file else path, unquote(fragment), depth)


def without_contents(documents: Sequence[tuple[str, Document]], own: Collection[Target]) -> None:
    """Leaves out the lists of the chapters in the text, with their titles: three or more blocks on end that
    are links alone, to places of the book in their order; below a title, or where the book says that its
    list is (`own`), any."""
    order = {path: number for number, (path, _) in enumerate(documents)}
    for path, document in documents:
        links = dict(_links_alone(document, documents, order))
        told = {document.position(fragment) for file, fragment in own if file == path}
        at = 0
        while at < len(document.blocks):
            start, sure = at, at in told or _title_before(document, at) is not None
            if at in told:
                while (
                    at < min(start + 2, len(document.blocks)) and at not in links and _is_short(document, at)
                ):
                    at += 1
            end = at
            while end < len(document.blocks) and (end in links or not letters(document.blocks[end].text)):
                end += 1
            listed = [one for one in range(at, end) if one in links]
            places = [links[one] for one in listed]
            if listed and (sure or (len(set(places)) >= _FEWEST and places == sorted(places))):
                _leave_out(document, start, listed[-1] + 1)
            at = max(end, start + 1)


def _links_alone(
    document: Document, documents: Sequence[tuple[str, Document]], order: Mapping[str, int]
) -> Iterator[tuple[int, tuple[int, int]]]:
    """The blocks of which all words, but for a number of a page, are one link into the book; and where to."""
    for link in document.links:
        if link.block >= len(document.blocks) or link.target[0] not in order:
            continue
        rest = letters(document.blocks[link.block].text).removeprefix(text := letters(link.text))
        number = order[link.target[0]]
        place = documents[number][1].position(link.target[1])
        if text and (not rest or rest.isdigit()) and place is not None and not text.isdigit():
            yield link.block, (number, place)


def _is_short(document: Document, at: int) -> bool:
    """Whether the block may be a title."""
    text = document.blocks[at].text
    return len(text.split()) <= 6 and not text.endswith((".", "!", "?"))


def _leave_out(document: Document, start: int, end: int) -> None:
    """start: of the list; its title is before it, or in it."""
    title = _title_before(document, start)
    for index in range(start if title is None else title, end):
        block = document.blocks[index]
        pieces = tuple(replace(one, reason=one.reason or Reason.CONTENTS) for one in block.pieces)
        document.blocks[index] = replace(block, pieces=pieces, level=0)


def _title_before(document: Document, at: int) -> int | None:
    """The block above block `at`, if it is the title of a list of the chapters."""
    spoken = (one for one in range(at - 1, -1, -1) if letters(document.blocks[one].text))
    above = next(spoken, None)
    return above if above is not None and _TITLE.fullmatch(document.blocks[above].text) else None
