"""Bytes of (X)HTML as a tree, by the strictest reading that they allow."""

from __future__ import annotations

import html
import re

import lxml.html
from lxml import etree

from experiments.narration.reading.archive import xml_parser
from llasa_core.errors import UserError, first_line

_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_DOCTYPE = re.compile(r"<!DOCTYPE[^>\[]*(?:\[[^\]]*\]\s*)?>", re.IGNORECASE)
_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_ENCODING = re.compile(rb"""<\?xml[^>]*encoding=["']([A-Za-z0-9._-]+)""")


def parse(content: bytes | str, place: str) -> etree._Element:
    """As XML if it is well-formed, as HTML otherwise. Raises UserError for what is neither."""
    text = content if isinstance(content, str) else _decoded(content, place)
    if "<!ENTITY" in text:
        raise UserError(f"{place} defines entities of its own, which are not read: export the book again")
    text = _DECLARATION.sub("", _DOCTYPE.sub("", text), count=1).strip()
    if not text:
        return etree.Element("body")
    try:
        return etree.fromstring(_ENTITY.sub(_character, text), xml_parser())
    except (etree.XMLSyntaxError, ValueError):
        pass
    try:
        return lxml.html.document_fromstring(text.replace("\0", ""))
    except (etree.LxmlError, ValueError) as error:
        raise UserError(f"{place} is no markup ({first_line(error)}): export the book again") from None


def _decoded(content: bytes, place: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        found = _ENCODING.search(content[:200])
        encoding = found[1].decode().lower() if found else "utf-8"
        encoding = "utf-8-sig" if encoding in ("utf-8", "utf8") else encoding
    try:
        return content.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise UserError(
            f"{place} is not in {encoding}, as it says ({first_line(error)}): export the book again"
        ) from None


def _character(found: re.Match[str]) -> str:
    name = found[1]
    return found[0] if name in ("amp", "lt", "gt", "quot", "apos") else html.unescape(found[0])
