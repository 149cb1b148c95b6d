"""`score` on the shipped voice prompts by the shipped models; bad input is refused before one is loaded."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from experiments.cli import main as cli
from llasa_core.audio import read_audio, write_audio
from llasa_core.voices import shipped_voices
from verifiers import registry
from verifiers.base import Target

VOICES = {voice.name: voice for voice in shipped_voices()}
SLT, AWB = VOICES["slt"], VOICES["awb"]


@pytest.fixture
def silent(tmp_path: Path) -> Path:
    path = tmp_path / "silent.wav"
    write_audio(path, np.zeros(16_000, np.float32))
    return path


@pytest.fixture
def scored(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs `score` and returns what it prints to stdout."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> str:
        capsys.readouterr()
        assert cli.main(["score", *map(str, arguments)]) == 0
        return capsys.readouterr().out

    return run


def test_a_table_with_means(scored: Callable[..., str]) -> None:
    """By default those of the nano preset that have what they need; the scores are those of the library."""
    shown = scored(SLT.path, AWB.path, "--text", SLT.text, "--reference", SLT.path).splitlines()
    assert shown[0].split() == ["file", "WER", "SIM", "seconds"]
    assert [line.split()[0] for line in shown[1:3]] == [str(SLT.path), str(AWB.path)]
    target = Target(text=SLT.text, reference=read_audio(SLT.path))
    for column, spec in ((1, "whisper:nano"), (2, "wavlm-sv:nano")):
        scores = registry.load(spec).score([read_audio(SLT.path), read_audio(AWB.path)], target)
        assert [line.split()[column] for line in shown[1:3]] == [f"{score.value:.3f}" for score in scores]
    assert [line.split()[:2] for line in shown[3:5]] == [["mean", "WER"], ["mean", "SIM"]]
    assert all(line.endswith("(n=2)") and "[" in line for line in shown[3:5])
    assert shown[5].startswith("catastrophic by WER ") and "(n=2)" in shown[5]


def test_one_file_and_what_was_heard(scored: Callable[..., str]) -> None:
    shown = scored(SLT.path, "--text", SLT.text)
    assert "SIM" not in shown
    assert "mean" not in shown
    assert f"heard by whisper:nano: {SLT.text}" in shown


def test_verifiers_of_speech_tokens_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["score", str(SLT.path), "--text", SLT.text, "--verifier", "likelihood"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: likelihood") and "speech tokens of a search" in error
    assert len(error.splitlines()) == 1


def test_catastrophic_failures_are_named_and_counted(
    scored: Callable[..., str], silent: Path, tmp_path: Path
) -> None:
    shown = scored(silent, SLT.path, "--text", SLT.text, "--verifier", "whisper:nano")
    assert "catastrophic by WER 0.500 [0.095, 0.905] (n=2): 1 empty" in shown
    found = json.loads(scored(SLT.path, "--text", "a quite different thing", "--json", "-"))
    assert "mostly wrong" in found["files"][0]["failures"]["whisper:nano"]
    assert found["verifiers"][0]["catastrophic"]["mean"] == 1.0
    assert "catastrophic by whisper:nano: " in scored(SLT.path, "--text", "a quite different thing")


def test_the_best_first(scored: Callable[..., str], silent: Path) -> None:
    files = (silent, AWB.path, SLT.path)
    given = ("--text", SLT.text, "--reference", SLT.path)
    shown = scored(*files, *given, "--select", "wer<=0,sim")
    assert [line.split()[0] for line in shown.splitlines()[1:4]] == [str(path) for path in reversed(files)]
    assert "- (the audio is silent)" in shown
    assert "(n=3), 1 of them could not be judged and count as the worst" in shown
    assert "constraints" not in shown
    assert f"front: {SLT.path}\n" in scored(*files, *given, "--select", "pareto(wer,sim)")
    assert "no file meets all constraints" in scored(*files, *given, "--select", "wer<=-1,sim")


def test_everything_as_json(scored: Callable[..., str], silent: Path) -> None:
    found = json.loads(
        scored(
            *(silent, SLT.path, "--text", SLT.text, "--json", "-"),
            *(
                "--verifier",
                "whisper",
                "--verifier",
                "hubert-ctc:nano?name=letters",
                "--select",
                "wer,letters",
            ),
        )
    )
    best, worst = found["files"]
    assert (best["file"], best["text"]) == (str(SLT.path), SLT.text)
    assert best["scores"]["whisper:nano"]["value"] == 0.0
    assert best["scores"]["whisper:nano"]["evidence"]["transcript"] == SLT.text
    assert best["scores"]["hubert-ctc:nano?name=letters"]["evidence"]["heard_at"]
    assert worst["file"] == str(silent)
    assert (worst["scores"]["whisper:nano"]["usable"], worst["seconds"]) == (False, 1.0)
    first, second = found["verifiers"]
    assert (first["spec"], first["metric"], first["unusable"]) == ("whisper:nano", "wer", 1)
    assert (second["metric"], second["mean"]["n"]) == ("letters", 2)
    assert first["mean"]["mean"] == pytest.approx(0.5)
    assert found["selection"] == {"select": "wer,letters", "satisfied": True, "front": []}


def test_two_verifiers_of_one_metric_are_told_apart(scored: Callable[..., str]) -> None:
    shown = scored(
        *(SLT.path, AWB.path, "--text", SLT.text, "--verifier", "whisper", "--verifier", "hubert-ctc")
    )
    assert shown.split()[:4] == ["file", "whisper:nano", "hubert-ctc:nano", "seconds"]


def test_a_list_of_texts(scored: Callable[..., str], tmp_path: Path) -> None:
    """Relative to the list; the files of the list if none are given; digits are spelled."""
    for voice in (SLT, AWB):
        write_audio(tmp_path / f"{voice.name}.wav", read_audio(voice.path))
    texts = tmp_path / "texts.txt"
    texts.write_text(f"slt.wav|{SLT.text}\n\n{tmp_path / 'awb.wav'}|{AWB.text}\n", encoding="utf-8")
    found = json.loads(scored("--texts", texts, "--json", "-"))
    assert [Path(entry["file"]).name for entry in found["files"]] == ["slt.wav", "awb.wav"]
    assert [entry["text"] for entry in found["files"]] == [SLT.text, AWB.text]
    for entry, voice in zip(found["files"], (SLT, AWB), strict=True):
        [alone] = registry.load("whisper").score([read_audio(voice.path)], Target(text=voice.text))
        assert entry["scores"]["whisper:nano"]["value"] == alone.value
    one = json.loads(scored(tmp_path / "awb.wav", "--texts", texts, "--json", "-"))
    assert [Path(entry["file"]).name for entry in one["files"]] == ["awb.wav"]
    spelled = json.loads(scored(SLT.path, "--text", "21 trains", "--json", "-"))
    assert spelled["files"][0]["text"] == "twenty one trains"


def test_partial_audio_is_judged_by_the_best_prefix(scored: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "half.wav"
    write_audio(path, read_audio(SLT.path)[:32_000])
    whole, part = (
        json.loads(scored(path, "--text", SLT.text, "--json", "-", *more))["files"][0]["scores"][
            "whisper:nano"
        ]
        for more in ((), ("--partial",))
    )
    assert part["value"] < whole["value"]
    assert 0 < part["evidence"]["position"] < len(SLT.text.split())


@pytest.mark.usefixtures("plain_kinds")
def test_kinds_that_say_nothing_of_themselves_judge_too(scored: Callable[..., str]) -> None:
    assert "SIM" in scored(SLT.path, "--reference", SLT.path, "--verifier", "level")


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs `score` where no model can be loaded and returns the line that refuses the arguments."""

    def no_model(*_: object, **__: object) -> None:
        raise AssertionError("a model is loaded for input that is refused")

    monkeypatch.setattr(registry, "load", no_model)

    def run(*arguments: object) -> str:
        capsys.readouterr()
        code = cli.main(["score", *map(str, arguments)])
        shown = capsys.readouterr()
        assert (code, shown.out) == (2, "")
        lines = shown.err.strip().splitlines()
        assert len(lines) == 1, shown.err
        assert lines[0].startswith("error: ")
        return lines[0]

    return run


