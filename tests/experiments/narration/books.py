"""EPUBs made by hand, in the exact format, with whatever has to be wrong in them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

DATA = Path(__file__).parent / "data"
CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>"""
PAGE = """<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">
<head><title>{title}</title></head><body>{body}</body></html>"""


def write_epub(
    path: Path,
    pages: Mapping[str, str],
    more: Mapping[str, str | bytes] = {},
    contents: str = "",
    guide: str = "",
) -> Path:
    """An EPUB 3 of pages (name: body), in this order. more: further files of the archive. contents: the
    body of the table of contents; "": it has none. guide: what is in the package's guide."""
    items = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(pages)
    )
    if contents:
        items += '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
        more = {**more, "OEBPS/nav.xhtml": PAGE.format(title="Contents", body=contents)}
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(pages)))
    package = f"""<?xml version="1.0"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title>A Book</dc:title><dc:language>en</dc:language></metadata>
<manifest>{items}</manifest><spine>{spine}</spine><guide>{guide}</guide></package>"""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("OEBPS/book.opf", package)
        for name, body in pages.items():
            archive.writestr(f"OEBPS/{name}", PAGE.format(title=name, body=body))
        for name, content in more.items():
            archive.writestr(name, content)
    return path
