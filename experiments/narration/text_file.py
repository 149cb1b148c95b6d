"""The text file of a book: what will be spoken, one sentence a line, to be edited and read again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import regex

from experiments.files import file_hash
from experiments.narration.book import Book, Chapter, Paragraph, Source, count_words
from experiments.narration.edits import Edits, compared
from experiments.narration.headings import numbered
from experiments.narration.lexicon import Entry, respelled
from experiments.narration.reading.book import read_book
from experiments.narration.reading.txt.plain import encoding_of, read_text
from experiments.narration.spans import Mark, has_marks, split_marks
from llasa_core.errors import UserError
from llasa_core.paths import shown, user_path
from llasa_core.text import language as canonical
from llasa_core.text import no_character, spoken_form

FIRST_LINE = "#! llasa-search narration text"
_HELP = """\
# One sentence a line, an empty line between paragraphs. Edit it, then give it as the BOOK.
# "=== NAME" begins a chapter (the name is not spoken), "= " a heading, "* * *" a section.
# "[Alice] " before a sentence: who says it and the rest of the paragraph; "[Alice, sad] ": and how.
# "She said {sad} very quietly {/} and left.": how a part of a line is said.
# Lines that begin with # are not spoken. "\\" before the first character of a line takes it as text."""
_CHAPTER, _HEADING, _SECTION = "=== ", "= ", "* * *"
_MARKS = ("#", "=", "\\", "[", _SECTION)
_NARRATOR: tuple[str | None, str | None] = (None, None)
"""Speaker and emotion."""
_SPEAKER = regex.compile(r"\[([^\[\],]*)(?:,([^\[\]]*))?\]\s*(.*)")
_FIELD = regex.compile(r"# (source|sha256|language|title|chapters): (.*)")


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file that was read again. edits: against its source; None if that could not be compared with
    it, for the reason in `unchecked`."""

    book: Book
    edits: Edits | None
    unchecked: str = ""


def is_text_file(path: Path) -> bool:
    """Whether the file is one that `written` made."""
    try:
        with path.open("rb") as file:
            begin = file.read(4 * len(FIRST_LINE))
    except OSError:
        return False
    return begin.decode(encoding_of(begin), "ignore").startswith(FIRST_LINE)


def written(book: Book, numbers: frozenset[int], destination: Path, lexicon: Sequence[Entry] = ()) -> str:
    """The chapters with these numbers as the content of a text file at `destination`.

    Below a sentence that is not spoken as it is written stands how it is spoken, behind "#".
    """
    source = os.path.relpath(book.source.path.resolve(), destination.resolve().parent)
    lines = [
        FIRST_LINE,
        _HELP,
        f"# source: {source}",
        f"# sha256: {book.source.sha256}",
        f"# title: {' '.join(book.title.split())}",
        f"# language: {book.language}",
        f"# chapters: {','.join(map(str, sorted(numbers)))}",
    ]
    for chapter in book.chapters:
        if chapter.number in numbers:
            lines += ["", f"{_CHAPTER}{' '.join(chapter.title.split())}"]
            for paragraph in chapter.paragraphs:
                lines += _paragraph(paragraph, book.language, lexicon)
    return "\n".join([*lines, ""])


def _paragraph(paragraph: Paragraph, language: str, lexicon: Sequence[Entry]) -> Iterator[str]:
    if not paragraph.continues:
        yield ""
    if paragraph.section:
        yield from (_SECTION, "")
    mark = _mark(paragraph)
    for number, sentence in enumerate(paragraph.sentences):
        if paragraph.heading:
            yield f"{_HEADING}{sentence}"
        else:
            escape = "\\" if sentence.startswith(_MARKS) or has_marks(sentence) else ""
            yield f"{f'{mark} ' if mark and not number else ''}{escape}{sentence}"
        if told := spoken_otherwise(sentence, language, lexicon, heading=paragraph.heading):
            yield f"#   spoken: {told}"


def _mark(paragraph: Paragraph) -> str:
    """The speaker and the emotion, "[]" for the narrator behind another speaker, "" where there is nothing to
    say."""
    if paragraph.speaker is None and paragraph.emotion is None:
        return "[]" if paragraph.continues else ""
    return f"[{paragraph.speaker or ''}{f', {paragraph.emotion}' if paragraph.emotion else ''}]"


def spoken_otherwise(
    sentence: str, language: str, lexicon: Sequence[Entry] = (), *, heading: bool = False
) -> str:
    """What is said for a sentence where a listener hears it differ from what is written; "" where none
    does."""
    text, touched = respelled(sentence, lexicon)
    said = numbered(text, language) if heading else text
    found = spoken_form(said, language)
    return found.spoken if touched or said != text or found.readings else ""


def read_text_file(path: Path, language: str | None = None, what: str = "BOOK") -> TextFile:
    """The book of a text file, and how it differs from its source, word by word.

    Raises UserError for a file that is no UTF-8, has no chapter, or a source that cannot be read any more.
    """
    name = f"{what} {shown(path)}"
    lines = read_text(path, what).split("\n")
    fields = dict(found.groups() for line in lines[:20] if (found := _FIELD.fullmatch(line)))
    code = canonical(language or fields.get("language") or "en")
    chapters = _chapters(lines, name)
    original, unchecked = _original(path, fields, code)
    numbers = _numbers(fields.get("chapters", ""))
    edits = None
    if original is not None:
        chosen = [one for one in original.chapters if one.number in numbers]
        edits = compared(chosen, chapters)
    words = sum(chapter.words for chapter in chapters)
    book = Book(
        title=fields.get("title", path.stem),
        language=code,
        chapters=chapters,
        source=Source(path, file_hash(path), words),
        left_out=() if edits is None else edits.left_out,
    )
    if edits is not None:
        words += sum(count_words(one.text) for one in edits.left_out)
        book = replace(book, source=replace(book.source, words=words))
    return TextFile(book, edits, unchecked)


def _original(path: Path, fields: dict[str, str], code: str) -> tuple[Book | None, str]:
    """The source, or why there is nothing to compare with."""
    if not fields.get("source"):
        return None, "it does not name its source"
    source = user_path(path.parent / fields["source"], "the source")
    if not source.is_file():
        return None, f"its source {shown(source)} is not there"
    if file_hash(source) != fields.get("sha256"):
        return None, f"its source {shown(source)} has changed since"
    return read_book(source, code, "the source"), ""


def _numbers(text: str) -> frozenset[int]:
    return frozenset(int(one) for one in text.split(",") if one.isascii() and one.isdigit() and len(one) < 7)


def _chapters(lines: Sequence[str], name: str) -> tuple[Chapter, ...]:
    reader = _Reader()
    for number, line in enumerate((*lines, ""), 1):
        try:
            reader.read(" ".join(line.split()), number)
        except UserError as error:
            raise UserError(f"{name}, line {number}: {error}") from None
    if not any(reader.paragraphs):
        raise UserError(f"{name} holds no words to speak: write it again with --text-file")
    return tuple(
        Chapter(number, title, tuple(found))
        for number, (title, found) in enumerate(zip(reader.titles, reader.paragraphs, strict=True), 1)
    )


class _Reader:
    """Collects the paragraphs of each chapter, line by line."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.paragraphs: list[list[Paragraph]] = []
        self._sentences: list[str] = []
        self._heading = self._section = self._continues = False
        self._said = _NARRATOR
        """Who says the sentences, and how."""
        self._voice = _NARRATOR
        """The same of what comes now, without the part that is open."""
        self._part: Mark | None = None
        self._opened = 0
        """The line in which the part began."""

    def read(self, text: str, number: int) -> None:
        """Raises UserError for what is no text and no mark."""
        if code_point := no_character(text):
            raise UserError(f"{code_point} is no character: take it out")
        if text.startswith("#"):
            return
        if text.startswith(_CHAPTER.strip() + " ") or text == _CHAPTER.strip():
            self._end()
            self.titles.append(text[len(_CHAPTER) :].strip() or f"(part {len(self.titles) + 1})")
            self.paragraphs.append([])
            self._section = False
        elif not text or text == _SECTION:
            self._end()
            self._section = self._section or bool(text)
        elif not self.titles:
            raise UserError("text before the first chapter: begin with a line === NAME")
        else:
            is_heading = text.startswith(_HEADING)
            if is_heading != self._heading:
                self._end()
            self._heading = is_heading
            if is_heading:
                self._say(text[len(_HEADING) :])
            else:
                self._read_sentence(text, number)

    def _read_sentence(self, text: str, number: int) -> None:
        if mark := _SPEAKER.fullmatch(text):
            self._check_closed()
            speaker, emotion = ((one or "").strip() or None for one in mark.groups()[:2])
            self._voice = (speaker, emotion)
            text = mark[3]
        for one in [text[1:]] if text.startswith("\\") else split_marks(text):
            if isinstance(one, str):
                self._say(one)
                continue
            if one.emotion:
                self._check_closed()
            elif self._part is None:
                raise UserError(f"{one} ends nothing: {one.why or 'begin with an emotion, as in {sad}'}")
            self._part, self._opened = (one, number) if one.emotion else (None, 0)

    def _say(self, text: str) -> None:
        """One sentence, or a part of one. What holds no letter goes with what is before it."""
        speaker, emotion = self._voice
        voice = (speaker, emotion if self._part is None else self._part.emotion)
        if not any(map(str.isalnum, text)):
            if text and self._sentences:
                self._sentences[-1] = f"{self._sentences[-1]} {text}"
            return
        if self._sentences and voice != self._said:
            self._flush()
            self._continues = True
        self._said = voice
        self._sentences.append(text)

    def _flush(self) -> None:
        if self._sentences:
            found = Paragraph(
                tuple(self._sentences), self._heading, self._section, *self._said, self._continues
            )
            self.paragraphs[-1].append(found)
            self._sentences, self._heading, self._section = [], False, False

    def _end(self) -> None:
        """Of a printed paragraph."""
        self._check_closed()
        self._flush()
        self._continues = False
        self._said = self._voice = _NARRATOR

    def _check_closed(self) -> None:
        if self._part is not None:
            raise UserError(
                f"{self._part} of line {self._opened} is not closed: write {{/}} behind its last word, "
                "before another mark and the end of the paragraph"
            )
