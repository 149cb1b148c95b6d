"""EPUB 2 and 3: the documents in their reading order, and the table of contents."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from lxml import etree

from experiments.narration.book import LeftOut, Reason, letters
from experiments.narration.reading.archive import Archive
from experiments.narration.reading.blocks import Block, Part, Reading
from experiments.narration.reading.markup import Document, read_markup, resolve, without_notes
from llasa_core.errors import UserError
from llasa_core.paths import shown

_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Ways to lock fonts, which are not needed to read."""
_PICTURE = "image/svg+xml"
_DOCUMENTS = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document")
_IN_ORDER = (*_DOCUMENTS, "application/xml", "text/xml", _PICTURE)
"""Also markup, where the reading order names it."""


@dataclass(frozen=True, slots=True)
class _Item:
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
class _Entry:
    """A line of the table of contents. depth: from 1."""

    title: str
    path: str
    fragment: str
    depth: int


def read_epub(path: Path, what: str) -> Reading:
    """Raises UserError for an EPUB that is damaged, encrypted, or has no text."""
    name = f"{what} {shown(path)}"
    with Archive(path, what) as archive:
        _check_open(archive, name)
        package_path = _package(archive, name)
        package = archive.xml(package_path)
        items = {
            item.get("id", ""): _Item(
                resolve(item.get("href", ""), package_path),
                item.get("media-type", ""),
                item.get("properties", ""),
            )
            for item in package.iterfind(".//{*}manifest/{*}item")
        }
        spine = [
            (items[ref.get("idref", "")], ref.get("linear") != "no")
            for ref in package.iterfind(".//{*}spine/{*}itemref")
            if ref.get("idref") in items
        ]
        entries = list(_contents(archive, package, items))
        documents: list[tuple[str, Document]] = []
        aside: list[LeftOut] = []
        listed = {item.path for item, _ in spine}
        beside = [
            (item, False)
            for item in items.values()
            if item.path not in listed and item.path in archive.names and not item.is_nav
        ]
        in_order = [one for one in spine if one[0].is_document(_IN_ORDER)]
        for item, linear in (*in_order, *(one for one in beside if one[0].is_document(_DOCUMENTS))):
            document = read_markup(archive.read(item.path), f"{name}: {shown(item.path)}", item.path)
            if linear and not item.is_nav and item.kind != _PICTURE:
                documents.append((item.path, document))
            elif letters(document.written):
                reason = Reason.ASIDE if not linear else Reason.CONTENTS if item.is_nav else Reason.PICTURE
                aside.append(LeftOut(reason, " ".join(document.written.split())))
    without_notes(documents)
    pictures = sum(len(block.left_out) for _, one in documents for block in one.blocks)
    if not any(letters(block.text) for _, one in documents for block in one.blocks):
        has = f"pictures alone ({pictures})" if pictures else "no text"
        raise UserError(f"{name} holds {has}: recognise its words with an OCR program first")
    return Reading(
        title=_metadata(package, "title"),
        language=_metadata(package, "language"),
        parts=tuple(_parts(documents, entries)),
        written="".join(document.written for _, document in documents),
        aside=tuple(aside),
    )


def _check_open(archive: Archive, name: str) -> None:
    """Raises UserError for a book whose text is encrypted."""
    if "META-INF/encryption.xml" not in archive.names:
        return
    for data in archive.xml("META-INF/encryption.xml").iter("{*}EncryptedData"):
        method = data.find("{*}EncryptionMethod")
        if method is None or method.get("Algorithm") not in _FONTS:
            raise UserError(
                f"{name} is encrypted (DRM), so its text cannot be read: "
                f"get a copy without it from its publisher"
            )


def _package(archive: Archive, name: str) -> str:
    if "META-INF/container.xml" not in archive.names:
        raise UserError(f"{name} has no META-INF/container.xml, so it is no EPUB: export the book again")
    root = archive.xml("META-INF/container.xml").find(".//{*}rootfile[@full-path]")
    if root is None:
        raise UserError(
            f"{name} does not say in META-INF/container.xml where its package is: export it again"
        )
    return str(root.get("full-path", ""))


def _metadata(package: etree._Element, field: str) -> str:
    found = package.find(f".//{{*}}metadata//{{http://purl.org/dc/elements/1.1/}}{field}")
    return "" if found is None else " ".join("".join(map(str, found.itertext())).split())


def _contents(archive: Archive, package: etree._Element, items: dict[str, _Item]) -> Iterator[_Entry]:
    """The table of contents: of EPUB 3 if there is one, of EPUB 2 otherwise, or nothing."""
    spine = package.find(".//{*}spine")
    ncx = items.get("" if spine is None else spine.get("toc", ""))
    nav = next((item for item in items.values() if "nav" in item.properties.split()), None)
    if nav is not None and nav.path in archive.names:
        for root in archive.xml(nav.path).iter("{*}nav"):
            if root.get("{http://www.idpf.org/2007/ops}type", "toc") == "toc":
                yield from _nav(root, nav.path, 0)
    elif ncx is not None and ncx.path in archive.names:
        points = archive.xml(ncx.path).find(".//{*}navMap")
        if points is not None:
            yield from _points(points, ncx.path, 1)


def _nav(element: etree._Element, path: str, depth: int) -> Iterator[_Entry]:
    for child in element:
        if isinstance(child.tag, str):
            tag = child.tag.rpartition("}")[2]
            if tag == "a":
                yield _entry("".join(map(str, child.itertext())), child.get("href", ""), path, depth)
            else:
                yield from _nav(child, path, depth + (tag == "ol"))


def _points(element: etree._Element, path: str, depth: int) -> Iterator[_Entry]:
    for point in element.iterfind("{*}navPoint"):
        content = point.find("{*}content")
        label = "".join(map(str, point.xpath("*[local-name()='navLabel']//text()")))
        if content is not None:
            yield _entry(label, content.get("src", ""), path, depth)
        yield from _points(point, path, depth + 1)


def _entry(title: str, link: str, path: str, depth: int) -> _Entry:
    file, _, fragment = link.partition("#")
    return _Entry(" ".join(title.split()), resolve(file, path) if file else path, fragment, depth)


def _parts(documents: list[tuple[str, Document]], entries: list[_Entry]) -> Iterator[Part]:
    """The blocks, cut where a line of the contents leads: the highest lines, and those that begin a file."""
    if len(documents) == 1 and not any(entry.path == documents[0][0] for entry in entries):
        yield Part(tuple(documents[0][1].blocks))
        return
    for path, document in documents:
        here = [entry for entry in entries if entry.path == path]
        cuts: dict[int, str] = {}
        places = [(entry, _position(document.blocks, entry.fragment)) for entry in here]
        if places and all(at is None for _, at in places):  # links that lead nowhere in this file
            places = [(here[0], 0)]
        for entry, at in places:
            if at is not None and at not in cuts and (entry.depth == 1 or at == 0):
                cuts[at] = entry.title
        if not entries:
            cuts[0] = ""
        if here and not document.blocks:
            yield Part((), here[0].title, begins=True)
        bounds = sorted({0, *cuts, len(document.blocks)})
        for start, end in pairwise(bounds):
            yield Part(tuple(document.blocks[start:end]), cuts.get(start, ""), start in cuts)


def _position(blocks: list[Block], fragment: str) -> int | None:
    """The number of the block that a link leads to: the first without a fragment, None if it is not there."""
    if not fragment:
        return 0
    return next((number for number, block in enumerate(blocks) if fragment in block.anchors), None)
