"""Sweeps with the shipped models: one run of best-of-N against direct runs, and what the folder holds."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.cli import main as cli
from experiments.studies import table
from experiments.studies.nano_eval import nano_eval
from experiments.studies.subsample import subsample
from llasa_core.audio import read_audio
from search.engine import Searcher

pytestmark = pytest.mark.models

HEAD = """\
limit: 2
seeds: [3]
verifiers: ["whisper:nano", "wavlm-sv:nano"]
judges: ["hubert-ctc:nano"]
"""
GRID = f"""\
{HEAD}n: [1, 2, 4, 8]
keep: winners
strategies:
  - {{name: wer, spec: "best-of-n?select=wer,sim"}}
  - {{name: sim, spec: "best-of-n?select=sim"}}
  - {{name: beam, spec: "beam?prm=sim&select=sim&beams=2&n=2"}}
"""
SMALL = f"""\
{HEAD}n: [4]
strategies: [{{name: wer, spec: "best-of-n?select=wer,sim"}}]
"""


def swept(folder: Path, grid: str) -> Path:
    (folder / "grid.yaml").write_text(grid)
    out = folder / "out"
    assert cli.main(["sweep", str(folder / "grid.yaml"), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return swept(tmp_path_factory.mktemp("sweep"), GRID)


def test_sub_sampled_best_of_4_is_a_direct_run_of_best_of_4(folder: Path) -> None:
    frame = table.read(folder)
    searcher = Searcher.from_preset("nano", verifiers=("whisper:nano", "wavlm-sv:nano"), judges=())
    for name, select in (("wer", "wer,sim"), ("sim", "sim")):
        for row in nano_eval(2):
            own = frame[(frame["series"] == f"nano {name}") & (frame["n"] == 4)]
            own = own[own["utterance"] == row.id].sort_values("candidate")
            request = replace(row, seed=3).request()
            direct = searcher.run(request, f"best-of-n?n=4&wide=1&select={select}")
            assert [list(codes) for codes in own["codes"]] == [list(one.tokens) for one in direct.candidates]
            assert own["rank"].tolist() == [one.rank for one in direct.candidates]
            for metric in ("wer", "sim"):
                values = [one.scores[metric].value for one in direct.candidates]
                assert own[f"score:{metric}"].tolist() == values
            ledger = direct.ledger
            assert set(own["tokens_generated"]) == {ledger.tokens_generated}
            assert set(own["tokens_prefilled"]) == {ledger.tokens_prefilled}
            assert set(own["flops:generator"]) == {ledger.flops["generator"]}
            assert own["flops:verifier sim"].iloc[0] == pytest.approx(ledger.flops["verifier sim"], rel=1e-9)
            # recogniser and codec pad the candidates of a batch to the longest, and a batch is a round here
            assert own["flops"].iloc[0] == pytest.approx(sum(ledger.flops.values()), rel=0.05)


def test_sub_sampled_best_of_4_is_a_sweep_of_best_of_4(folder: Path, tmp_path: Path) -> None:
    whole = table.read(folder)
    own = whole[(whole["strategy"] == "wer") & (whole["n"] == 4)].reset_index(drop=True)
    direct = table.read(swept(tmp_path, SMALL))
    assert set(direct["subsampled"]) == {0} and set(own["subsampled"]) == {8}
    for column in direct.columns:
        if column in ("search", "cell", "series", "subsampled") or column.startswith("wall"):
            continue
        if "hubert" in column:  # it hears the winners of the other N too
            continue
        assert list(map(str, own[column])) == list(map(str, direct[column])), column


def test_the_table_can_be_sampled_again(folder: Path) -> None:
    frame = table.read(folder)
    run = frame[(frame["n"] == 8) & (frame["strategy"] == "wer")]
    again = subsample(run, 4, "wer,sim").sort_values(["utterance", "candidate"])
    own = frame[(frame["n"] == 4) & (frame["strategy"] == "wer")].sort_values(["utterance", "candidate"])
    for column in ("rank", "winner", "tokens_generated", "satisfied"):
        assert again[column].tolist() == own[column].tolist()
    assert np.allclose(again["flops"], own["flops"], rtol=0.1)


def test_the_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (folder / "grid.yaml").read_text() == GRID
    frame = table.read(folder)
    winners = table.winners(frame)
    assert len(winners) == frame["search"].nunique() == (2 * 4 + 1) * 2
    assert not winners["judge:hubert-ctc:nano"].isna().any()
    assert frame["judge:hubert-ctc:nano"].isna().any()  # the others are not heard
    for row in winners.itertuples():
        audio = read_audio(folder / "audio" / f"{row.search}.wav")
        assert len(audio) / 16_000 == row.seconds
    first = (folder / table.NAME).read_bytes()
    assert cli.main(["sweep", "--table", "--out", str(folder)]) == 0
    assert (folder / table.NAME).read_bytes() == first
    shown = capsys.readouterr().out
    assert "nano beam" in shown and "18 searches" in shown
    assert max(map(len, shown.splitlines()[:-1])) <= 120
    assert "not finished" not in shown


def test_what_a_stopped_sweep_lacks_is_said(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("grid.yaml", "sweep.json"):
        shutil.copy(folder / name, tmp_path)
    *begun, _ = (folder / "searches.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "searches.jsonl").write_text("".join(begun))
    assert cli.main(["sweep", "--table", "--out", str(tmp_path)]) == 0
    assert "not finished: 1 of 9 rows have fewer than their 2 searches" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("grid", "says"),
    [
        (GRID.replace("limit: 2", "limit: 1"), "is the sweep of another grid"),
        (GRID.replace("keep: winners\n", ""), "is the sweep of another grid"),
    ],
)
def test_a_folder_holds_one_grid(
    grid: str, says: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "grid.yaml").write_text(grid)
    assert cli.main(["sweep", str(tmp_path / "grid.yaml"), "--out", str(folder)]) == 2
    shown = capsys.readouterr().err
    assert says in shown and "choose another folder" in shown and shown.count("\n") == 1


def test_nothing_is_done_twice(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "same.yaml").write_text(f"# a remark\n{GRID}")
    log = (folder / "searches.jsonl").read_bytes()
    assert cli.main(["sweep", str(tmp_path / "same.yaml"), "--out", str(folder)]) == 0
    assert "4 done before, 0 to do" in capsys.readouterr().err
    assert (folder / "searches.jsonl").read_bytes() == log
    (folder / "grid.yaml").write_text(GRID)


def test_what_is_no_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sweep", "--table", "--out", str(tmp_path)]) == 2
    assert "holds no sweep.json: give the folder of a sweep" in capsys.readouterr().err
