"""A real sweep, killed at random moments: gone on with, its table is that of one process, byte for byte."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas
import pytest

from experiments.studies import table

pytestmark = [pytest.mark.models, pytest.mark.processes]

GRID = """\
limit: 3
n: [1, 2]
verifiers: ["whisper:nano", "wavlm-sv:nano"]
judges: ["hubert-ctc:nano"]
keep: winners
strategies:
  - {name: wer, spec: "best-of-n?select=wer,sim"}
  - {name: particle, spec: "particle?prm=sim&select=wer,sim"}
"""


def begun(grid: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "experiments.cli.main", "sweep", str(grid), "--out", str(out)]
    return subprocess.Popen(
        [*command, "--in-flight", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def whole_lines(out: Path) -> list[bytes]:
    path = out / "searches.jsonl"
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith(b"\n")]


def without_seconds(out: Path, folder: Path) -> bytes:
    """The table with all wall seconds set to 0, written again."""
    frame = table.read(out)
    directions = frame.attrs["directions"]
    frame: pandas.DataFrame = frame.assign(**dict.fromkeys(table.columns(frame, ("wall",)), 0.0))
    folder.mkdir()
    return table.write(folder, frame, directions).read_bytes()


@pytest.mark.parametrize("seed", [0])
def test_killed_and_gone_on_with(seed: int, tmp_path: Path) -> None:
    grid, out, moment = tmp_path / "grid.yaml", tmp_path / "killed", random.Random(seed)
    grid.write_text(GRID)
    kept: list[bytes] = []
    killed = 0
    for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
        running = begun(grid, out)
        more = moment.randint(0, 2)
        while running.poll() is None and len(whole_lines(out)) < len(kept) + more:
            time.sleep(0.01)
        time.sleep(moment.uniform(0, 1))
        running.send_signal(number)
        printed = "".join(running.communicate(timeout=280))
        assert running.returncode in (0, -signal.SIGKILL, 130) and "Traceback" not in printed, printed
        killed += running.returncode != 0
        now = whole_lines(out)
        assert now[: len(kept)] == kept  # nothing is lost, or written over
        kept = now
    last = begun(grid, out)
    printed = "".join(last.communicate(timeout=280))
    assert last.returncode == 0, printed
    assert killed >= 2 and len(whole_lines(out)) == 3 * 3  # one of best-of-2, two of particles, for each text
    alone = begun(grid, tmp_path / "alone")
    assert alone.wait(timeout=280) == 0
    assert without_seconds(out, tmp_path / "a") == without_seconds(tmp_path / "alone", tmp_path / "b")
    names = {path.name: path.read_bytes() for path in (out / "audio").iterdir()}
    assert names == {path.name: path.read_bytes() for path in (tmp_path / "alone" / "audio").iterdir()}
