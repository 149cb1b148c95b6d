"""Bad input: one clear line, exit code 2, nothing written, no model loaded."""

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile

from experiments.cli import main as cli
from llasa_core.audio import write_audio
from tests.tiny import build_llama, build_tokenizer

TEXT = "seven green birds"


@pytest.fixture
def refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tiny_generator: Path,
    tiny_codec: Path,
) -> Callable[..., str]:
    """Runs `synth` with the arguments in an empty folder and returns the line that refuses them."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def no_model(*_: object, **__: object) -> None:
        raise AssertionError("a model is loaded for input that is refused")

    monkeypatch.setattr("llasa_core.lm.speech_lm.load_model", no_model)
    monkeypatch.setattr("llasa_core.codec.codec.load_model", no_model)

    def run(*arguments: str, models: bool = True) -> str:
        sources = ["--generator", str(tiny_generator), "--codec", str(tiny_codec)]
        capsys.readouterr()
        code = cli.main(["synth", *arguments, "--no-judge", *(sources if models else [])])
        shown = capsys.readouterr()
        assert code == 2
        assert shown.out == ""
        lines = shown.err.strip().splitlines()
        assert len(lines) == 1, shown.err
        assert lines[0].startswith("error: ")
        assert list(work.iterdir()) == []
        return lines[0]

    return run


@pytest.fixture
def search_parts(voice_file: Path) -> list[str]:
    """A voice and a verifier without a model: what is left is the input under test."""
    return ["--prompt-audio", str(voice_file), "--prompt-text", "a buzz", "--verifier", "crossings"]


@pytest.mark.parametrize(
    ("text", "says"), [("", "empty"), ("   ", "empty"), ("?!...", "no letter"), ("a <|s_3|> b", "marker")]
)
def test_text(refused: Callable[..., str], search_parts: list[str], text: str, says: str) -> None:
    assert says in refused(text, *search_parts)


@pytest.mark.usefixtures("plain_kinds")
def test_text_too_long_for_the_context(refused: Callable[..., str], search_parts: list[str]) -> None:
    line = refused("word " * 500, *search_parts)
    assert re.search(r"context is 2048", line)
    assert "shorten" in line


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.wav", "does not exist"),
        ("empty.wav", "empty"),
        ("header.wav", "no samples"),
        ("corrupt.wav", "cannot be read"),
        ("silent.wav", "silent"),
        ("short.wav", "0.10 s"),
        ("long.wav", "60.0 s"),
    ],
)
def test_prompt_audio(refused: Callable[..., str], tmp_path: Path, name: str, says: str) -> None:
    rng = np.random.default_rng(0)
    noise = (0.1 * rng.standard_normal(60 * 16_000)).astype(np.float32)
    (tmp_path / "empty.wav").touch()
    (tmp_path / "corrupt.wav").write_bytes(b"RIFF and then no audio at all")
    soundfile.write(tmp_path / "header.wav", noise[:0], 16_000)
    write_audio(tmp_path / "silent.wav", 0 * noise[:32_000])
    write_audio(tmp_path / "short.wav", noise[:1_600])
    write_audio(tmp_path / "long.wav", noise)
    line = refused(TEXT, "--prompt-audio", str(tmp_path / name), "--prompt-text", "noise")
    assert says in line


def test_half_a_voice_prompt(refused: Callable[..., str], voice_file: Path) -> None:
    assert "--prompt-text" in refused(TEXT, "--prompt-audio", str(voice_file))
    assert "--prompt-text" in refused(TEXT, "--prompt-audio", str(voice_file), "--prompt-text", " ")
    assert "--prompt-audio" in refused(TEXT, "--prompt-text", "a buzz")
    assert "--no-prompt contradicts" in refused(TEXT, "--no-prompt", "--prompt-audio", str(voice_file))


def test_unknown_names(refused: Callable[..., str], search_parts: list[str]) -> None:
    voice = search_parts[:4]
    assert "did you mean 'nano'" in refused(TEXT, *voice, "--preset", "nan")
    assert "did you mean 'llasa-1b'" in refused(TEXT, *voice, "--preset", "lasa1b")
    assert "did you mean 'whisper'" in refused(TEXT, *voice, "--verifier", "wisper:nano")
    assert "unknown verifier 'warble'" in refused(TEXT, *voice, "--verifier", "warble")


@pytest.mark.usefixtures("plain_kinds")
def test_selection(refused: Callable[..., str], search_parts: list[str]) -> None:
    assert "'sim'" in refused(TEXT, *search_parts, "--select", "wer<=0,sim")
    assert "bound" in refused(TEXT, *search_parts, "--select", "wer<=x,wer")
    assert "second verifier that measures wer" in refused(TEXT, *search_parts, "--verifier", "crossings:b")
    assert "voice prompt" in refused(TEXT, "--no-prompt", "--verifier", "level")


@pytest.mark.usefixtures("plain_kinds")
def test_emotion(
    refused: Callable[..., str], search_parts: list[str], voice_file: Path, tmp_path: Path
) -> None:
    mood = [*search_parts[:4], "--verifier", "mood"]
    assert "give --emotion LABEL" in refused(TEXT, *mood)
    assert "give --emotion LABEL" in refused(TEXT, *mood, "--emotion-audio", str(voice_file))
    assert "emotion is empty" in refused(TEXT, *mood, "--emotion", " ")
    assert "no verifier judges by it" in refused(TEXT, *search_parts, "--emotion", "happy")
    assert "no verifier judges by it" in refused(TEXT, *search_parts, "--emotion-audio", str(voice_file))
    assert "does not exist" in refused(TEXT, *search_parts, "--emotion-audio", str(tmp_path / "no.wav"))
    write_audio(tmp_path / "short.wav", np.full(1600, 0.1, np.float32))
    line = refused(TEXT, *search_parts, "--emotion-audio", str(tmp_path / "short.wav"))
    assert "emotion audio lasts 0.10 s" in line
    for emotion, says in (
        ("happy=0.7,sad=0.6", "sum to 1.3"),
        ("happy=0.5,arousal=0.5", "mixes labels and dimensions"),
        ("happy@2", "strength=2"),
    ):
        assert says in refused(TEXT, *mood, "--emotion", emotion)
    line = refused(TEXT, *search_parts, "--emotion", "arousal=0.8,valence=0.3")
    assert line.endswith("no verifier judges by it: add --verifier 'dimensional'")
    assert "add the emotion" in refused(TEXT, *search_parts, "--emotion-strength", "0.7")
    assert "leave one out" in refused(TEXT, *mood, "--emotion", "happy@0.5", "--emotion-strength", "0.7")


@pytest.mark.skipif(find_spec("librosa") is None, reason="librosa is not installed")
def test_a_clip_without_speech(refused: Callable[..., str], voice_file: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
    write_audio(tmp_path / "noise.wav", noise)
    clip = ("--emotion-audio", str(tmp_path / "noise.wav"))
    voice = ("--prompt-audio", str(voice_file), "--prompt-text", "a buzz")
    mimic = ("--verifier", "wavlm-sv:nano?reference=emotion")
    assert "the emotion audio holds no speech" in refused(TEXT, *voice, *mimic, *clip)


@pytest.mark.skipif(find_spec("funasr") is None, reason="funasr is not installed")
@pytest.mark.processes
def test_an_unknown_emotion_is_answered_with_the_nearest(refused: Callable[..., str]) -> None:
    assert "unknown emotion 'sda': did you mean 'sad'?" in refused(TEXT, "--emotion", "sda")
    assert "did you mean 'happy'?" in refused(TEXT, "--emotion", "sad=0.5,hapy=0.2")


@pytest.mark.usefixtures("plain_kinds")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-n", "0"], "at least 1"),
        (["-n", "-2"], "at least 1"),
        (["-n", "many"], "-n"),
        (["--seed", "-1"], "seed"),
        (["--temperature", "-0.5"], "temperature"),
        (["--temperature", "nan"], "temperature"),
        (["--top-p", "0"], "top-p"),
        (["--top-k", "-1"], "top-k"),
        (["--min-p", "2"], "min-p"),
        (["--repetition-penalty", "0"], "repetition-penalty 0: give"),
        (["--memory", "0"], "--memory"),
        (["--max-seconds", "0"], "max-seconds"),
        (["--max-seconds", "300"], "max-seconds"),
        (["--device", "warp"], "warp"),
        (["--colour", "red"], "--colour"),
        (["--ray", "0"], "--ray 0"),
        (["--ray", "many"], "--ray many"),
        (["--ray-timeout", "5"], "--ray-timeout without --ray"),
        (["--ray", "2", "--ray-timeout", "0"], "--ray-timeout 0: give"),
        (["--ray", "2", "--ray-gpus", "1.5"], "gpus=1.5"),
    ],
)
def test_numbers(
    refused: Callable[..., str], search_parts: list[str], arguments: list[str], says: str
) -> None:
    assert says in refused(TEXT, *search_parts, *arguments)


@pytest.mark.usefixtures("plain_kinds")
def test_outputs(refused: Callable[..., str], search_parts: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "no folder" in refused(TEXT, *search_parts, "-o", str(tmp_path / "file/out.wav"))
    assert "cannot write in /proc" in refused(TEXT, *search_parts, "-o", "/proc/out.wav")
    assert "is a folder" in refused(TEXT, *search_parts, "-o", str(tmp_path))
    assert "ends in .wav" in refused(TEXT, *search_parts, "-o", "out.mp3")
    assert "cannot write in /proc" in refused(TEXT, *search_parts, "--json", "/proc/result.json")
    assert "no folder" in refused(TEXT, *search_parts, "--candidates", str(tmp_path / "file"))
    assert "give two" in refused(TEXT, *search_parts, "--json", "out.wav")


@pytest.mark.usefixtures("plain_kinds")
def test_models(refused: Callable[..., str], search_parts: list[str], tmp_path: Path) -> None:
    plain = tmp_path / "plain-llama"
    tokenizer = build_tokenizer(0)
    build_llama(len(tokenizer)).save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    line = refused(TEXT, *search_parts, "--generator", str(plain), models=False)
    assert "no speech tokens" in line
    (tmp_path / "nothing").mkdir()
    line = refused(TEXT, *search_parts, "--generator", str(tmp_path / "nothing"), models=False)
    assert "config.json" in line
    line = refused(TEXT, *search_parts, "--generator", "no such model", models=False)
    assert "no hub id" in line


@pytest.mark.processes
def test_the_process_itself_answers_quickly_and_without_a_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "experiments.cli.main", "synth", TEXT, "-n", "zero"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


@pytest.mark.processes
def test_help_and_bad_usage_import_no_model_library() -> None:
    program = (
        "import sys\nfrom experiments.cli import main as cli\n"
        "assert cli.main(['synth', '', '--no-prompt']) == 2\n"
        "found = {'torch', 'transformers', 'whisper', 'numba'} & set(sys.modules)\nassert not found, found\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
