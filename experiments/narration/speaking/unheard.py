"""Words that no ear ever heard right, and the lines of a lexicon to try for them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from experiments.narration.takes import PlannedChunk, Take
from llasa_core.text.letters import without_marks

_LETTERS = (
    ("ph", "f"),
    ("gh", "g"),
    ("kn", "n"),
    ("wr", "r"),
    ("ck", "k"),
    ("qu", "kw"),
    ("x", "ks"),
    ("sch", "sh"),
    ("tz", "ts"),
    ("bh", "v"),
    ("cz", "ch"),
)
_SYLLABLE = re.compile(r"[^aeiouy]*[aeiouy]+(?:[^aeiouy]*$|[^aeiouy](?=[^aeiouy]))?")


@dataclass(frozen=True, slots=True)
class Unheard:
    """word: as it is written in the book, if it is there. places: in so many chunks. line: of a lexicon; ""
    where no respelling comes to mind."""

    word: str
    places: int
    line: str


def unheard_words(chunks: Iterable[tuple[PlannedChunk, Take | None]]) -> list[Unheard]:
    """Words that were wrong for every ear in every candidate of every attempt, the most frequent first."""
    places: dict[str, int] = {}
    for chunk, take in chunks:
        if take is None or take.passed or not take.attempts:
            continue
        never = set.intersection(*(set(one.never) for one in take.attempts))
        for word in sorted(never):
            name = as_written(word, chunk.written)
            places[name] = places.get(name, 0) + 1
    ranked = sorted(places.items(), key=lambda pair: (-pair[1], pair[0]))
    return [Unheard(word, count, _line(word)) for word, count in ranked]


def _line(word: str) -> str:
    found = respelling(word)
    return "" if found == word.casefold() else f"{word}\t{found}"


def as_written(word: str, text: str) -> str:
    """A word as it is compared, in lower case, as the text writes it."""
    found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)
    return found[0] if found else word


def respelling(word: str) -> str:
    """Its syllables apart, in plain letters: a start for whoever knows how it is said.

    >>> respelling("Phaedra")
    'faed ra'
    >>> respelling("Søren")
    'so ren'
    """
    plain = without_marks(word).lower()
    plain = plain if plain.isascii() else word.lower()
    for letters, put in _LETTERS:
        plain = plain.replace(letters, put)
    return " ".join(_SYLLABLE.findall(plain)) or plain
