"""How a chunk is searched: cheap first, then wider, each time with new randomness."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments.narration.book import join
from experiments.narration.splitting import split_near
from experiments.narration.takes import Attempt, PlannedChunk, Take
from llasa_core.audio import CODES_PER_SECOND
from llasa_core.request import MAX_SEED
from search.cost.budget import NO_LIMIT, Budget


@dataclass(frozen=True, slots=True)
class Rung:
    """One search of a chunk. strategy: name and options, without the selection. candidates: how many it makes
    at most, whole ones or what costs as much. split: the chunk is spoken in two parts."""

    strategy: Mapping[str, Any]
    candidates: int
    split: bool = False

    @property
    def spec(self) -> str:
        name, *options = self.strategy.items()
        text = "&".join(f"{key}={value}" for key, value in options)
        return f"{name[1]}?{text}" if text else str(name[1])


LADDER = (
    Rung({"name": "adaptive", "n": 4, "wide": 1}, 4),
    Rung({"name": "repair", "first": 2, "n": 4, "rounds": 2, "step": 50}, 16),
    Rung({"name": "adaptive", "n": 12, "first": 4, "wide": 1}, 12),
    Rung({"name": "adaptive", "n": 6, "first": 2, "wide": 1}, 6, split=True),
)
"""adaptive: most chunks pass at the first or second try, and nothing more is drawn then. repair: what is
right up to a word is kept; in steps of a second, since the ear hears each beginning. A wider adaptive: words
that are seldom right. split: shorter texts are read better."""
PARTS = 2
"""Of a chunk that is split."""
BOOK_CANDIDATES = 6
"""By default a book may cost as much as so many whole candidates of each chunk. Two ears hear each, and 6 of
these cost about what 8 do that one ear hears."""


@dataclass(frozen=True, slots=True)
class Limits:
    """chunk: of one chunk, over all its searches. tokens: of the whole book; None: BOOK_CANDIDATES of each
    chunk, by predicted length. ladder: the searches."""

    chunk: Budget = NO_LIMIT
    tokens: int | None = None
    ladder: tuple[Rung, ...] = field(default=LADDER)

    def book(self, chunks: Iterable[PlannedChunk]) -> int:
        """Speech tokens that the book may cost."""
        if self.tokens is not None:
            return self.tokens
        return sum(BOOK_CANDIDATES * predicted_tokens(chunk) for chunk in chunks)

    def left(self, take: Take | None, rung: int) -> Budget:
        """What is left to a chunk for a rung. Raises no error: less than nothing is one token."""
        if self.chunk == NO_LIMIT or take is None:
            return self.chunk
        before = [one for one in take.attempts if one.rung < rung]
        tokens, seconds = self.chunk.tokens, self.chunk.seconds
        return Budget(
            candidates=self.chunk.candidates,
            tokens=None if tokens is None else max(1, tokens - sum(one.tokens for one in before)),
            seconds=None if seconds is None else max(1e-3, seconds - sum(one.seconds for one in before)),
            flops=self.chunk.flops,
        )

    def spent(self, chunk: PlannedChunk, take: Take | None, rung: int) -> bool:
        """Whether a chunk has no room left for even one candidate."""
        left = self.left(take, rung)
        short = left.tokens is not None and left.tokens < predicted_tokens(chunk)
        return take is not None and (short or (left.seconds is not None and left.seconds <= 1e-3))


def predicted_tokens(chunk: PlannedChunk) -> int:
    """Of one candidate."""
    return max(1, round(chunk.predicted * CODES_PER_SECOND))


def texts_of(chunk: PlannedChunk, rung: Rung, language: str) -> Sequence[str]:
    """What a rung speaks one by one: the chunk's text, or its parts; none where it cannot be split."""
    if not rung.split:
        return (chunk.text,)
    parts = split_near(chunk.text, PARTS, (), language)
    whole = len(parts) == PARTS and join(parts).split() == chunk.text.split()
    return parts if whole else ()


def due(
    chunks: Iterable[PlannedChunk],
    takes: Mapping[str, Take],
    rung: int,
    limits: Limits,
    language: str = "en",
) -> list[PlannedChunk]:
    """The chunks that a rung is still to be tried for, in the order of the book. language: of their texts.

    Every chunk gets the first rung. Of those that have not passed by then, a later rung takes what the book's
    budget has room for, the shortest first. That depends on what the earlier rungs came to and on nothing of
    this one, so that a narration that was killed goes on as it would have gone on.
    """
    chunks = list(chunks)
    before = {chunk.key: _earlier(takes.get(chunk.key), rung) for chunk in chunks}
    room = limits.book(chunks) - sum(one.tokens for earlier in before.values() for one in earlier)
    chosen = []
    for chunk in sorted(chunks, key=lambda one: (predicted_tokens(one), one.number)):
        take = takes.get(chunk.key)
        if rung == 0:
            chosen.append(chunk)
            continue
        if take is None or take.redo or any(one.passed for one in before[chunk.key]):
            continue
        if not before[chunk.key] or limits.spent(chunk, take, rung):
            continue
        if not texts_of(chunk, limits.ladder[rung], language):
            continue
        room -= limits.ladder[rung].candidates * predicted_tokens(chunk)
        if room >= 0:
            chosen.append(chunk)
    tried = {chunk.key for chunk in chosen if _tried(takes.get(chunk.key), rung)}
    return sorted((one for one in chosen if one.key not in tried), key=lambda one: one.number)


def _earlier(take: Take | None, rung: int) -> list[Attempt]:
    return [] if take is None else [one for one in take.attempts if one.rung < rung]


def _tried(take: Take | None, rung: int) -> bool:
    return take is not None and any(one.rung >= rung for one in take.attempts)


def seed_of(book: int, key: str, *parts: object) -> int:
    """The seed of one search of a chunk, from that of the book and the chunk's key. parts: what tells this
    search from others of the chunk."""
    text = " ".join(map(str, (book, key, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") & MAX_SEED
