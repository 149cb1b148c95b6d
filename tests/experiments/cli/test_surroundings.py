"""What is around a command, its streams, its limits, its memory, never ends it with a traceback."""

import io
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from experiments.cli import main as cli

pytestmark = pytest.mark.processes
HOSTILE_ID = "na\u00efve \u65e5\x1b[2J\u202e"


@pytest.fixture
def models(voice_file: Path, tiny_generator: Path, tiny_codec: Path, plain_kinds: None) -> list[str]:
    return [
        *("--generator", str(tiny_generator), "--codec", str(tiny_codec), "--max-seconds", "1"),
        *("--prompt-audio", str(voice_file), "--prompt-text", "a buzz", "-n", "1"),
        *("--verifier", "crossings", "--verifier", "level", "--no-judge"),
    ]


@pytest.fixture
def run(tmp_path: Path, models: list[str]) -> Callable[[], int]:
    """A run of two texts, one of which fails; both have ids that a terminal cannot show."""
    rows = [
        {"id": f"{HOSTILE_ID}1", "text": "one na\u00efve bird"},
        {"id": f"{HOSTILE_ID}2", "text": "two", "prompt_audio": "bad.wav", "prompt_text": "x"},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    import numpy as np

    from llasa_core.audio import write_audio

    write_audio(tmp_path / "bad.wav", np.zeros(32_000, np.float32))
    return lambda: cli.main(["run", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out"), *models])


def records(tmp_path: Path) -> list[str]:
    lines = (tmp_path / "out/records.jsonl").read_text("utf-8").splitlines()
    return sorted(json.loads(line)["status"] for line in lines)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_no_encoding_ends_a_run(
    encoding: str, run: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(err, encoding))
    assert run() == 1
    assert records(tmp_path) == ["done", "failed"]
    for content in (out.getvalue(), err.getvalue()):
        shown = content.decode(encoding)
        assert all(c in "\n\t" or c.isprintable() for c in shown)
    assert "1 of 2 texts done, 1 failed" in out.getvalue().decode(encoding)
    assert "is silent" in out.getvalue().decode(encoding)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """stdout is a pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        yield


@pytest.mark.usefixtures("unread")
def test_a_run_that_nobody_reads_keeps_its_records_and_its_code(
    run: Callable[[], int], tmp_path: Path
) -> None:
    assert run() == 1
    assert records(tmp_path) == ["done", "failed"]
    assert (tmp_path / "out/table.csv").is_file()


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(
    "command", [["--help"], ["synth", "--help"], ["--version"], ["models"], ["verifiers"]]
)
def test_help_that_nobody_reads_is_no_error(command: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(command) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_do_not_become_files(closed: str, tmp_path: Path) -> None:
    """What is opened next would take their number, and what is printed would be written into it."""
    out = tmp_path / "kinds.json"
    command = f"{sys.executable} -m experiments.cli.main verifiers --json {out} {closed}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads(out.read_text())


@pytest.mark.parametrize(
    "command", [["models"], ["--version"], ["synth", "--help"], ["verifiers", "--json", "-"]]
)
def test_a_full_disk_behind_stdout_is_one_line(command: list[str]) -> None:
    with open("/dev/full", "w") as full:
        arguments = [sys.executable, "-m", "experiments.cli.main", *command]
        done = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert (
        done.stderr.startswith("error: ") and "No space left" in done.stderr and done.stderr.count("\n") == 1
    )


@pytest.mark.parametrize("mebibytes", [700, 1024, 1900])
def test_an_address_space_that_is_too_small_is_refused(mebibytes: int, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes * 2**20, mebibytes * 2**20))

    arguments = [sys.executable, "-m", "experiments.cli.main", "synth", "one bird"]
    arguments += ["-o", str(tmp_path / "out.wav")]
    done = subprocess.run(
        arguments, preexec_fn=limit, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2 and done.stdout == ""
    assert "address space is limited" in done.stderr and "ulimit -v unlimited" in done.stderr
    assert done.stderr.count("\n") == 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 9 TiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried"
        ),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB\nand more lines"),
    ],
)
def test_memory_that_runs_out_is_one_line(
    error: Exception,
    models: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def out_of_memory(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("llasa_core.lm.speech_lm.SpeechLM.from_source", out_of_memory)
    assert cli.main(["synth", "one bird", "-o", str(tmp_path / "out.wav"), *models]) == 2
    shown = capsys.readouterr().err.splitlines()
    assert shown[-1].startswith("error: out of memory (") and "--memory" in shown[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["a\ud800b", "\udcff", "a\ufffeb", "\ufdd0 bird", "one\U0001ffff", "a\x00b"])
@pytest.mark.parametrize("option", ["TEXT", "--prompt-text", "--emotion", "--select", "--language"])
def test_text_that_is_no_text_is_refused_before_loading(
    text: str,
    option: str,
    models: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def no_model(*_: object, **__: object) -> None:
        raise AssertionError("a model is loaded for text that is refused")

    monkeypatch.setattr("llasa_core.lm.speech_lm.SpeechLM.from_source", no_model)
    arguments = [text] if option == "TEXT" else ["one bird", option, text]
    assert cli.main(["synth", *models, *arguments]) == 2
    shown = capsys.readouterr().err
    assert "is no character" in shown and shown.count("\n") == 1 and shown.startswith("error: ")
