"""`sweep` and `eval` by two actors of Ray, as users start them: what they write is what one process writes,
but for costs: an actor that takes over a part of a search runs its prompt too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas
import pytest

from experiments.studies import table

pytestmark = [pytest.mark.ray, pytest.mark.models, pytest.mark.processes, pytest.mark.timeout(900)]

RAY = ["--ray", "2", "--ray-threads", "1"]
COSTS = ("wall", "flops", "tokens_prefilled")
VERIFIERS = ["whisper:nano", "wavlm-sv:nano"]
GRID = """\
limit: 2
n: [1, 3]
verifiers: ["whisper:nano", "wavlm-sv:nano"]
judges: ["hubert-ctc:nano"]
keep: winners
strategies:
  - {name: wer, spec: "best-of-n?select=wer,sim"}
  - {name: partial, spec: "partial-prm?prm=sim&select=wer,sim&beams=1&n=2&seconds=0.5"}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A command to its end, in the folder of the test; sums over several threads round otherwise."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")

    def call(*arguments: str) -> str:
        command = [sys.executable, "-m", "experiments.cli.main", *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def without_costs(frame: pandas.DataFrame, folder: Path) -> bytes:
    """The Parquet file of the table with all costs set to 0."""
    directions = frame.attrs["directions"]
    same: pandas.DataFrame = frame.assign(**dict.fromkeys(table.columns(frame, COSTS), 0))
    folder.mkdir()
    return table.write(folder, same, directions).read_bytes()


def test_a_sweep_by_two_actors_is_that_of_one_process(run: Any, tmp_path: Path) -> None:
    (tmp_path / "grid.yaml").write_text(GRID)
    run("sweep", "grid.yaml", "--out", "local")
    run("sweep", "grid.yaml", "--out", "actors", *RAY)
    local, actors = (table.read(tmp_path / name) for name in ("local", "actors"))
    for column in local.columns:
        if column not in table.columns(local, COSTS):
            assert list(map(str, local[column])) == list(map(str, actors[column])), column
    assert (actors["tokens_prefilled"] >= local["tokens_prefilled"]).all() and (actors["flops"] > 0).all()
    first, second = (
        without_costs(frame, tmp_path / f"{name} bare")
        for name, frame in (("local", local), ("actors", actors))
    )
    assert first == second
    audio = {
        name: {path.name: path.read_bytes() for path in (tmp_path / name / "audio").iterdir()}
        for name in ("local", "actors")
    }
    assert audio["local"] and audio["local"] == audio["actors"]
    assert (tmp_path / "actors" / "actors.jsonl").read_text()


@pytest.mark.slow
def test_an_evaluation_by_two_actors_has_the_same_figures(run: Any, tmp_path: Path) -> None:
    ears = ["--ear", "hubert-ctc:nano", "--sim", "none", "--limit", "2", "-n", "2"]
    ears += [word for spec in VERIFIERS for word in ("--verifier", spec)]
    run("eval", "nano-eval", "-o", "local", "--json", "local.json", *ears)
    run("eval", "nano-eval", "-o", "actors", "--json", "actors.json", *ears, *RAY)
    local, actors = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("local", "actors"))
    assert local == actors and local["figures"]
    for path in (tmp_path / "local" / "audio").iterdir():
        assert path.read_bytes() == (tmp_path / "actors" / "audio" / path.name).read_bytes()
