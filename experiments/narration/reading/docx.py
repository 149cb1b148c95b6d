"""Word's .docx, opened by python-docx: paragraphs as their styles say; what Word keeps beside them is left
out."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
import regex
from docx.opc.exceptions import OpcError
from lxml import etree

from experiments.narration.book import LeftOut, Reason, letters
from experiments.narration.reading.archive import Archive, xml_parser
from experiments.narration.reading.blocks import Block, Part, Piece, Reading, left_out
from experiments.narration.reading.unmarked import with_headings
from experiments.narration.reading.word_styles import Styles, joined_paragraphs
from experiments.narration.reading.word_styles import W as _W
from llasa_core.errors import UserError, one_line
from llasa_core.paths import shown

_RULE = "{urn:schemas-microsoft-com:office:office}hr"
"""Of a drawn line: it is a rule between sections."""
_TEXTS = (f"{_W}t", f"{_W}delText")
_ASIDE = {
    "footnotes": Reason.FOOTNOTE,
    "endnotes": Reason.FOOTNOTE,
    "comments": Reason.COMMENT,
    "header": Reason.HEADER,
    "footer": Reason.HEADER,
}
"""By the ending of the relation of a part to the document."""
_LEFT_OUT = {
    "tbl": Reason.TABLE,
    "drawing": Reason.PICTURE,
    "pict": Reason.PICTURE,
    "object": Reason.PICTURE,
    "del": Reason.DELETED,
    "moveFrom": Reason.DELETED,
    "oMath": Reason.FORMULA,
    "rt": Reason.READING,
    "Fallback": Reason.HIDDEN,
}
_BY_STYLE = {
    **dict.fromkeys(("caption", "image caption", "captioned figure", "figure"), Reason.PICTURE),
    "table caption": Reason.TABLE,
    **dict.fromkeys(("source code", "html preformatted"), Reason.CODE),
    **dict.fromkeys(("footnote text", "endnote text"), Reason.FOOTNOTE),
}
"""By the names of Word's styles and pandoc's."""
_BREAKS = ("br", "cr", "tab")
_PAGE = regex.compile(r"[^\p{L}\p{N}]*\d{1,4}[^\p{L}\p{N}]*")
_STRICT = b"http://purl.oclc.org/ooxml/"
_NOTE_STYLES = ("footnote reference", "endnote reference")
_MARK = regex.compile(r"[\[(]\d{1,3}[\])]|[*†‡§]{1,3}")
"""A raised mark of a note wherever it stands."""
_NOTED = regex.compile(r"[.,;:!?\"'”’)]\Z|[a-z]{4}\Z")
"""Behind this a raised number is the mark of a note; behind anything else it may be a power."""

_DAMAGES = (
    OpcError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    zipfile.BadZipFile,
    etree.LxmlError,
)
"""What python-docx raises for files whose parts do not fit together."""


def read_docx(path: Path, what: str) -> Reading:
    """Raises UserError for a file that is damaged, has a password, or has no text."""
    name = f"{what} {shown(path)}"
    with Archive(path, what) as archive:
        for member in archive.names:
            if member.endswith((".xml", ".rels")):
                archive.xml(member)  # bounded, and without entities, before python-docx unpacks it
        if "_rels/.rels" in archive.names and _STRICT in archive.read("_rels/.rels"):
            raise UserError(
                f"{name} is a Strict Open XML Document: open it in Word and save it as Word Document (.docx)"
            )
    try:
        reading = _reading(docx.Document(str(path)), name)
    except UserError:
        raise
    except _DAMAGES as error:
        raise UserError(f"{name} is damaged, or no .docx at all ({one_line(error)}): save it again") from None
    if not letters(reading.written):
        raise UserError(f"{name} holds no text: recognise its words with an OCR program first")
    return reading


def _reading(document: Any, name: str) -> Reading:
    """What an opened document holds. Raises UserError for a document that holds another file, and any of
    _DAMAGES if its parts do not fit together."""
    body = document.element.body
    if body.find(f".//{_W}altChunk") is not None:
        raise UserError(
            f"{name} holds another file within it, whose words are not read: open it in Word and save it "
            f"again"
        )
    written = _text(body)
    joined_paragraphs(body)
    styles = Styles(document.styles)
    blocks = [block for child in body for block in _blocks(child, styles)]
    return Reading(
        title=str(document.core_properties.title or ""),
        language=str(document.core_properties.language or ""),
        parts=(Part(tuple(with_headings(blocks))),),
        written=written,
        aside=tuple(_aside(document.part)),
    )


def _aside(part: Any) -> Iterator[LeftOut]:
    """The texts of the parts beside the document: notes, comments, page headers."""
    for relation in part.rels.values():
        reason = _ASIDE.get(str(relation.reltype).rpartition("/")[2])
        if reason is None or relation.is_external:
            continue
        root = etree.fromstring(relation.target_part.blob, xml_parser())
        notes = list(root) if reason is not Reason.HEADER else [root]
        for note in notes:
            text = " ".join(
                "".join(str(one.text or "") for one in line.iter(*_TEXTS)) for line in note.iter(f"{_W}p")
            )
            if text.strip():
                yield LeftOut(reason, " ".join(text.split()))


def _blocks(element: Any, styles: Styles) -> Iterator[Block]:
    tag = _local(element)
    if tag == "p":
        yield _paragraph(element, styles)
    elif tag == "sdt" and element.find(f".//{_W}docPartGallery[@{_W}val='Table of Contents']") is not None:
        yield left_out(_text(element), Reason.CONTENTS)
    elif tag in _LEFT_OUT:
        yield left_out(_text(element), _LEFT_OUT[tag])
    else:
        for child in element:
            yield from _blocks(child, styles)


def _paragraph(element: Any, styles: Styles) -> Block:
    name = styles.name(element)
    pieces = tuple(_without_marks(_pieces(element, styles)))
    if reason := Reason.CONTENTS if name.startswith("toc ") else _BY_STYLE.get(name):
        return Block(tuple(Piece(one.text, one.reason or reason) for one in pieces))
    if element.find(f"{_W}pPr/{_W}framePr") is not None and _PAGE.fullmatch(_text(element).strip()):
        return left_out(_text(element), Reason.PAGE_NUMBER)
    section = any(one.get(_RULE) for one in element.iterfind(f".//{_W}pict/*"))
    if section:
        pieces = tuple(one for one in pieces if one.text.strip())
    return Block(pieces, styles.level(element), section)


def _pieces(element: Any, styles: Styles) -> Iterator[Piece]:
    for child in element:
        tag = _local(child)
        if tag in _LEFT_OUT:
            box = child.find(f".//{_W}txbxContent") is not None and _LEFT_OUT[tag] is Reason.PICTURE
            yield Piece(_text(child), Reason.TEXT_BOX if box else _LEFT_OUT[tag])
        elif tag == "t":
            yield Piece(str(child.text or ""))
        elif tag in _BREAKS:
            yield Piece(" ")
        elif tag == "noBreakHyphen":
            yield Piece("-")
        elif tag == "r" and _hidden(child):
            yield Piece(_text(child), Reason.HIDDEN)
        elif tag == "r" and styles.name(child) in _NOTE_STYLES:
            yield Piece(_text(child), Reason.FOOTNOTE_MARK)
        elif tag == "r" and _raised(child):
            mark = Reason.FOOTNOTE_MARK if _MARK.fullmatch(_text(child).strip()) else None
            for one in _pieces(child, styles):
                yield Piece(one.text if mark else one.text.translate(_RAISED), one.reason or mark)
        else:
            yield from _pieces(child, styles)


_RAISED = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def _without_marks(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The raised numbers behind the end of a sentence or a word are marks of notes."""
    before = ""
    for one in pieces:
        plain = one.text.translate(_LOWERED).strip()
        if one.reason is None and plain != one.text.strip() and plain.isdecimal() and _NOTED.search(before):
            yield Piece(one.text.translate(_LOWERED), Reason.FOOTNOTE_MARK)
            continue
        before += one.text if one.reason is None else ""
        yield one


def _raised(run: Any) -> bool:
    found = run.find(f"{_W}rPr/{_W}vertAlign")
    text = _text(run).strip()
    return (
        found is not None
        and found.get(f"{_W}val") == "superscript"
        and (text.isdigit() or _MARK.fullmatch(text) is not None)
    )


def _hidden(run: Any) -> bool:
    found = run.find(f"{_W}rPr/{_W}vanish")
    return found is not None and found.get(f"{_W}val", "true") not in ("false", "0", "off")


def _text(element: Any) -> str:
    """All text in it: runs of a paragraph are one text, paragraphs and lines are apart."""
    return "".join(_texts(element))


def _texts(element: Any) -> Iterator[str]:
    tag = _local(element)
    if element.tag in _TEXTS:
        yield str(element.text or "")
    elif tag in _BREAKS:
        yield " "
    elif tag == "noBreakHyphen":
        yield "-"
    else:
        apart = " " if tag == "p" else ""
        yield apart
        for child in element:
            yield from _texts(child)
        yield apart


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2] if isinstance(element.tag, str) else ""
