"""From (X)HTML to blocks: what is spoken, and what is left out with its reason."""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urldefrag

import lxml.html
from lxml import etree

from experiments.narration.book import Reason
from experiments.narration.reading.archive import xml_parser
from experiments.narration.reading.blocks import Block, Piece
from llasa_core.errors import UserError, first_line

_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup li main nav ol p pre section summary table td th tr "
    "ul".split()
)
_UNSEEN = frozenset("script style template noscript".split())
"""Elements whose text no reader of the book sees."""
_EMPTY = frozenset("hr br img".split())
_BY_TAG = {
    "table": Reason.TABLE,
    "figure": Reason.PICTURE,
    "svg": Reason.PICTURE,
    "object": Reason.PICTURE,
    "math": Reason.FORMULA,
    "nav": Reason.CONTENTS,
    "rt": Reason.READING,
    "rp": Reason.READING,
    "del": Reason.DELETED,
}
_BY_TYPE = {
    **dict.fromkeys(
        "footnote footnotes endnote endnotes rearnote rearnotes note doc-footnote doc-endnote "
        "doc-endnotes".split(),
        Reason.FOOTNOTE,
    ),
    **dict.fromkeys("noteref doc-noteref backlink doc-backlink".split(), Reason.FOOTNOTE_MARK),
    **dict.fromkeys("pagebreak doc-pagebreak page-list doc-pagelist".split(), Reason.PAGE_NUMBER),
    **dict.fromkeys("toc doc-toc landmarks".split(), Reason.CONTENTS),
}
"""By the words of `epub:type` and `role`."""
_BY_CLASS = {
    **dict.fromkeys("footnote footnotes endnote endnotes".split(), Reason.FOOTNOTE),
    **dict.fromkeys(
        "footnote-ref footnote-back footnote-backref noteref fnref fnanchor".split(), Reason.FOOTNOTE_MARK
    ),
    **dict.fromkeys("pagenum pageno page-number pagenumber pagebreak".split(), Reason.PAGE_NUMBER),
    **dict.fromkeys("figure figcaption caption".split(), Reason.PICTURE),
}
_TYPE = ("{http://www.idpf.org/2007/ops}type", "epub:type", "role")
_MARK = re.compile(r"[\[(]?(?:\d{1,3}|[a-z]|[ivxl]{1,5}|[*†‡§¶#]{1,3}|[↩↑←]\ufe0e?)[\])]?")
_BRACKETS = re.compile(r"\[(?:\d{1,3}|[a-z*†‡])\]|[*†‡§¶↩↑]\ufe0e?")
_RAISED = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_DOCTYPE = re.compile(r"<!DOCTYPE[^>\[]*(?:\[[^\]]*\]\s*)?>", re.IGNORECASE)
_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_ENCODING = re.compile(rb"""<\?xml[^>]*encoding=["']([A-Za-z0-9._-]+)""")
DEEPEST = 200


@dataclass(slots=True)
class Document:
    """One file of markup. blocks: in order. notes: of blocks with footnote marks, by number, where they link
    to: (path, fragment). written: all text that a reader of the file sees, and the words for pictures."""

    blocks: list[Block]
    written: str
    notes: list[tuple[int, tuple[str, str]]]
    title: str = ""


def read_markup(content: bytes | str, place: str, path: str = "") -> Document:
    """place: of the file, for the UserError. path: of the file in its archive, to resolve links."""
    root = parse(content, place)
    titles = root.xpath("string(//*[local-name()='head']/*[local-name()='title'])")
    bodies = root.xpath("//*[local-name()='body'][not(ancestor::*[local-name()='body'])]")
    if not bodies:
        etree.strip_elements(root, "{*}head", "head", with_tail=False)
        bodies = [root]
    walker = _Walker(path)
    written: list[str] = []
    try:
        for body in bodies:
            walker.walk(body, 0)
            walker.flush()
            written += _seen(body)
    except RecursionError:
        raise UserError(f"{place} is nested deeper than {DEEPEST} levels: export the book again") from None
    return Document(walker.blocks, "".join(written), walker.notes, " ".join(str(titles).split()))


def _seen(element: etree._Element) -> Iterator[str]:
    """All text in it that a reader sees, and the words for pictures; blocks and cells are apart."""
    if not isinstance(element.tag, str) or (tag := _local(element)) in _UNSEEN:
        return
    apart = " " if tag in _BLOCKS or tag in _EMPTY else ""
    yield apart
    if tag == "img":
        yield element.get("alt", "")
    yield element.text or ""
    for child in element:
        yield from _seen(child)
        yield child.tail or ""
    yield apart


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


