"""The account of a book: every word of its source is spoken, or left out and said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from experiments.narration.book import Book, Reason, beginning, count_words


@dataclass(frozen=True, slots=True)
class Heap:
    """All that is left out for one reason. words: so many in `places` places. first: how some of them
    begin."""

    reason: Reason
    places: int
    words: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """Words of the source, those that are spoken, and those that are left out, by reason."""

    source: int
    spoken: int
    heaps: tuple[Heap, ...]

    @property
    def left_out(self) -> int:
        return sum(heap.words for heap in self.heaps)


SHOWN = 3
"""Places of a heap whose first words are shown."""


def account(book: Book) -> Account:
    """The words of a book by what becomes of them."""
    heaps: dict[Reason, list[str]] = {}
    for _, one in book.everything_left_out:
        heaps.setdefault(one.reason, []).append(one.text)
    return Account(
        source=book.source.words,
        spoken=sum(chapter.words for chapter in book.chapters),
        heaps=tuple(_heap(reason, texts) for reason, texts in heaps.items()),
    )


def _heap(reason: Reason, texts: Sequence[str]) -> Heap:
    return Heap(reason, len(texts), _sum(texts), tuple(beginning(one) for one in texts if one)[:SHOWN])


def _sum(texts: Iterable[str]) -> int:
    return sum(map(count_words, texts))
