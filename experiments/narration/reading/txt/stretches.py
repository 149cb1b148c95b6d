"""Stretches of a text that are left out: one character of the text stands for each, so that what is around
it is read as if it were not there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import regex

from experiments.narration.book import Reason
from experiments.narration.reading.blocks import Piece
from llasa_core.errors import UserError

SIGN = "[\U000f0000-\U0010fffd]"
"""A character of private use, in a pattern."""
_SIGN = regex.compile(SIGN)


class Stretches:
    """What is left out of one text, with the character that stands for it there."""

    def __init__(self, text: str) -> None:
        used = set(_SIGN.findall(text))
        codes = chain(range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))
        self._free = (chr(code) for code in codes if chr(code) not in used)
        self._pieces: dict[str, Piece] = {}

    def hide(self, text: str, reason: Reason) -> str:
        """The character that stands for the text. What was hidden in it is left out for the same reason."""
        sign = next(self._free, None)
        if sign is None:
            raise UserError("a text with more than 131,000 parts to leave out: cut it into volumes")
        self._pieces[sign] = Piece(_SIGN.sub(lambda found: self._hidden(found[0]).text, text), reason)
        return sign

    def pieces(self, text: str) -> Iterator[Piece]:
        """The text as it was, what is hidden with its reason."""
        at = 0
        for found in _SIGN.finditer(text):
            if found[0] in self._pieces:
                yield Piece(text[at : found.start()])
                yield self._pieces[found[0]]
                at = found.end()
        yield Piece(text[at:])

    def _hidden(self, sign: str) -> Piece:
        return self._pieces.get(sign, Piece(sign))


def bare(text: str) -> str:
    """The text without what is hidden in it, on one line."""
    return " ".join((text if text.isascii() else _SIGN.sub("", text)).split())
