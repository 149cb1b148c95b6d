"""The files of a book, made of what was spoken of it: all of them, or none."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from experiments.files import Outputs
from experiments.narration.production.alignment import Timings, make_aligner
from experiments.narration.production.certificate.build import write_certificate
from experiments.narration.production.certificate.worth import Worth, check_held_out, measure
from experiments.narration.production.encoding import WRITERS, Writer, epub_mp3
from experiments.narration.production.epub import write_epub
from experiments.narration.production.making import Making
from experiments.narration.production.meter import Levels, Meter
from experiments.narration.production.names import Names
from experiments.narration.production.options import CERTIFICATE, EPUB
from experiments.narration.production.read_along import ReadAlong, caption_files
from experiments.narration.production.timeline import Chapters, Placed, Timeline
from experiments.narration.takes import Narration

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Made:
    """files: in the order in which they are told. levels: of each chapter by its number, and of the whole
    book by 0. words_by: what timed the words; "" if nobody needed them. off: chunks that are still off the
    target, since that would take too much gain."""

    files: tuple[Path, ...]
    levels: dict[int, Levels]
    words_by: str
    off: tuple[Placed, ...]


def make(narration: Narration, making: Making, tell: Tell = lambda line: None) -> Made:
    """Writes what is asked for into the folder of the narration: audio, captions and the EPUB into `book`,
    the certificate beside the takes.

    tell: takes a line on progress. Raises UserError if a chunk is not spoken or its audio was changed, and if
    the disk is full; nothing is changed then.
    """
    if making.third_ear is not None:
        check_held_out(making.third_ear, narration.plan)
    language = narration.plan.language
    aligner = make_aligner(making.aligner, language) if making.times_words else None
    chapters = Chapters(narration, making.loudness, making.pauses)
    timelines = [chapters.timeline(chapter) for chapter in chapters.chapters]
    names = Names(narration, making, timelines)
    with Outputs() as outputs, tempfile.TemporaryDirectory() as scratch:
        stage = _Stage(outputs)
        levels = _write_audio(chapters, timelines, making, names, stage, Path(scratch), tell)
        if aligner is not None:
            tell(f"words are timed by {aligner.name}")
            words = ReadAlong(narration, Timings(narration.folder, aligner))
            _write_captions(timelines, making, names, stage, words, language)
            if EPUB in making.files:
                spoken = [words.chapter(one, _mp3(Path(scratch), one)) for one in timelines]
                file = stage(names.of_book("epub"))
                write_epub(file, names.title, making.author, language, spoken, making.cover)
        if CERTIFICATE in making.files:
            page, data = (narration.folder / f"certificate.{kind}" for kind in ("html", "json"))
            worth = _worth(narration, timelines, making, tell)
            write_certificate(
                stage(page), stage(data), narration, timelines, levels, making.loudness, making.clips, worth
            )
        outputs.publish()
    return Made(
        tuple(stage.files),
        levels,
        aligner.name if aligner else "",
        tuple(one for timeline in timelines for one in timeline.placed if one.off(making.loudness)),
    )


def _worth(narration: Narration, timelines: Sequence[Timeline], making: Making, tell: Tell) -> Worth | None:
    if making.third_ear is None:
        return None
    tell(f"{making.third_ear} hears every take")
    return measure(narration.folder, narration.plan, timelines, making.third_ear)


class _Stage:
    """Places to write to, and where what is written there goes."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self.files: list[Path] = []

    def __call__(self, destination: Path) -> Path:
        self.files.append(destination)
        return self._outputs.stage(destination)


def _write_audio(
    chapters: Chapters,
    timelines: Sequence[Timeline],
    making: Making,
    names: Names,
    stage: _Stage,
    scratch: Path,
    tell: Tell,
) -> dict[int, Levels]:
    """All audio in one pass over the chapters, and how loud it has become."""
    levels: dict[int, Levels] = {}
    whole = Meter()
    with ExitStack() as opened:
        book = [
            opened.enter_context(WRITERS[kind](stage(names.of_book(kind)), names.tags()))
            for kind in making.audio
            if making.whole(kind)
        ]
        for timeline in timelines:
            meter = Meter()
            tell(f"chapter {timeline.chapter.number}, {timeline.chapter.title}")
            with ExitStack() as own:
                writers: list[Writer | Meter] = [meter, whole, *book]
                for kind in making.audio:
                    if not making.whole(kind):
                        file = stage(names.of_chapter(timeline.chapter, kind))
                        writer = WRITERS[kind](file, names.tags(timeline.chapter))
                        writers.append(own.enter_context(writer))
                if EPUB in making.files:
                    writers.append(own.enter_context(epub_mp3(_mp3(scratch, timeline))))
                for samples in chapters.sound(timeline.chapter):
                    for one in writers:
                        one.write(samples)
            levels[timeline.chapter.number] = meter.levels
    return {0: whole.levels, **levels}


def _write_captions(
    timelines: Sequence[Timeline],
    making: Making,
    names: Names,
    stage: _Stage,
    words: ReadAlong,
    language: str,
) -> None:
    """Beside the audio: a file with sentences and one with words, for each chapter or for the book."""
    for kind in making.captions:
        if making.whole(kind):
            for suffix, content in caption_files(words.of_book(timelines), kind, language, names.title):
                stage(names.of_book(suffix)).write_bytes(content)
            continue
        for timeline in timelines:
            chapter = timeline.chapter
            for suffix, content in caption_files(words.sentences(timeline), kind, language, chapter.title):
                stage(names.of_chapter(chapter, suffix)).write_bytes(content)


def _mp3(scratch: Path, timeline: Timeline) -> Path:
    """The audio of a chapter that goes into the EPUB."""
    return scratch / f"{timeline.chapter.number}.mp3"
