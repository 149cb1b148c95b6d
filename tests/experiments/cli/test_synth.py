"""`synth` from end to end with tiny random models of the real classes."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.cli import main as cli
from experiments.interrupts import SIGNALS
from llasa_core.audio import read_audio
from tests.verifiers.models.tiny_dimensional import write_dimensional
from tests.verifiers.tiny_verifiers import write_hubert, write_wavlm, write_whisper

SOURCES = ["--verifier", "crossings", "--verifier", "level", "--judge", "crossings:held-out"]

MOMENTS = ("LocalBackend.open", "Outputs.stage", "wav_bytes", "Outputs.publish")
"""Functions of `synth` that are just about to begin."""


@pytest.fixture
def command(voice_file: Path, tiny_generator: Path, tiny_codec: Path) -> list[str]:
    return [
        "synth",
        "Seven birds in 2 trees.",
        *("--prompt-audio", str(voice_file), "--prompt-text", "a buzz"),
        *("--generator", str(tiny_generator), "--codec", str(tiny_codec)),
        *SOURCES,
        *("-n", "3", "--seed", "5"),
    ]


@pytest.mark.usefixtures("plain_kinds")
def test_it_speaks(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, folder, report = tmp_path / "new/out.wav", tmp_path / "all", tmp_path / "result.json"
    folder.mkdir()
    (folder / "candidate-007.wav").write_text("of a larger run")
    (folder / "notes.txt").write_text("not ours")
    files = ["-o", str(out), "--candidates", str(folder), "--json", str(report)]
    assert cli.main([*command, *files]) == 0
    shown = capsys.readouterr()
    assert "WER" in shown.out
    assert "SIM" in shown.out
    assert "winner: candidate" in shown.out
    assert "tokens generated" in shown.out

    result = json.loads(report.read_text())
    winner = result["candidates"][result["winner"]]
    assert winner["rank"] == 0
    assert len(result["candidates"]) == 3
    assert all("crossings:held-out" in candidate["judged"] for candidate in result["candidates"])
    best = min(result["candidates"], key=lambda c: (max(0.0, c["scores"]["wer"]["value"]), c["number"]))
    assert best["number"] == winner["number"]
    waveform = read_audio(out)
    assert len(waveform) == 320 * len(winner["tokens"])
    np.testing.assert_array_equal(waveform, read_audio(folder / f"candidate-{winner['number']:03d}.wav"))
    names = ["candidate-000.wav", "candidate-001.wav", "candidate-002.wav", "notes.txt"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all", "new", "result.json"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(out.stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE(report.stat().st_mode) == 0o666 & ~umask


def test_real_verifiers_judge(command: list[str], tmp_path: Path) -> None:
    """Whisper and WavLM search, HuBERT-CTC judges: the real classes, tiny and random."""
    specs = {
        "whisper": f"whisper:{write_whisper(tmp_path / 'whisper')}",
        "wavlm": f"wavlm-sv:{write_wavlm(tmp_path / 'wavlm')}",
        "hubert": f"hubert-ctc:{write_hubert(tmp_path / 'hubert')}",
    }
    report = tmp_path / "result.json"
    arguments = [part for part in command if part not in SOURCES]
    assert len(arguments) == len(command) - len(SOURCES)
    arguments += ["--verifier", specs["whisper"], "--verifier", specs["wavlm"], "--judge", specs["hubert"]]
    assert cli.main([*arguments, "-o", str(tmp_path / "out.wav"), "--json", str(report)]) == 0
    result = json.loads(report.read_text())
    assert result["manifest"]["strategy"]["select"] == "wer<=0,sim"
    assert [found["spec"] for found in result["manifest"]["models"]["verifiers"]] == [
        specs["whisper"],
        specs["wavlm"],
    ]
    assert all(len(found["sha256"]) == 64 for found in result["manifest"]["models"]["verifiers"])
    for candidate in result["candidates"]:
        assert set(candidate["scores"]) == {"wer", "sim"}
        assert candidate["scores"]["wer"]["value"] >= 0.0
        assert set(candidate["judged"]) == {specs["hubert"]}
    assert set(result["ledger"]["seconds_scored"]) == {"wer", "sim"}
    assert set(result["ledger"]["seconds_judged"]) == {specs["hubert"]}


@pytest.mark.parametrize(("arousal", "code"), [(0.9, 3), (0.15, 0)])
def test_axes_of_emotion_that_are_not_reached_are_said(
    arousal: float, code: int, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tiny random model finds an arousal near 0.15 in what the tiny generator says."""
    out, file, page = (tmp_path / name for name in ("out.wav", "result.json", "page.html"))
    arguments = [part for part in command if part not in SOURCES]
    arguments += ["--verifier", f"dimensional:{write_dimensional(tmp_path / 'dimensional')}"]
    arguments += ["--emotion", f"arousal={arousal}", "--no-judge", "-n", "1", "--max-seconds", "2"]
    assert cli.main([*arguments, "-o", str(out), "--json", str(file), "--report", str(page)]) == code
    shown = " ".join(capsys.readouterr().out.split())
    result = json.loads(file.read_text())
    found = result["candidates"][0]["scores"]["emo-dim"]["evidence"]
    told = f"arousal {found['arousal']:.2f} for {arousal:.2f}"
    assert (result["missed_emotion"], result["satisfied"]) == (told if code else "", not code)
    assert (f"not reached: {told}" in shown) == bool(code)
    assert (f"Not reached: {told}" in page.read_text("utf-8")) == bool(code)


