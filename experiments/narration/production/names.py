"""Names and tags of a book's files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from experiments.narration.production.making import Making
from experiments.narration.production.tags import Mark, Tags
from experiments.narration.production.timeline import Timeline
from experiments.narration.takes import Narration, PlannedChapter

BOOK = "book"
"""Folder of the files, within that of the narration."""
LONGEST_NAME = 60
"""Letters of a title in the name of a file."""


class Names:
    """Names and tags of the files."""

    def __init__(self, narration: Narration, making: Making, timelines: Sequence[Timeline]) -> None:
        self._folder, self._making = narration.folder / BOOK, making
        self._language = narration.plan.language
        self.title = making.title or narration.plan.title
        self._timelines = timelines
        self._numbers = [timeline.chapter.number for timeline in timelines]
        self._width = max(2, len(str(max(self._numbers, default=0))))

    def of_book(self, suffix: str) -> Path:
        return self._folder / f"{file_name(self.title)}.{suffix}"

    def of_chapter(self, chapter: PlannedChapter, suffix: str) -> Path:
        number = f"{chapter.number:0{self._width}}"
        return self._folder / f"{number} {file_name(chapter.title)}.{suffix}"

    def tags(self, chapter: PlannedChapter | None = None) -> Tags:
        """Of a chapter's file, or of the book's."""
        making, marks, place = self._making, [], 0.0
        if chapter is not None:
            track, count = self._numbers.index(chapter.number) + 1, len(self._numbers)
            title, author, cover = chapter.title, making.author, making.cover
            return Tags(title, self.title, author, self._language, track, count, cover=cover)
        for one in self._timelines:
            marks.append(Mark(one.chapter.title, place, place + one.seconds))
            place += one.seconds
        return Tags(
            self.title, self.title, making.author, self._language, marks=tuple(marks), cover=making.cover
        )


def file_name(title: str) -> str:
    """A title as every file system takes it."""
    text = "".join(c if c.isalnum() or c in " -_.,'()!" else " " for c in unicodedata.normalize("NFC", title))
    return re.sub(r" +", " ", text).strip(" .")[:LONGEST_NAME].strip(" .") or "untitled"


def files_of(folder: Path) -> list[Path]:
    """The files of the book that are there, those of earlier times too, in the order of their names."""
    places = [*(folder / BOOK).glob("[!.]*"), *(folder / f"certificate.{kind}" for kind in ("html", "json"))]
    return sorted(path for path in places if path.is_file())
