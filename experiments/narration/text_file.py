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
from experiments.narration.lexicon import Entry, respelled
from experiments.narration.reading.book import read_book
from experiments.narration.reading.plain import read_text
from llasa_core.errors import UserError
from llasa_core.paths import shown, user_path
from llasa_core.text import language as canonical
from llasa_core.text import no_character, spoken_form

FIRST_LINE = "#! llasa-search narration text"
_HELP = """\
# One sentence a line, an empty line between paragraphs. Edit it, then give it as the BOOK.
# "=== NAME" begins a chapter (the name is not spoken), "= " a heading, "* * *" a section.
# "[Alice] " before a sentence: who says it and the rest of the paragraph; "[Alice, sad] ": and how.
# Lines that begin with # are not spoken. "\\" before the first character of a line takes it as text."""
_CHAPTER, _HEADING, _SECTION = "=== ", "= ", "* * *"
_MARKS = ("#", "=", "\\", "[", _SECTION)
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
            return file.read(len(FIRST_LINE)) == FIRST_LINE.encode()
    except OSError:
        return False


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
        elif mark and not number:
            yield f"{mark} {sentence}"
        else:
            yield f"\\{sentence}" if sentence.startswith(_MARKS) else sentence
        if told := spoken_otherwise(sentence, language, lexicon):
            yield f"#   spoken: {told}"


def _mark(paragraph: Paragraph) -> str:
    """The speaker and the emotion, "[]" for the narrator behind another speaker, "" where there is nothing to
    say."""
    if paragraph.speaker is None and paragraph.emotion is None:
        return "[]" if paragraph.continues else ""
    return f"[{paragraph.speaker or ''}{f', {paragraph.emotion}' if paragraph.emotion else ''}]"


def spoken_otherwise(sentence: str, language: str, lexicon: Sequence[Entry] = ()) -> str:
    """What is said for a sentence where a listener hears it differ from what is written; "" where none
    does."""
    text, touched = respelled(sentence, lexicon)
    found = spoken_form(text, language)
    return found.spoken if touched or found.readings else ""


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
    titles: list[str] = []
    paragraphs: list[list[Paragraph]] = []
    sentences: list[str] = []
    heading = section = continues = False
    speaker: str | None = None
    emotion: str | None = None

    def end() -> None:
        nonlocal sentences, heading, section, continues, speaker, emotion
        if sentences:
            paragraphs[-1].append(Paragraph(tuple(sentences), heading, section, speaker, emotion, continues))
            sentences, heading, section = [], False, False
        continues, speaker, emotion = False, None, None

    for number, line in enumerate((*lines, ""), 1):
        text = " ".join(line.split())
        if code_point := no_character(text):
            raise UserError(f"{name}, line {number} holds {code_point}, which is no character: take it out")
        if text.startswith("#"):
            continue
        if text.startswith(_CHAPTER.strip() + " ") or text == _CHAPTER.strip():
            end()
            titles.append(text[len(_CHAPTER) :].strip() or f"(part {len(titles) + 1})")
            paragraphs.append([])
            section = False
        elif not text or text == _SECTION:
            end()
            section = section or bool(text)
        elif not titles:
            raise UserError(
                f"{name}, line {number}: text before the first chapter: begin with a line === NAME"
            )
        else:
            is_heading = text.startswith(_HEADING)
            if is_heading != heading:
                end()
            heading = is_heading
            if not is_heading and (mark := _SPEAKER.fullmatch(text)):
                inside = bool(sentences)
                end()
                continues = inside
                speaker, emotion = ((one or "").strip() or None for one in mark.groups()[:2])
                text = mark[3]
            text = text[len(_HEADING) :] if is_heading else text.removeprefix("\\")
            if any(map(str.isalnum, text)):
                sentences.append(text)
            elif sentences:
                sentences[-1] = f"{sentences[-1]} {text}"
    if not any(paragraphs):
        raise UserError(f"{name} holds no words to speak: write it again with --text-file")
    return tuple(
        Chapter(number, title, tuple(found))
        for number, (title, found) in enumerate(zip(titles, paragraphs, strict=True), 1)
    )