def test_files_that_cannot_be_read(refused: Callable[..., str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF and then no audio")
    assert f"{tmp_path / 'none.wav'} does not exist" in refused(
        SLT.path, tmp_path / "none.wav", "--text", "a train"
    )
    assert f"{broken} cannot be read" in refused(SLT.path, "--reference", broken)
    assert "cannot be read" in refused(broken, "--text", "a train")
    assert "no audio files" in refused("--text", "a train")


def test_targets_that_are_missing(refused: Callable[..., str], silent: Path) -> None:
    assert "nothing to judge by: give --text" in refused(SLT.path)
    assert "needs text to judge against: add --text TEXT or --texts" in refused(
        SLT.path, "--verifier", "whisper"
    )
    line = refused(SLT.path, "--text", "a train", "--verifier", "wavlm-sv:nano?batch=2")
    assert "wavlm-sv:nano?batch=2 needs reference to judge against: add --reference WAV" in line
    assert "--reference cannot be used by wavlm-sv:nano (the audio is silent)" in refused(
        SLT.path, "--reference", silent
    )


def test_specs_and_rules(refused: Callable[..., str]) -> None:
    given = (SLT.path, "--text", "a train", "--reference", SLT.path)
    assert "did you mean 'whisper'" in refused(*given, "--verifier", "wisper")
    assert "no option 'batsh'" in refused(*given, "--verifier", "whisper?batsh=2")
    assert "given twice" in refused(*given, "--verifier", "whisper", "--verifier", "whisper:nano")
    assert "did you mean 'sim'" in refused(*given, "--select", "wer<=0,simm")
    assert "two rules" in refused(*given, "--select", "ranks(wer),sim")
    both = ("--verifier", "whisper", "--verifier", "hubert-ctc")
    assert "the second that measures wer: name it" in refused(*given, *both, "--select", "wer")
    assert "warp" in refused(*given, "--device", "warp")


def test_texts(refused: Callable[..., str], tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    assert "does not exist" in refused("--texts", texts)
    for content, says in (
        (f"{SLT.path}|a train\n", f"no text for {AWB.path}: add a line awb.wav|its text"),
        (f"{AWB.path} a train\n", "line 1: write path|text"),
        (f"{AWB.path}|\n", "line 1: write path|text"),
        (f"{AWB.path}|a\n{AWB.path}|b\n", "line 2: "),
        (f"{AWB.path}|?!\n", "no letter or digit"),
    ):
        texts.write_text(content, encoding="utf-8")
        assert says in refused(AWB.path, "--texts", texts)
    texts.write_bytes(b"\xff\xfe|\x00")
    assert "not UTF-8" in refused(AWB.path, "--texts", texts)
    assert "contradicts" in refused(AWB.path, "--texts", texts, "--text", "a train")
    assert "the text is empty" in refused(AWB.path, "--text", "  ")
    texts.write_text("gone.wav|a train\n", encoding="utf-8")
    assert f"{tmp_path / 'gone.wav'} does not exist" in refused("--texts", texts)


def test_a_verifier_has_the_last_word(capsys: pytest.CaptureFixture[str]) -> None:
    """What only the loaded model knows is refused in the same way."""
    assert cli.main(["score", str(SLT.path), "--text", "ein Zug", "--language", "de"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "error: whisper:nano knows 'en' only" in shown.err


def test_the_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["score", "--help"]) == 0
    shown = capsys.readouterr().out
    for expected in ("llasa-search score a.wav b.wav --text", '"pareto(sim,wer)"', "path|text"):
        assert expected in shown