def test_the_benchmark_measures_every_part(
    tmp_path: Path,
    tiny_generator: Path,
    tiny_codec: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from experiments.bench import __main__ as bench
    from llasa_core.presets import PRESETS, Preset

    spec = f"wavlm-sv:{write_wavlm(tmp_path / 'wavlm')}"
    tiny = Preset("tiny", str(tiny_generator), str(tiny_codec), (spec,), (), "", "")
    monkeypatch.setitem(PRESETS, "tiny", tiny)
    monkeypatch.setenv("COLUMNS", "200")
    assert bench.main(["--preset", "tiny", "--rows", "1,2", "--tokens", "8", "--pairs", "2"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    first = lines.index(
        ["rows", "tokens/s", "real-time", "factor", "GB/s", "of", "a", "copy", "x", "generate"]
    )
    assert [line[0] for line in lines[first + 1 : first + 3]] == ["1", "2"]
    for line in lines[first + 1 : first + 3]:
        ratio, low, high = (float(part.strip("[],")) for part in line[-3:])
        assert float(line[1]) > 0 and 0 < low <= ratio <= high
    assert lines[first + 3][:7] == ["fork", "of", "16", "rows", "of", "500", "tokens:"]
    assert lines[first + 4][:2] == ["peak", "memory"]
    parts = [" ".join(line[:-5]) for line in lines[first + 7 :]]
    assert parts == ["codec encode", *["codec decode"] * 2, *[spec] * 2]
    for wrong in (
        ["--rows", "1,no"],
        ["--preset", "tinny"],
        ["--tokens", "0"],
        ["--pairs", "0"],
        ["--device", "warp"],
        ["--threads", "-1"],
    ):
        assert bench.main(wrong) == 2


@pytest.mark.usefixtures("plain_kinds")
def test_the_manifest_makes_the_result_again(command: list[str], tmp_path: Path) -> None:
    results = []
    for name in ("a", "b"):
        report = tmp_path / f"{name}.json"
        assert cli.main([*command, "-o", str(tmp_path / f"{name}.wav"), "--json", str(report)]) == 0
        results.append(json.loads(report.read_text()))
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    assert results[0]["manifest"] == results[1]["manifest"]
    assert results[0]["candidates"] == results[1]["candidates"]


@pytest.mark.usefixtures("plain_kinds")
def test_words_that_were_not_trained_on_are_announced(
    command: list[str], tmp_path: Path, tiny_generator: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tiny_generator / "trained_words.txt"
    words.write_text("seven\nin\ntwo\nbirds\n")
    try:
        assert cli.main([*command, "-n", "1", "-o", str(tmp_path / "out.wav")]) == 0
    finally:
        words.unlink()
    announced = [line for line in capsys.readouterr().err.splitlines() if "trained on" in line]
    assert announced == ["not among the words that this model was trained on: trees"]


@pytest.mark.usefixtures("plain_kinds")
def test_generator_and_codec_have_to_belong_together(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.tiny import build_codec

    other = build_codec(tmp_path / "codec", levels=(4, 4, 4))
    assert cli.main([*command, "--codec", str(other), "-o", str(tmp_path / "out.wav")]) == 2
    assert "belong together" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["codec"]


@pytest.mark.usefixtures("plain_kinds")
def test_an_interrupt_leaves_nothing(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from search.engine import Searcher

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Searcher, "run", interrupted)
    assert cli.main([*command, "-o", str(tmp_path / "out.wav"), "--candidates", str(tmp_path / "all")]) == 130
    assert list(tmp_path.iterdir()) == []
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("moment", "number"),
    [*((moment, signal.SIGINT) for moment in MOMENTS), *zip(MOMENTS[1:], SIGNALS[1:], strict=True)],
)
def test_a_signal_ends_the_process_with_one_line_and_nothing_half_done(
    moment: str, number: signal.Signals, command: list[str], tmp_path: Path
) -> None:
    """The real signal in the real process: as candidates are generated, and in the midst of writing."""
    places = {"LocalBackend": "search.backends.local", "Outputs": "experiments.files"}
    owner, _, name = moment.rpartition(".")
    program = (
        "import importlib, os, signal, sys\n"
        "from tests.plain_verifiers import KINDS\nfrom verifiers import registry\n"
        "registry.BUILT_IN = {**registry.BUILT_IN, **KINDS}\n"
        f"owner = importlib.import_module({places.get(owner, 'experiments.cli.speak')!r})\n"
        + (f"owner = owner.{owner}\n" if owner else "")
        + f"inner = owner.{name}\n"
        "def outer(*given):\n"
        f"    os.kill(os.getpid(), {int(number)})\n    return inner(*given)\n"
        f"owner.{name} = outer\n"
        "from experiments.cli.main import main\nsys.exit(main())\n"
    )
    arguments = [*command, "-n", "2", "-o", str(tmp_path / "out.wav"), "--json", str(tmp_path / "r.json")]
    arguments += ["--candidates", str(tmp_path / "all")]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 128 + number, done.stderr
    assert "Traceback" not in done.stderr and "winner" not in done.stdout
    last = done.stderr.splitlines()[-1]
    assert last == ("interrupted" if number == signal.SIGINT else f"ended by {number.name}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.processes
def test_version_and_models(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("llasa-search ")
    assert cli.main(["models"]) == 0
    table = capsys.readouterr().out
    for expected in (
        "nano",
        "llasa-1b",
        "HKUSTAudio/Llasa-8B",
        "CC BY-NC 4.0",
        "wavlm-sv:nano",
        "hubert-ctc:nano",
        "Apache-2.0",
    ):
        assert expected in table
