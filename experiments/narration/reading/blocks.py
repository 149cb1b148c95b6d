"""What every reader makes of a file: blocks in the order of the source, of which nothing is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments.narration.book import LeftOut, Reason, letters
from llasa_core.errors import UserError


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the source. reason: why it is not spoken; None if it is."""

    text: str
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a heading, or something that is left out. level: of a heading, 1 the highest; 0 for none.
    section: a rule, behind which a section begins. anchors: names that links to this place use. behind: those
    of them that stand behind its last word."""

    pieces: tuple[Piece, ...]
    level: int = 0
    section: bool = False
    anchors: frozenset[str] = frozenset()
    behind: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """What is spoken, on one line."""
        return " ".join("".join(one.text for one in self.pieces if one.reason is None).split())

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        return tuple(
            LeftOut(one.reason, " ".join(one.text.split()))
            for one in self.pieces
            if one.reason is not None and (one.text.strip() or one.reason is Reason.PICTURE)
        )


@dataclass(frozen=True, slots=True)
class Part:
    """A run of blocks. title: of a chapter that begins here, "" if the blocks say. begins: whether one
    does."""

    blocks: tuple[Block, ...]
    title: str = ""
    begins: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader gives: the parts in order, and what is outside of them. parts without `begins` at all:
    their headings decide where chapters begin. written: all text of the source, in order, by another way
    than the blocks' own; "" where there is none."""

    title: str
    language: str
    parts: tuple[Part, ...]
    written: str
    aside: tuple[LeftOut, ...] = ()

    @property
    def blocks(self) -> Iterator[Block]:
        return (block for part in self.parts for block in part.blocks)


def left_out(text: str, reason: Reason, anchors: frozenset[str] = frozenset()) -> Block:
    return Block((Piece(text, reason),), anchors=anchors)


def check_nothing_lost(blocks: Sequence[Block], written: str, place: str) -> None:
    """Raises UserError unless the blocks hold every letter and digit of the source, in its order."""
    read = letters("".join(piece.text for block in blocks for piece in block.pieces))
    wanted = letters(written)
    if read == wanted:
        return
    at = next((n for n, pair in enumerate(zip(read, wanted, strict=False)) if pair[0] != pair[1]), len(read))
    at = min(at, len(wanted))
    raise UserError(
        f"{place} cannot be read without losing words: it reads {read[at : at + 20]!r} where the file has "
        f"{wanted[at : at + 20]!r}; save it as plain text (.txt) and narrate that"
    )
