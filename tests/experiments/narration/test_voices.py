"""Voices of characters: voices.yaml, marks in the text file, and quotations."""

import shutil
from pathlib import Path

import pytest

from experiments.narration.book import Boundary, Paragraph, words
from experiments.narration.chunks import PACKINGS, chunks
from experiments.narration.quotes import with_speakers
from experiments.narration.reading.book import read_book
from experiments.narration.text_file import read_text_file, written
from experiments.narration.voices import check_speakers, read_voices, voice_of
from experiments.request_options import RequestOptions
from llasa_core.errors import UserError
from llasa_core.voices import find_voice

STORY = """# One

The door opened. “I know,” said Alice, “but not now.” She left.

“Who is there?” Bob asked quietly. “Nobody. Go on.”

He called it “the room”.
"""


def _paragraphs(path: Path) -> list[Paragraph]:
    return list(read_text_file(path).book.chapters[0].paragraphs)


def _text(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(f"#! llasa-search narration text\n# language: en\n=== One\n\n{body}\n", "utf-8")
    return path


def test_a_mark_gives_a_paragraph_its_speaker_and_its_emotion(tmp_path: Path) -> None:
    found = _paragraphs(
        _text(tmp_path, "[Alice, sad] Go.\nNow.\n[] She left.\n\n[, happy] It rained.\n\nYes.")
    )
    assert [(one.sentences, one.speaker, one.emotion, one.continues) for one in found] == [
        (("Go.", "Now."), "Alice", "sad", False),
        (("She left.",), None, None, True),
        (("It rained.",), None, "happy", False),
        (("Yes.",), None, None, False),
    ]


def test_a_bracket_of_the_book_itself_is_no_mark(tmp_path: Path) -> None:
    source = tmp_path / "book.md"
    source.write_text("# One\n\n[Alice] is what the sign said.\n", "utf-8")
    book = read_book(source)
    file = tmp_path / "book.txt"
    file.write_text(written(book, frozenset([1]), file), "utf-8")
    found = read_text_file(file)
    assert found.book.chapters[0].paragraphs == book.chapters[0].paragraphs
    assert found.edits is not None and not found.edits.found


def test_quotations_go_to_the_character_that_is_named_beside_them(tmp_path: Path) -> None:
    source = tmp_path / "book.md"
    source.write_text(STORY, "utf-8")
    book = read_book(source)
    found = with_speakers(book, ["Bob", "Alice"])
    said = [(one.speaker, " ".join(one.sentences)) for one in found.chapters[0].paragraphs]
    assert said == [
        (None, "One"),
        (None, "The door opened."),
        ("Alice", "“I know,”"),
        (None, "said Alice,"),
        ("Alice", "“but not now.”"),
        (None, "She left."),
        ("Bob", "“Who is there?”"),
        (None, "Bob asked quietly."),
        ("Bob", "“Nobody. Go on.”"),
        (None, "He called it “the room”."),
    ]
    spoken = [word for one in chunks(found, PACKINGS["nano"]) for word in words(one.written)]
    assert spoken == [word for one in chunks(book, PACKINGS["nano"]) for word in words(one.written)]
    ends = [one.ends for one in chunks(found, PACKINGS["nano"])]
    assert ends[1:6] == [
        Boundary.SENTENCE,
        Boundary.CLAUSE,
        Boundary.CLAUSE,
        Boundary.SENTENCE,
        Boundary.PARAGRAPH,
    ]


def test_a_voice_for_quotations_takes_those_that_nobody_is_named_for(tmp_path: Path) -> None:
    source = tmp_path / "book.md"
    source.write_text(STORY, "utf-8")
    found = with_speakers(read_book(source), ["Alice", "quotes"])
    said = [(one.speaker, " ".join(one.sentences)) for one in found.chapters[0].paragraphs if one.speaker]
    assert said[2:] == [
        ("quotes", "“Who is there?”"),
        ("quotes", "“Nobody. Go on.”"),
        ("quotes", "“the room”."),
    ]


def test_speakers_survive_the_text_file(tmp_path: Path) -> None:
    source = tmp_path / "book.md"
    source.write_text(STORY, "utf-8")
    book = with_speakers(read_book(source), ["Alice", "Bob"])
    file = tmp_path / "book.txt"
    file.write_text(written(book, frozenset([1]), file), "utf-8")
    found = read_text_file(file)
    assert found.book.chapters[0].paragraphs == book.chapters[0].paragraphs
    assert found.edits is not None and not found.edits.found


def test_a_voice_is_a_shipped_one_or_a_recording(tmp_path: Path) -> None:
    shutil.copy(find_voice("kal").path, tmp_path / "bob.wav")
    file = tmp_path / "voices.yaml"
    file.write_text("narrator: rms\nAlice: slt\nBob:\n  audio: bob.wav\n  text: my officer\n", "utf-8")
    voices, given = read_voices(file), RequestOptions(voice="awb", seed=3)
    assert voice_of("alice", voices, given) == RequestOptions(voice="slt", seed=3)
    assert voice_of(None, voices, given).voice == "rms"
    bob = voice_of("Bob", voices, given)
    assert (bob.voice, bob.prompt_audio, bob.prompt_text) == (None, tmp_path / "bob.wav", "my officer")
    check_speakers([None, "Bob", "Alice"], voices, given)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("Alice: sltt", "did you mean slt?"),
        ("[Alice, Bob]", "names no voice"),
        ("Alice: 3", "give the name of a shipped voice"),
        ("Alice: {audio: a.wav, text: hi}", "does not exist"),
        ("Alice: {audio: a.wav}", "text"),
        ("Alice: slt\nalice: kal", "are one name"),
        ('"A, B": slt', "is no name"),
        ("Alice: *x", "*x refers to another value"),
    ],
)
def test_bad_voices_are_one_line(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "voices.yaml"
    file.write_text(content, "utf-8")
    with pytest.raises(UserError) as error:
        read_voices(file)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_speaker_without_a_voice_is_told_before_anything_is_spoken(tmp_path: Path) -> None:
    file = tmp_path / "voices.yaml"
    file.write_text("Alice: slt\n", "utf-8")
    with pytest.raises(UserError, match="'Alise' speaks in the book and has no voice: did you mean 'Alice'"):
        check_speakers([None, "Alise"], read_voices(file), RequestOptions())


def test_a_name_in_any_case_is_found_where_the_book_has_a_capital(tmp_path: Path) -> None:
    source = tmp_path / "book.md"
    source.write_text(
        "“Go,” said Alice.\n\n“Stay,” said the fox.\n\n“Wait,” she said; rose said no.\n", "utf-8"
    )
    found = with_speakers(read_book(source), ["alice", "fox", "Rose"])
    quoted = [one.speaker for one in found.chapters[0].paragraphs if one.sentences[0].startswith("“")]
    assert quoted == ["alice", "fox", None]
