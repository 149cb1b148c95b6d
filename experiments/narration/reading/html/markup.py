"""From (X)HTML to blocks: what is spoken, and what is left out with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from experiments.narration.book import Reason
from experiments.narration.reading.blocks import Block, Piece
from experiments.narration.reading.html.document import Document, Link, Mark, Span, Trust, target
from experiments.narration.reading.html.elements import (
    BLOCKS,
    EMPTY,
    UNSEEN,
    are_two_words,
    is_drop_cap,
    is_line,
    is_picture_of_letter,
    is_raised,
    local,
    reason_of,
    text_of,
)
from experiments.narration.reading.html.notes import trust, without_notes
from experiments.narration.reading.html.parsing import parse
from llasa_core.errors import UserError

__all__ = ["DEEPEST", "read_markup", "without_notes"]

_RAISED = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
DEEPEST = 200


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
    title = " ".join(str(titles).split())
    return Document(walker.blocks, "".join(written), walker.marks, walker.links, walker.spans, title)


def _seen(element: etree._Element) -> Iterator[str]:
    """All text in it that a reader sees, and the words for pictures; blocks and cells are apart."""
    if not isinstance(element.tag, str) or (tag := local(element)) in UNSEEN:
        return
    apart = " " if tag in BLOCKS or tag in EMPTY else ""
    yield apart
    if tag == "img":
        yield element.get("alt", "")
    yield element.text or ""
    for child in element:
        yield from _seen(child)
        yield child.tail or ""
    yield apart


def _names(element: etree._Element) -> frozenset[str]:
    return frozenset(name for key in ("id", "name") if (name := element.get(key)))


@dataclass(slots=True)
class _Walker:
    path: str
    blocks: list[Block] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    spans: dict[int, list[Span]] = field(default_factory=dict)
    _pieces: list[Piece] = field(default_factory=list)
    _anchors: dict[str, int] = field(default_factory=dict)
    """With the number of pieces before each."""
    _level: int = 0
    _section: bool = False
    _broken: bool = False
    """Whether nothing stands behind the last end of a line."""
    _held: bool = False
    """Whether a drop cap waits for its block."""

    def flush(self) -> None:
        """Ends the block that is being read, if there is any."""
        self._broken = self._held = False
        if any(one.text.strip() or one.reason for one in self._pieces):
            last = max(n for n, one in enumerate(self._pieces) if one.text.strip() or one.reason)
            behind = frozenset(name for name, at in self._anchors.items() if at > last)
            pieces = tuple(self._with_letters())
            self.blocks.append(Block(pieces, self._level, self._section, frozenset(self._anchors), behind))
            self._anchors, self._section = {}, False
        else:
            self._anchors = dict.fromkeys(self._anchors, 0)
        self._pieces = []

    def _with_letters(self) -> Iterator[Piece]:
        """The pieces of the block; pictures of the first letter of a word are text."""
        before = ""
        for number, piece in enumerate(self._pieces):
            if piece.reason is Reason.PICTURE and len(piece.text) < 6:
                behind = next((one for one in self._pieces[number + 1 :] if one.text), Piece(""))
                text = "" if behind.reason else behind.text
                if is_picture_of_letter(piece.text, before, text):
                    piece = Piece(piece.text.strip())
            before += "" if piece.reason else piece.text
            yield piece

    def walk(self, element: etree._Element, depth: int) -> None:
        """The element and all that is in it, without the text behind it."""
        if not isinstance(element.tag, str) or (tag := local(element)) in UNSEEN:
            return
        if depth > DEEPEST:
            raise RecursionError
        block = tag in BLOCKS
        if (block or tag == "hr") and not (self._held and tag in ("p", "div")):
            self.flush()
        start, names = len(self.blocks), _names(element)
        self._anchors |= dict.fromkeys(names, len(self._pieces))
        line = is_line(element, tag)
        if line:
            self._pieces.append(Piece(" "))
        if tag == "hr":
            self._section = True
        elif tag == "br":
            self._break()
        elif tag == "img":
            self._pieces.append(Piece(f" {element.get('alt', '')} ", Reason.PICTURE))
            self._broken = False
        drop_cap = block and is_drop_cap(element, tag)
        if tag in EMPTY or not self._leave_out(element, tag):
            self._enter(element, tag, depth)
        if line:
            self._pieces.append(Piece(" "))
        if drop_cap:
            self._held = True
        elif block:
            self.flush()
            if len(self.blocks) > start:
                self.spans.setdefault(start, []).append(Span(tag, len(self.blocks), names))

    def _break(self) -> None:
        """Ends a line; an empty line ends a paragraph."""
        if self._broken and not self._level:
            self.flush()
        self._pieces.append(Piece(" "))
        self._broken = True

    def _enter(self, element: etree._Element, tag: str, depth: int) -> None:
        heading = len(tag) == 2 and tag[0] == "h" and tag[1] in "123456"
        if heading:
            self._level = int(tag[1])
        if tag == "a" and (link := element.get("href")):
            self._link(element, link)
        raised = is_raised(element, tag)
        self._text(element.text, raised)
        for child in element:
            self.walk(child, depth + 1)
            self._text(child.tail, raised)
            if self._level and self._ends_word(child):
                self._pieces.append(Piece(" "))
        if heading:
            self.flush()
            self._level = 0

    def _ends_word(self, element: etree._Element) -> bool:
        """Whether a word ends between it and its neighbour, though no space is written there."""
        behind = element.getnext()
        if behind is None or element.tail or not all(isinstance(one.tag, str) for one in (element, behind)):
            return False
        if {local(element), local(behind)} & (BLOCKS | EMPTY):
            return False
        return are_two_words(text_of(element), text_of(behind))

    def _text(self, text: str | None, raised: bool) -> None:
        if text and self._held:
            text = text.lstrip()
        if text:
            self._pieces.append(Piece(text.translate(_RAISED) if raised and text.isdigit() else text))
            if text.strip():
                self._broken = self._held = False

    def _link(self, element: etree._Element, link: str) -> None:
        self.links.append(Link(len(self.blocks), "".join(_seen(element)), target(link, self.path)))

    def _leave_out(self, element: etree._Element, tag: str) -> bool:
        """Leaves the element out if there is a reason to; False otherwise."""
        reason, trusted = reason_of(element, tag), None
        if reason is None:
            trusted = trust(element, tag, self._pieces)
            if trusted is None:
                return False
            reason = Reason.FOOTNOTE_MARK
        for name in map(str, element.xpath(".//@id | .//@name")):
            self._anchors.setdefault(name, len(self._pieces))
        for one in element.xpath("descendant-or-self::*[@href]"):
            self._link(one, one.get("href"))
            if reason is Reason.FOOTNOTE_MARK:
                mark = self.links[-1]
                at = len(self._pieces)
                self.marks.append(Mark(mark.block, at, mark.text, mark.target, trusted or Trust.SURE))
        text = "".join(_seen(element))
        if reason is not Reason.FOOTNOTE_MARK or text.strip():
            self._pieces.append(Piece(text, reason))
            self._broken = False
        return True
