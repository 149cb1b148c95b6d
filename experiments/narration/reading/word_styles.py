"""What Word's styles say of a paragraph, and which of its paragraphs are one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import regex

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_HEADING = regex.compile(r"heading #?([1-9])")
_CHAPTER = regex.compile(r".*\bchapter (?:title|heading|head|name)")
"""Of templates whose styles have no level, such as KDP's "CSP - Chapter Title"."""
_DEEPEST = 20
_BODY = 9
"""The outline level of what is no heading."""
_BETWEEN = frozenset(
    "bookmarkStart bookmarkEnd proofErr permStart permEnd commentRangeStart commentRangeEnd".split()
)
"""What may stand between two paragraphs without parting them."""


class Styles:
    """The styles of a document."""

    def __init__(self, styles: Iterable[Any]) -> None:
        self._by_id = {str(one.style_id): one.element for one in styles}

    def name(self, element: Any) -> str:
        """Of the style of a paragraph or a run, in small letters; "" for none."""
        style = element.find(f"{W}pPr/{W}pStyle")
        if style is None:
            style = element.find(f"{W}rPr/{W}rStyle")
        return "" if style is None else _name(self._by_id.get(style.get(f"{W}val")))

    def level(self, paragraph: Any) -> int:
        """Of a heading, 1 the highest, 0 for none: by the paragraph's own outline level, or else by its style
        and those that it is based on."""
        own = _outline(paragraph)
        if own is not None:
            return own
        if self.name(paragraph) == "title":
            return 1
        link = paragraph.find(f"{W}pPr/{W}pStyle")
        for _ in range(_DEEPEST):
            style = None if link is None else self._by_id.get(link.get(f"{W}val"))
            if style is None:
                return 0
            if found := _HEADING.fullmatch(_name(style)):
                return int(found[1])
            if (own := _outline(style)) is not None:
                return own
            if _CHAPTER.fullmatch(_name(style)):
                return 1
            link = style.find(f"{W}basedOn")
        return 0


def _name(style: Any) -> str:
    found = None if style is None else style.find(f"{W}name")
    return "" if found is None else str(found.get(f"{W}val", "")).lower()


def _outline(element: Any) -> int | None:
    found = element.find(f"{W}pPr/{W}outlineLvl")
    if found is None:
        return None
    level = int(found.get(f"{W}val"))
    return 0 if level >= _BODY else level + 1


def joined_paragraphs(body: Any) -> None:
    """Puts drop caps, which are paragraphs of their own, and paragraphs whose mark was deleted before the
    paragraph behind them."""
    for paragraph in list(body.iter(f"{W}p")):
        properties = paragraph.find(f"{W}pPr")
        if properties is None:
            continue
        frame = properties.find(f"{W}framePr")
        drop = frame is not None and frame.get(f"{W}dropCap") in ("drop", "margin")
        if not drop and properties.find(f"{W}rPr/{W}del") is None:
            continue
        following = paragraph.getnext()
        while following is not None and str(following.tag).removeprefix(W) in _BETWEEN:
            following = following.getnext()
        if following is None or following.tag != f"{W}p" or following.find(f"{W}pPr/{W}framePr") is not None:
            continue
        place = 0 if following.find(f"{W}pPr") is None else 1
        content = [child for child in paragraph if child is not properties]
        for number, child in enumerate(content):
            following.insert(place + number, child)
        paragraph.getparent().remove(paragraph)
