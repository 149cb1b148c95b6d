"""The sentences and words of a book in time, for captions and for the EPUB that is read aloud."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.narration.production.alignment import Timings
from experiments.narration.production.captions import Sentence, sentences_of, srt, vtt
from experiments.narration.production.epub import Passage, SpokenChapter
from experiments.narration.production.timeline import Placed, Timeline, read_take
from experiments.narration.production.words import Timed, as_written
from experiments.narration.takes import Narration


class ReadAlong:
    """Times are seconds of a chapter."""

    def __init__(self, narration: Narration, timings: Timings) -> None:
        self._folder, self._language, self._timings = narration.folder, narration.plan.language, timings

    def _sentences(self, placed: Placed) -> list[Sentence]:
        """Of a chunk, in seconds of its chapter."""
        take = placed.take
        spoken = self._timings.of(
            take.audio_sha256, take.spoken, self._language, lambda: read_take(self._folder, take)
        )
        words = [one.later(placed.offset) for one in as_written(placed.chunk.written, spoken)]
        return sentences_of(placed.chunk.written, words, self._language)

    def chapter(self, timeline: Timeline, audio: Path) -> SpokenChapter:
        """The paragraphs of a chapter. Chunks belong to one until a paragraph ends behind them."""
        passages: list[Passage] = []
        waiting: list[Sentence] = []
        before = ""
        for placed in timeline.placed:
            waiting += self._sentences(placed)
            if placed.chunk.ends not in ("clause", "sentence"):
                passages.append(Passage(tuple(waiting), placed.chunk.heading, before == "section"))
                waiting, before = [], placed.chunk.ends
        return SpokenChapter(timeline.chapter.title, tuple(passages), audio, timeline.seconds)

    def sentences(self, timeline: Timeline) -> list[Sentence]:
        """All of a chapter."""
        return [sentence for placed in timeline.placed for sentence in self._sentences(placed)]

    def of_book(self, timelines: Sequence[Timeline]) -> list[Sentence]:
        """All of the book, in seconds of its one file."""
        found: list[Sentence] = []
        place = 0.0
        for timeline in timelines:
            for one in self.sentences(timeline):
                found.append(Sentence(one.text, tuple(word.later(place) for word in one.words)))
            place += timeline.seconds
        return found


def caption_files(
    sentences: Sequence[Sentence], kind: str, language: str, title: str
) -> list[tuple[str, bytes]]:
    """The suffix and the content of two files: a cue for each sentence, and one for each word."""
    cues = [Timed(one.text, one.begins, one.ends) for one in sentences]
    words = [word for one in sentences for word in one.words]
    return [
        (suffix, (srt(own) if kind == "srt" else vtt(own, language, title)).encode())
        for suffix, own in ((kind, cues), (f"words.{kind}", words))
    ]
