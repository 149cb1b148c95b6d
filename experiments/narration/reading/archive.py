"""ZIP files that someone else may have made (.epub, .docx): bounded before anything is unpacked."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from pathlib import Path

from lxml import etree

from experiments.files import Closing
from llasa_core.errors import UserError, one_line
from llasa_core.paths import shown

ARCHIVE_BYTES = 2**30
MEMBERS = 20_000
MEMBER_BYTES = 64 * 2**20
"""Of one document. The longest novels have some 5 MB of text."""
TEXT_BYTES = 256 * 2**20
"""Of all documents that are read."""
RATIO = 200
"""Highest compression of a member of more than 1 MB; text reaches 20."""

_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
)
"""What unpacking a broken member may raise."""


class Archive(Closing):
    """A ZIP file whose documents are read in bounds. what: names it in errors ("BOOK").

    Raises UserError for what is no ZIP file, has a password, or would unpack to far more than a book has.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._name = f"{what} {shown(path)}"
        self._read = 0
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise UserError(
                f"{self._name} is damaged, or no {path.suffix[1:]} at all "
                f"({one_line(error)}): export it again"
            ) from None
        members = self._zip.infolist()
        if len(members) > MEMBERS:
            raise UserError(f"{self._name} holds {len(members):,} files, at most {MEMBERS:,} are read")
        for one in members:
            if one.flag_bits & 1:
                raise UserError(f"{self._name} is locked with a password: unlock it first")
            if one.file_size > max(2**20, RATIO * one.compress_size):
                raise UserError(
                    f"{self._name}: {shown(one.filename)} unpacks to {one.file_size / 2**20:,.0f} MB from "
                    f"{one.compress_size / 2**20:,.1f}: this is no book but a trap"
                )
        self.names = frozenset(one.filename for one in members)

    def close(self) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes:
        """A member. Raises UserError if it is missing, damaged, or too long."""
        try:
            with self._zip.open(name) as member:
                content = member.read(MEMBER_BYTES + 1)
        except KeyError:
            raise UserError(f"{self._name} has no {shown(name)}, which it names: export it again") from None
        except _DAMAGES as error:
            raise UserError(
                f"{self._name}: {shown(name)} is damaged ({one_line(error)}): get the file again"
            ) from None
        self._read += len(content)
        if len(content) > MEMBER_BYTES or self._read > TEXT_BYTES:
            raise UserError(f"{self._name}: {shown(name)} is far longer than a book's text: this is no book")
        return content

    def xml(self, name: str) -> etree._Element:
        """A member as XML. Raises UserError if it is none, or defines entities."""
        content = self.read(name)
        if b"<!ENTITY" in content:
            raise UserError(f"{self._name}: {shown(name)} defines entities of its own, which are not read")
        try:
            return etree.fromstring(content, xml_parser())
        except etree.XMLSyntaxError as error:
            raise UserError(
                f"{self._name}: {shown(name)} is no XML ({one_line(error)}): export the book again"
            ) from None


def xml_parser() -> etree.XMLParser[etree._Element]:
    """A parser that fetches nothing and expands no entities."""
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
