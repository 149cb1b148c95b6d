"""Emotions of a book's paragraphs: what its chunks are asked for, chosen by, and refused."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.cli import main as cli
from experiments.config import SearchOptions
from experiments.narration.chunks import Packing, chunks
from experiments.narration.opening import open_book
from experiments.narration.readable import pace_of
from experiments.narration.speaking.ladder import Limits
from experiments.narration.speaking.planning import Speaking, speaking
from experiments.narration.speaking.standard import LEAST_VOICE, standard_of
from experiments.narration.takes import read_narration
from experiments.narration.voices import Voice, voice_of
from experiments.request_options import RequestOptions
from llasa_core.audio import read_audio
from llasa_core.errors import LlasaError
from llasa_core.presets import find_preset
from llasa_core.voices import find_voice
from search.roles import here
from verifiers import registry
from verifiers.base import Target

pytestmark = [
    pytest.mark.skipif(find_spec("funasr") is None, reason="funasr is not installed"),
    pytest.mark.processes,
]
EARS = ("whisper:nano", "hubert-ctc:nano")


def book(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(f"#! llasa-search narration text\n# language: en\n=== One\n\n{body}\n", "utf-8")
    return path


STYLED = "[, sorrow] It rained all day.\n\nShe left.\n\n[, neutral] Now she came.\n\n[Ann, happy] It rained."


def plan(path: Path, **voice: Any) -> Speaking:
    """voice: as `RequestOptions`; that of Ann is kal, with the same styles."""
    given, preset = open_book(path, None).book, find_preset("nano")
    found = chunks(given, Packing.of(pace_of(preset)))
    narrator = RequestOptions(**voice)
    standard = standard_of(
        preset, "en", EARS, pace=pace_of(preset), emotion=any(chunk.emotion for chunk in found)
    )
    cast = {"Ann": Voice(shipped="kal")}
    return speaking(
        given,
        found,
        standard,
        SearchOptions(),
        Limits(),
        7,
        lambda speaker: voice_of(speaker, cast, narrator),
    )


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
    ("voice", "spoken", "note"),
    [
        ({}, ["slt", "slt", "slt", "kal"], "the voices of 2 chunks have a recording in their emotion"),
        ({"voice_styles": True}, ["slt-sad", "slt", "slt", "kal-happy"], "--voice-styles: 2 chunks name"),
        (
            {"voice_styles": True, "voice": "slt-sad"},
            ["slt-sad", "slt-sad", "slt", "kal-happy"],
            "--voice-styles: 2 chunks name",
        ),
        ({"voice": "rms"}, ["rms", "rms", "rms", "kal"], "the voices of 1 chunks have"),
    ],
)
def test_with_styles_a_chunk_is_spoken_with_the_recording_in_its_emotion(
    voice: dict[str, Any], spoken: list[str], note: str, tmp_path: Path
) -> None:
    found = plan(book(tmp_path, STYLED), **voice)
    assert [found.asked(chunk)["voice"] for chunk in found.plan.chunks] == spoken
    assert found.note_on_styles.startswith(note)
    plain = plan(book(tmp_path, STYLED))
    assert found.plan.settings == plain.plan.settings
    assert [chunk.key for chunk in found.plan.chunks] == [chunk.key for chunk in plain.plan.chunks]


def test_without_a_recording_in_an_emotion_nothing_is_suggested(tmp_path: Path) -> None:
    path = book(tmp_path, "[, sad] It rained all day.")
    assert plan(path, voice="rms").note_on_styles == ""
    assert "no chunks name an emotion" in plan(path, voice="rms", voice_styles=True).note_on_styles


@pytest.mark.slow
@pytest.mark.models
@pytest.mark.timeout(900)
@pytest.mark.skipif(not here("ge2e") or not here("sphinx"), reason="resemblyzer or pocketsphinx is missing")
def test_styles_speak_the_chunks_again_that_have_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their voice is held against the neutral recording; redo and replay speak with the same recording."""
    body = "[, sad] The old king saw a ship on the river before dinner.\n\nMy brother gave it to the doctor."
    path, folder = book(tmp_path, body), tmp_path / "spoken"
    command = ["narrate", str(path), "-o", str(folder), "--ears", "hubert-ctc:nano,sphinx"]
    command += ["--book-tokens", "1"]
    assert cli.main([*command, "--speak-only"]) in (0, 3)
    assert "try --voice-styles" in capsys.readouterr().err
    before = [take for _, take in read_narration(folder).in_order if take is not None]
    assert [take.asked["voice"] for take in before] == ["slt", "slt"]

    assert cli.main([*command, "--voice-styles", "--files", "certificate"]) in (0, 3)
    told = " ".join(capsys.readouterr().err.split())
    assert "note: 1 chunks have another voice now: spoken again" in told and "1 to speak" in told
    narration = read_narration(folder)
    after = [take for _, take in narration.in_order if take is not None]
    assert [take.asked["voice"] for take in after] == ["slt-sad", "slt"] and after[1] == before[1]
    ear, neutral = registry.load("ge2e"), Target(reference=read_audio(find_voice("slt").path))
    for take in after:
        (score,) = ear.score([read_audio(folder / take.audio)], neutral)
        assert take.seconds > LEAST_VOICE and take.measures.similarity == pytest.approx(score.value, abs=2e-3)
        assert take.measures.speaker_ear == "ge2e-neutral"
    assert "ge2e-neutral" in (folder / "certificate.html").read_text("utf-8")

    sad = narration.plan.chunks[0]
    (tmp_path / "sad.json").write_text(json.dumps(after[0].manifests[0]))
    assert cli.main(["replay", str(tmp_path / "sad.json"), "-o", str(tmp_path / "again.wav")]) == 0
    again = read_audio(tmp_path / "again.wav")
    np.testing.assert_allclose(again, read_audio(folder / after[0].audio), atol=1 / 32768)
    assert cli.main(["narrate", "redo", str(folder), sad.id, "-n", "1"]) in (0, 3)
    redone = read_narration(folder).takes[sad.key]
    assert (redone.redo, redone.asked["voice"]) == (1, "slt-sad")


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
