"""Emotions of a book's paragraphs: what its chunks are asked for, chosen by, and refused."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from experiments.cli import main as cli
from experiments.config import SearchOptions
from experiments.narration.chunks import Packing, chunks
from experiments.narration.opening import open_book
from experiments.narration.readable import pace_of
from experiments.narration.speaking.ladder import Limits
from experiments.narration.speaking.planning import Speaking, speaking
from experiments.narration.speaking.standard import standard_of
from experiments.request_options import RequestOptions
from llasa_core.errors import LlasaError
from llasa_core.presets import find_preset

pytestmark = [
    pytest.mark.skipif(find_spec("funasr") is None, reason="funasr is not installed"),
    pytest.mark.processes,
]
EARS = ("whisper:nano", "hubert-ctc:nano")


def book(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(f"#! llasa-search narration text\n# language: en\n=== One\n\n{body}\n", "utf-8")
    return path


def plan(path: Path) -> Speaking:
    given, preset = open_book(path, None).book, find_preset("nano")
    found = chunks(given, Packing.of(pace_of(preset)))
    standard = standard_of(
        preset, "en", EARS, pace=pace_of(preset), emotion=any(chunk.emotion for chunk in found)
    )
    return speaking(given, found, standard, SearchOptions(), Limits(), 7, lambda speaker: RequestOptions())


def test_a_paragraph_has_its_emotion_and_the_others_are_neutral(tmp_path: Path) -> None:
    found = plan(
        book(tmp_path, "[, sad@0.70] It rained all day.\n\nShe left.\n\n[, happy=0.6,sad=0.2] Now she came.")
    )
    rows = [found.row(chunk, chunk.text) for chunk in found.plan.chunks]
    assert {row.emotion for row in rows} == {"sad@0.7", "neutral", "happy=0.6,sad=0.2"}
    assert [row.emotion for row in rows if "rained" in row.text] == ["sad@0.7"]
    assert found.standard.select.endswith(",emo") and found.settings.models.verifiers[-1].startswith(
        "emotion2vec:nano"
    )
    assert found.asked(found.plan.chunks[-1])["emotion"] == "happy=0.6,sad=0.2"


def test_a_book_without_emotions_is_searched_as_before(tmp_path: Path) -> None:
    found = plan(book(tmp_path, "It rained all day.\n\nShe left."))
    assert {found.row(chunk, chunk.text).emotion for chunk in found.plan.chunks} == {None}
    assert not any("emotion2vec" in spec for spec in found.settings.models.verifiers)


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        ("sda", "did you mean 'sad'?"),
        ("sad=0.8,happy=0.8", "sum to 1.6"),
        ("arousal=0.5", "is no label"),
    ],
)
def test_what_cannot_be_felt_is_refused_before_a_model_is_loaded(
    mark: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = book(tmp_path, f"[, {mark}] It rained all day.")
    with pytest.raises(LlasaError) as caught:
        plan(path)
    assert says in str(caught.value) and "\n" not in str(caught.value)
    out = tmp_path / "spoken"
    assert cli.main(["narrate", str(path), "-o", str(out), "--ears", ",".join(EARS)]) == 2
    shown = capsys.readouterr()
    assert says in shown.err and shown.out == ""
