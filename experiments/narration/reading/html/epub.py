"""EPUB 2 and 3: the documents in their reading order, and the table of contents."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from experiments.narration.book import LeftOut, Reason, letters
from experiments.narration.reading.archive import Archive
from experiments.narration.reading.blocks import Reading
from experiments.narration.reading.html.chapters import parts
from experiments.narration.reading.html.contents import Item, read_contents, without_contents
from experiments.narration.reading.html.document import Document, resolve
from experiments.narration.reading.html.markup import read_markup
from experiments.narration.reading.html.notes import without_notes
from llasa_core.errors import UserError
from llasa_core.paths import shown

_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Ways to lock fonts, which are not needed to read."""
_PICTURE = "image/svg+xml"
_DOCUMENTS = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document")
_IN_ORDER = (*_DOCUMENTS, "application/xml", "text/xml", _PICTURE)
"""Also markup, where the reading order names it."""


def read_epub(path: Path, what: str) -> Reading:
    """Raises UserError for an EPUB that is damaged, encrypted, or has no text."""
    name = f"{what} {shown(path)}"
    with Archive(path, what) as archive:
        _check_open(archive, name)
        package_path = _package(archive, name)
        package = archive.xml(package_path)
        items = {
            item.get("id", ""): Item(
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
        entries, own = read_contents(archive, package, package_path, items, name)
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
    without_contents(documents, own)
    title = _metadata(package, "title")
    pictures = sum(len(block.left_out) for _, one in documents for block in one.blocks)
    if not any(letters(block.text) for _, one in documents for block in one.blocks):
        has = f"pictures alone ({pictures})" if pictures else "no text"
        raise UserError(f"{name} holds {has}: recognise its words with an OCR program first")
    return Reading(
        title=title,
        language=_metadata(package, "language"),
        parts=tuple(parts(documents, entries, title)),
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
