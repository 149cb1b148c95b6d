"""Voices of characters: voices.yaml, marks in the text file, and quotations."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.narration.book import Book, Boundary, Chapter, Paragraph, Source, words
from experiments.narration.chunks import PACKINGS, chunks
from experiments.narration.quotes import with_speakers
from experiments.narration.reading.book import read_book
from experiments.narration.sentences import sentences
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


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("“Go away,” said Bob to Alice.", ["Bob"]),
        ("“Because,” he told Alice, “I am.”", [None, None]),
        ("“Why?” asked Alice of Bob. “Go.”", ["Alice", "Alice"]),
        ("“Why?” she asked Alice.", [None]),
        ("A girl called Alice came in. “Hello,” she said.", [None]),
        ('"Straight," Bob said. "Other," Alice said.', ["Bob", "Alice"]),
        ("Bob said: “A!” Alice said: “B.”", ["Bob", "Alice"]),
        ("“Go,” said Bob. “Now,” he said.", ["Bob", "Bob"]),
        ("“Yes,” said the stranger. “I know,” said Alice.", [None, "Alice"]),
        ("“Yes,” he said, and Alice answered, “No.”", [None, "Alice"]),
        ("“Stay.” He rose. “Now,” said Bob.", ["Bob", "Bob"]),
        ("“I know,” Alice’s brother Bob said.", ["Bob"]),
        ("“Come,” said old Mr. Bob. “Now,” Alice Brown said.", ["Bob", "Alice"]),
        ("“Go,” said Bob. He saw “the room”. “Now.”", ["Bob", None, "Bob"]),
        ("The so-called “expert” left. Alice answered him.", [None]),
        ("“Go,” said Bob. “No,” Alice growled. “Oh!”", ["Bob", "Alice", "Alice"]),
        ("“Go,” said Bob. “No,” growled the old Alice.", ["Bob", "Alice"]),
        ("“Go,” said Bob. “No,” the man growled.", ["Bob", None]),
        ("“Go,” said Bob. “No,” he growled.", ["Bob", "Bob"]),
        ("小明说：“你好。”Bob说：“再见。”", [None, "Bob"]),
    ],
)
def test_a_quotation_is_said_by_whom_the_nearest_words_name(
    tmp_path: Path, line: str, said: list[str | None]
) -> None:
    """In whatever order voices.yaml has the names. None: nobody is named."""
    for names in (["Alice", "Bob"], ["Bob", "Alice"]):
        found = _said(tmp_path, line, [*names, "quotes"])
        assert [None if one == "quotes" else one for one in found] == said


def _said(tmp_path: Path, text: str, names: list[str]) -> list[str]:
    """The speakers of what is not the narrator's, in order, with those of a run that goes on once."""
    source = tmp_path / "book.md"
    source.write_text(text, "utf-8")
    book = read_book(source)
    found = with_speakers(book, names)
    spoken, wanted = (
        [word for one in each.chapters[0].paragraphs for text in one.sentences for word in words(text)]
        for each in (found, book)
    )
    assert spoken == wanted
    return [one.speaker for one in found.chapters[0].paragraphs if one.speaker]


@given(st.text(alphabet="aB.,?! \"'“”‘’„«»—()61说：", max_size=60), st.sampled_from(["", "quotes"]))
def test_no_character_is_lost_between_speakers(text: str, rest: str) -> None:
    found = [sentences(one, "en") for one in ("B said: “a", text)]
    paragraphs = tuple(Paragraph(tuple(one)) for one in found if one)
    book = Book("", "en", (Chapter(1, "", paragraphs),), Source(Path("a"), "", 0))
    split = with_speakers(book, ["B", rest][: 1 + bool(rest)]).chapters[0].paragraphs
    before, after = (
        "".join("".join(text for one in each for text in one.sentences).split())
        for each in (paragraphs, split)
    )
    assert before == after
    assert all(one.sentences and all(map(str.strip, one.sentences)) for one in split)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("‘The boys’ hats,’ said Bob, ‘aren’t here.’", ["‘The boys’ hats,’", "‘aren’t here.’"]),
        ("He said ’twas in the ‘90s, and ‘tis so, said Bob, the boys’ man.", []),
        ("«Oui,» said Bob.", ["«Oui,»"]),
        ("»Ja,« said Bob.", ["»Ja,«"]),
        ("„Guten Tag,“ said Bob.", ["„Guten Tag,“"]),
        ('The 6\'2" man, "Bob," said Bob.', ['"Bob,"']),
        ('"He is 6\'2" tall," said Bob.', ['"He is 6\'2" tall,"']),
        ('"It was 1984," said Bob.', ['"It was 1984,"']),
        ("He was 6'2\" tall. Bob said no.", []),
        ("— “Go,” said Bob.", ["—“Go,”"]),
    ],
)
def test_quotation_marks_of_other_books(tmp_path: Path, line: str, said: list[str]) -> None:
    source = tmp_path / "book.txt"
    source.write_text(f"Chapter 1\n\n{line}\n", "utf-8")
    found = with_speakers(read_book(source), ["Bob"])
    assert [" ".join(one.sentences) for one in found.chapters[0].paragraphs if one.speaker] == said


def test_a_speech_that_goes_on_in_the_next_paragraph_keeps_its_speaker(tmp_path: Path) -> None:
    first, names = "“One,” said Bob. “It goes on", ["Alice", "Bob"]
    assert _said(tmp_path, f"{first}\n\n“and on,\n\n“and ends.” Alice left.\n", names) == ["Bob"] * 4
    assert _said(tmp_path, f"{first}.”\n\n“And on.” Alice left.\n", names) == ["Bob"] * 2
    single = "‘One,’ said Bob. ‘It goes on"
    assert _said(tmp_path, f"{single}\n\n‘and ends.’ Alice left.\n", ["Bob"]) == ["Bob"] * 3
    assert _said(tmp_path, f"{single}.\n\nAlice left.\n", ["Bob"]) == ["Bob"]
