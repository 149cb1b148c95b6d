"""Where each chunk is in its chapter: the pauses, by what ends behind a chunk."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.files import file_hash
from experiments.narration.production.loudness import MOST_GAIN, RATE, Loudness, Samples
from experiments.narration.production.mastering import Mastered, mastered, pause
from experiments.narration.production.trimming import LEAD, TAIL
from experiments.narration.takes import Narration, PlannedChapter, PlannedChunk, Take
from llasa_core.audio import AudioError, read_audio
from llasa_core.errors import UserError

PAUSES = {
    "head": 0.6,
    "clause": 0.25,
    "sentence": 0.5,
    "paragraph": 0.9,
    "heading": 1.4,
    "section": 1.8,
    "chapter": 2.0,
}
"""Seconds of silence: before the first sound of a chapter, behind each kind of boundary, behind a heading,
and behind the last sound. ACX wants 0.5 to 1 s before and 1 to 5 s behind."""
LONGEST_PAUSE = 10.0
Pauses = Mapping[str, float]


def parse_pauses(text: str) -> Pauses:
    """`sentence=0.4,paragraph=1`: the others stay as PAUSES has them. Raises UserError."""
    found = dict(PAUSES)
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, value = part.partition("=")
        if name.strip() not in PAUSES:
            raise UserError(f"--pauses {part[:40]!r}: give NAME=SECONDS, NAME one of {', '.join(PAUSES)}")
        least = LEAD if name.strip() == "head" else TAIL if name.strip() == "chapter" else LEAD + TAIL
        if not re.fullmatch(r"\d{1,2}(\.\d{1,3})?", value.strip()) or not (
            least <= float(value) <= LONGEST_PAUSE
        ):
            raise UserError(f"--pauses {part[:40]!r}: give {least:g} to {LONGEST_PAUSE:g} seconds")
        found[name.strip()] = float(value)
    return found


@dataclass(frozen=True, slots=True)
class Placed:
    """A chunk in its chapter. begins, ends: seconds in the chapter of its sound with LEAD and TAIL. offset:
    what is added to seconds of the take for seconds of the chapter. gain, before: as `Mastered` has them."""

    chunk: PlannedChunk
    take: Take
    begins: float
    ends: float
    offset: float
    gain: float
    before: float

    def off(self, loudness: Loudness) -> bool:
        """Whether it would take more gain than there is to bring the chunk to the target."""
        return loudness.kind != "none" and abs(self.gain) >= MOST_GAIN


@dataclass(frozen=True, slots=True)
class Timeline:
    """A chapter. seconds: of all of it, with its pauses."""

    chapter: PlannedChapter
    placed: tuple[Placed, ...]
    seconds: float


class Chapters:
    """The chapters of a narration that are spoken, and their sound. Raises UserError where a chunk is not
    spoken, or its audio is not what was spoken."""

    def __init__(self, narration: Narration, loudness: Loudness, pauses: Pauses) -> None:
        self._folder, self._loudness, self._pauses = narration.folder, loudness, pauses
        pairs = _spoken(narration)
        self._chunks = {
            chapter.number: [pair for pair in pairs if pair[0].chapter == chapter.number]
            for chapter in narration.plan.chapters
        }
        self.chapters = tuple(one for one in narration.plan.chapters if self._chunks[one.number])
        for _, take in pairs:
            _check_audio(self._folder, take)

    def timeline(self, chapter: PlannedChapter) -> Timeline:
        place = self._samples("head")
        placed: list[Placed] = []
        for chunk, take in self._chunks[chapter.number]:
            sound = self._sound(take)
            begins = place / RATE
            placed.append(
                Placed(
                    chunk,
                    take,
                    begins,
                    begins + len(sound.samples) / RATE,
                    begins - sound.cut,
                    sound.gain,
                    sound.before,
                )
            )
            place += len(sound.samples) + self._behind(chunk)
        return Timeline(chapter, tuple(placed), place / RATE)

    def sound(self, chapter: PlannedChapter) -> Iterator[Samples]:
        """The samples of a chapter, a chunk or a pause at a time."""
        before: Mastered | None = None
        gap = self._samples("head")
        for chunk, take in self._chunks[chapter.number]:
            sound = self._sound(take)
            yield pause(gap, before, sound)
            yield sound.samples
            gap, before = self._behind(chunk), sound
        yield pause(gap, before, None)

    def _sound(self, take: Take) -> Mastered:
        return mastered(read_take(self._folder, take), self._loudness)

    def _behind(self, chunk: PlannedChunk) -> int:
        """Samples of the pause behind a chunk, beside the silence that it brings itself."""
        if chunk.heading and chunk.ends == "paragraph":
            return self._samples("heading")
        return self._samples(chunk.ends)

    def _samples(self, name: str) -> int:
        own = LEAD if name == "head" else TAIL if name == "chapter" else LEAD + TAIL
        return round((self._pauses[name] - own) * RATE)


def _spoken(narration: Narration) -> Sequence[tuple[PlannedChunk, Take]]:
    found = narration.in_order
    missing = [chunk for chunk, take in found if take is None]
    if len(missing) == len(found):
        raise UserError(f"nothing is spoken in {narration.folder}: speak the book first, by narrate")
    if missing:
        one = missing[0]
        raise UserError(
            f"{len(missing)} of {len(found)} chunks are not spoken yet, the first is {one.id} in chapter "
            f"{one.chapter}, {one.written[:40]!r}: go on with narrate"
        )
    return [(chunk, take) for chunk, take in found if take is not None]


def _check_audio(folder: Path, take: Take) -> None:
    file = folder / take.audio
    if not file.is_file() or file_hash(file) != take.audio_sha256:
        what = "has changed since it was spoken" if file.is_file() else "is not there"
        raise UserError(f"the audio {take.audio} of chunk {take.id} {what}: speak it again, by narrate redo")


def read_take(folder: Path, take: Take) -> Samples:
    """float32 [samples], mono 16 kHz, as it was spoken. Raises UserError."""
    try:
        return np.asarray(read_audio(folder / take.audio))
    except AudioError as error:
        raise UserError(str(error)) from None
