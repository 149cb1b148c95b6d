"""Captions: SubRip (.srt) and WebVTT (.vtt), a cue for each sentence or for each word."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.narration.book import join, letters
from experiments.narration.production.words import Timed
from experiments.narration.sentences import sentences

LINE = 42
"""Letters of a line, as the broadcasters have it (BBC Subtitle Guidelines: 37 to 42)."""
SHORTEST = 0.02
"""Seconds. Players leave out a cue that ends when it begins."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a chunk, or the part of one that the chunk has, with its words."""

    text: str
    words: tuple[Timed, ...]

    @property
    def begins(self) -> float:
        return self.words[0].begins

    @property
    def ends(self) -> float:
        return self.words[-1].ends


def sentences_of(written: str, words: Sequence[Timed], language: str) -> list[Sentence]:
    """The sentences of a chunk. words: those of `written`, as `tokens` has them."""
    found: list[Sentence] = []
    place = first = size = reached = 0
    waiting: list[str] = []
    for text in sentences(written, language):
        waiting.append(text)
        size += len(letters(text))
        while place < len(words) and reached < size:
            reached += len(letters(words[place].text))
            place += 1
        # No word yet: marks alone. Too many letters: a word goes on in the next sentence, as in "Stop!""No!".
        if place > first and reached == size:
            found.append(Sentence(join(waiting), tuple(words[first:place])))
            waiting, first = [], place
    if first < len(words):
        found.append(Sentence(join(waiting), tuple(words[first:])))
    return found


def srt(cues: Sequence[Timed]) -> str:
    """Cues numbered from 1; times to the millisecond. Overlaps are taken from the end of the earlier cue."""
    blocks = [
        f"{number}\n{_time(begins, ',')} --> {_time(ends, ',')}\n{text}\n"
        for number, (begins, ends, text) in enumerate(_apart(cues), 1)
    ]
    return "\n".join(blocks)


def vtt(cues: Sequence[Timed], language: str, title: str) -> str:
    blocks = [
        f"{number}\n{_time(begins, '.')} --> {_time(ends, '.')}\n{html.escape(text, quote=False)}\n"
        for number, (begins, ends, text) in enumerate(_apart(cues), 1)
    ]
    note = f"{title} ({language})".replace("-->", "->")
    return "\n".join(["WEBVTT\n", f"NOTE {' '.join(note.split())}\n", *blocks])


def _apart(cues: Sequence[Timed]) -> list[tuple[int, int, str]]:
    """Milliseconds and lines; each cue lasts, and ends before the next one begins."""
    begins = [round(1000 * cue.begins) for cue in cues]
    least = round(1000 * SHORTEST)
    for number in range(1, len(begins)):
        begins[number] = max(begins[number], begins[number - 1] + least)
    found = []
    for number, cue in enumerate(cues):
        ends = max(round(1000 * cue.ends), begins[number] + least)
        if number + 1 < len(cues):
            ends = min(ends, begins[number + 1])
        found.append((begins[number], ends, "\n".join(_lines(cue.text))))
    return found


def _lines(text: str) -> list[str]:
    """As few lines as LINE allows, of about equal length."""
    text = " ".join(text.split())
    lines = textwrap.wrap(text, LINE, break_on_hyphens=False)
    for width in range(-(-len(text) // max(len(lines), 1)), LINE):
        narrow = textwrap.wrap(text, width, break_on_hyphens=False)
        if len(narrow) == len(lines):
            return narrow
    return lines or [text]


def _time(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{rest:03}"
