"""Where a sentence that is too long for one chunk is cut: behind a clause if there is one, else behind a
word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import regex

from experiments.narration.book import join, letters
from llasa_core.text import spoken_form

_PLACES = (
    regex.compile(r"(?<=[;:；：][\"'”’」』)]*)\s*(?=\S)(?<=\s|[；：][”’」』]*)"),
    regex.compile(r"(?<=[,，、—–…][\"'”’」』)]*)\s*(?=\S)(?<=\s|[，、—…][”’」』]*)"),
    regex.compile(r"\s+(?=(?:and|or|but|because|which|who|that|when|while|if|as|for|with|to|of|in|on|at)\b)"),
    regex.compile(r"\s+"),
    regex.compile(r"(?<=\p{Han})(?=\p{Han})"),
    regex.compile(r"(?<=\w)(?=\w)"),
)
"""From the best places to the worst: semicolons, commas and dashes, before a conjunction, white space,
between Chinese characters; within a word only where it alone is too long."""
NEAR = 0.35
"""Share of a chunk's length within which a better place is preferred to a nearer one."""
TRIES = 8
"""Places that are tried for whether the parts are spoken as the whole is."""


def split_sentence(sentence: str, most: float, measure: Callable[[str], float], language: str) -> list[str]:
    """Parts of at most `most` predicted seconds, about equal; the sentence itself if it is short enough."""
    total = measure(sentence)
    if total <= most:
        return [sentence]
    count = max(2, -int(-total // most))
    parts = split_near(sentence, count, (), language)
    if len(parts) < 2:
        return [sentence]
    return [piece for part in parts for piece in split_sentence(part, most, measure, language)]


def split_near(text: str, count: int, sentences: Sequence[str], language: str) -> list[str]:
    """At most `count` parts of about equal length that together are the text, cut at the best places near the
    equal ones. sentences: those of the text, whose ends are the best places of all. A cut within what is
    spoken as one thing ("3 | km") is not made where another is at hand."""
    parts: list[str] = []
    ends = _ends(text, sentences)
    start = 0
    for left in range(count, 1, -1):
        wanted = start + (len(text) - start) / left
        cut = _cut(text, start, wanted, (len(text) - start) / left, ends, language)
        if cut is None:
            break
        parts.append(text[start:cut].strip())
        start = cut
    return [part for part in [*parts, text[start:].strip()] if part]


def _ends(text: str, sentences: Sequence[str]) -> list[int]:
    """Positions in the text behind each of its sentences but the last."""
    return [len(join(list(sentences[:number]))) for number in range(1, len(sentences))]


def _cut(
    text: str, start: int, wanted: float, length: float, ends: Sequence[int], language: str
) -> int | None:
    """The best position to cut at, None if there is none that leaves letters on both sides."""
    tried = 0
    for cut in _candidates(text, start, wanted, length, ends):
        left, right = text[start:cut], text[cut:]
        if not (letters(left) and letters(right)):
            continue
        tried += 1
        if tried > TRIES or cut in ends or _same_spoken(left, right, language):
            return cut
    return None


def _candidates(text: str, start: int, wanted: float, length: float, ends: Sequence[int]) -> Iterator[int]:
    """Positions near the wanted one by the kind of place, then those farther away."""
    low, high = int(wanted - NEAR * length), int(wanted + NEAR * length)
    places = [[one for one in ends if one > start]]
    window_low, window_high = max(start + 1, low), min(len(text), high + 1)
    places += [
        [found.end() for found in pattern.finditer(text, window_low, window_high)] for pattern in _PLACES[:-1]
    ]
    for group in places:
        near = [one for one in group if window_low <= one <= window_high]
        yield from sorted(near, key=lambda one: abs(one - wanted))
    yield from sorted(
        (found.end() for found in _PLACES[3].finditer(text, start + 1)), key=lambda one: abs(one - wanted)
    )
    yield from sorted(
        (found.end() for found in _PLACES[-1].finditer(text, window_low, window_high)),
        key=lambda one: abs(one - wanted),
    )


def _same_spoken(left: str, right: str, language: str) -> bool:
    """Whether the parts are spoken as the whole is; of long texts the words around the cut are compared."""
    left, right = left[-200:], right[:200]
    apart = spoken_form(left, language).spoken + spoken_form(right, language).spoken
    return (
        letters(apart).casefold()
        == letters(spoken_form(join([left.strip(), right.strip()]), language).spoken).casefold()
    )
