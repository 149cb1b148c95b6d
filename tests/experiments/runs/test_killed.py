"""The real process, with the shipped models: killed, or interrupted, at random moments; and gone on with."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from experiments.cli import main as cli
from tests.experiments.runs.test_run import lasting

TEXTS = [
    "one bird",
    "two birds",
    "a red ship",
    "the old wall",
    "we saw it",
    "green trees",
    "the lake",
    "my book",
]


SEARCH = ["-n", "2", "--verifier", "wavlm-sv:nano", "--select", "sim", "--no-judge", "--in-flight", "2"]


class Process:
    """`llasa-search run` in a process of its own."""

    def __init__(self, source: Path, out: Path, *options: str) -> None:
        command = [sys.executable, "-m", "experiments.cli.main", "run", str(source), "-o", str(out)]
        self.process = subprocess.Popen(
            [*command, *SEARCH, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def end(self) -> tuple[int, str]:
        """Exit code, and all that was printed."""
        printed = "".join(self.process.communicate(timeout=280))
        return self.process.returncode, printed


def lines(out: Path) -> list[str]:
    """Whole records so far."""
    path = out / "records.jsonl"
    return (
        [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
        if path.exists()
        else []
    )


def kill_and_resume(
    folder: Path,
    texts: list[str],
    signals: list[signal.Signals],
    seed: int,
    capsys: pytest.CaptureFixture[str],
    *options: str,
) -> int:
    """Every process ends at a random moment, and the next goes on; then all is as if one process had done it,
    and none has done again what had a record. How many processes were ended before they were done."""
    moment = random.Random(seed)
    source, out = folder / "in.txt", folder / "killed"
    source.write_text("\n".join(texts))
    kept: list[str] = []
    ended = 0
    for number in signals:
        running = Process(source, out, "--resume", *options)
        more = moment.randint(0, 1)  # 0: as likely while models are loaded as while they speak
        while running.process.poll() is None and not (
            (out / "run.json").exists() and len(lines(out)) >= len(kept) + more
        ):
            time.sleep(0.01)
        time.sleep(moment.uniform(0, 0.3 if more else 4))
        running.process.send_signal(number)
        code, printed = running.end()
        assert code in (0, -signal.SIGKILL if number == signal.SIGKILL else 130), printed
        assert "Traceback" not in printed
        ended += code != 0
        now = lines(out)
        assert now[: len(kept)] == kept
        kept = now
    told = {
        path: path.stat().st_mtime_ns for path in map(out.joinpath, (json.loads(k)["audio"] for k in kept))
    }
    capsys.readouterr()
    assert cli.main(["run", str(source), "-o", str(out), *SEARCH, "--resume", *options]) == 0
    assert f"{len(texts) - len(kept)} to do" in capsys.readouterr().err
    found = lines(out)
    assert found[: len(kept)] == kept
    assert sorted(json.loads(line)["text"] for line in found) == sorted(texts)
    assert told == {path: path.stat().st_mtime_ns for path in told}
    assert sorted(os.listdir(out / "audio")) == [f"{k:06d}.wav" for k in range(1, len(texts) + 1)]
    assert cli.main(["run", str(source), "-o", str(folder / "at once"), *SEARCH]) == 0
    alone = "--ray" not in options
    assert lasting(out, alone=alone) == lasting(folder / "at once", alone=alone)
    for path in (out / "audio").iterdir():
        assert path.read_bytes() == (folder / "at once/audio" / path.name).read_bytes()
    return ended


def test_killed_three_times_and_interrupted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    signals = [signal.SIGKILL, signal.SIGINT, signal.SIGKILL, signal.SIGKILL]
    assert kill_and_resume(tmp_path, TEXTS * 2, signals, 0, capsys) >= 3


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_ten_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kill_and_resume(tmp_path, TEXTS * 10, [signal.SIGKILL] * 10, 1, capsys) == 10


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_ten_times_with_its_actors_in_other_processes(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """The run to compare with has no actors, and as many threads as one has: rounding depends on it."""
    signals = [signal.SIGKILL] * 10
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # for the processes that are started
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    request.addfinalizer(lambda: torch.set_num_threads(threads))
    assert kill_and_resume(tmp_path, TEXTS * 10, signals, 2, capsys, "--ray", "2", "--ray-threads", "1") == 10