@dataclass(slots=True)
class _Walker:
    path: str
    blocks: list[Block] = field(default_factory=list)
    notes: list[tuple[int, tuple[str, str]]] = field(default_factory=list)
    _pieces: list[Piece] = field(default_factory=list)
    _anchors: set[str] = field(default_factory=set)
    _level: int = 0
    _section: bool = False

    def flush(self) -> None:
        """Ends the block that is being read, if there is any."""
        if any(one.text.strip() or one.reason for one in self._pieces):
            anchors = frozenset(self._anchors)
            self.blocks.append(Block(tuple(self._pieces), self._level, self._section, anchors))
            self._anchors, self._section = set(), False
        self._pieces = []

    def walk(self, element: etree._Element, depth: int) -> None:
        """The element and all that is in it, without the text behind it."""
        if not isinstance(element.tag, str) or (tag := _local(element)) in _UNSEEN:
            return
        if depth > DEEPEST:
            raise RecursionError
        block = tag in _BLOCKS
        if block or tag == "hr":
            self.flush()
        self._anchors.update(name for key in ("id", "name") if (name := element.get(key)))
        if tag == "hr":
            self._section = True
        elif tag == "br":
            self._pieces.append(Piece(" "))
        elif tag == "img":
            self._pieces.append(Piece(f" {element.get('alt', '')} ", Reason.PICTURE))
        if tag not in _EMPTY and (reason := self._reason(element, tag)) is not None:
            self._leave_out(element, reason, block)
        else:
            self._enter(element, tag, depth)
        if block:
            self.flush()

    def _enter(self, element: etree._Element, tag: str, depth: int) -> None:
        heading = len(tag) == 2 and tag[0] == "h" and tag[1] in "123456"
        if heading:
            self._level = int(tag[1])
        raised = tag == "sup"
        self._text(element.text, raised)
        for child in element:
            self.walk(child, depth + 1)
            self._text(child.tail, raised)
        if heading:
            self.flush()
            self._level = 0

    def _text(self, text: str | None, raised: bool) -> None:
        if text:
            self._pieces.append(Piece(text.translate(_RAISED) if raised and text.isdigit() else text))

    def _leave_out(self, element: etree._Element, reason: Reason, block: bool) -> None:
        self._anchors.update(map(str, element.xpath(".//@id | .//@name")))
        if reason is Reason.FOOTNOTE_MARK:
            for link in element.xpath("descendant-or-self::*/@href"):
                self.notes.append((len(self.blocks), _target(str(link), self.path)))
        text = "".join(_seen(element))
        if reason is Reason.FOOTNOTE_MARK and not text.strip():
            return
        self._pieces.append(Piece(text, reason))
        if block:
            self.flush()

    def _reason(self, element: etree._Element, tag: str) -> Reason | None:
        """Why the element is left out; None if it is spoken."""
        types = [word for key in _TYPE for word in element.get(key, "").split()]
        for word in types:
            if word in _BY_TYPE:
                return _BY_TYPE[word]
        for word in element.get("class", "").lower().split():
            if (reason := _BY_CLASS.get(word)) is not None:
                inline = reason is Reason.FOOTNOTE and tag in ("a", "sup", "span")
                return Reason.FOOTNOTE_MARK if inline else reason
        if tag in _BY_TAG:
            return _BY_TAG[tag]
        if tag == "pre" and element.find("{*}code") is not None:
            return Reason.CODE
        if "hidden" in element.attrib or "display:none" in element.get("style", "").replace(" ", "").lower():
            return Reason.HIDDEN
        return Reason.FOOTNOTE_MARK if self._is_mark(element, tag) else None

    def _is_mark(self, element: etree._Element, tag: str) -> bool:
        """A number or sign that links to a note, or stands raised behind a word or a full stop."""
        if tag not in ("a", "sup"):
            return False
        text = "".join(map(str, element.itertext())).strip()
        if not _MARK.fullmatch(text):
            return False
        before = "".join(one.text for one in self._pieces if one.reason is None)
        link = urldefrag("".join(map(str, element.xpath("(descendant-or-self::*/@href)[1]")))).fragment
        if tag == "a":
            close = bool(before) and not before[-1].isspace()
            return bool(link) and (bool(_BRACKETS.fullmatch(text)) or close)
        if link or not text[-1:].isalnum():
            return True
        return text.isdigit() and bool(re.search(r"[.,;:!?\"'”’)]$|[a-z]{4}$", before))


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2].lower()


def _target(link: str, path: str) -> tuple[str, str]:
    """The file and the fragment that a link in the file `path` names."""
    file, fragment = urldefrag(link)
    return resolve(file, path) if file else path, unquote(fragment)


def resolve(link: str, path: str) -> str:
    """The file in the archive that a link without fragment in the file `path` names."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(link)))


def without_notes(documents: Sequence[tuple[str, Document]]) -> None:
    """Leaves out the blocks that footnote marks link to, where they stand behind the mark: links back from a
    note are none. documents: in order, with the path of each."""
    place = {
        (path, anchor): (number, index)
        for number, (path, document) in reversed(list(enumerate(documents)))
        for index, block in reversed(list(enumerate(document.blocks)))
        for anchor in block.anchors
    }
    for number, (_, document) in enumerate(documents):
        for index, target in document.notes:
            found = place.get(target)
            if found is None or found <= (number, index):
                continue
            blocks = documents[found[0]][1].blocks
            block = blocks[found[1]]
            noted = tuple(replace(one, reason=one.reason or Reason.FOOTNOTE) for one in block.pieces)
            blocks[found[1]] = replace(block, pieces=noted, level=0)
