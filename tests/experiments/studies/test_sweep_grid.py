"""Grids: which cells they make, and what is wrong with those that cannot be read."""

from pathlib import Path

import pytest

from experiments.cli import main as cli
from experiments.studies.nano_eval import nano_eval
from experiments.studies.sweep_grid import FOLDER, Cell, cells, grid_path, read_grid, shipped, square
from experiments.studies.sweep_plan import Plan, SweepOptions, jobs_of

ROW = nano_eval(1)[0]


def cells_of(folder: Path, text: str) -> list[Cell]:
    path = folder / "grid.yaml"
    path.write_text(text)
    return cells(read_grid(path), ROW)


def test_every_combination_is_a_cell(tmp_path: Path) -> None:
    found = cells_of(
        tmp_path,
        'n: [4, 8]\nseconds: [1.0, 2.0]\nbudgets: [null, "tokens=500"]\ntemperature: [0.7, 0.9]\n'
        'strategies: ["partial-prm?prm=sim&select=wer,sim",\n'
        '  {name: best, spec: "best-of-n?select=wer,sim"}]\n',
    )
    assert len(found) == len({cell.id for cell in found}) == 2 * (2 * 2 * 2 + 2 * 2)
    first = found[0]
    assert first.series == "nano partial-prm?prm=sim&select=wer,sim seconds=1.0 temperature=0.7"
    assert first.id == f"{first.series} n=4" and (first.n, first.beams) == (4, 2)
    assert first.spec == "partial-prm?prm=sim&select=wer,sim&beams=2&n=2&seconds=1.0"
    assert first.settings.models.sampling.temperature == 0.7
    assert found[-1].id == "nano best budget=tokens=500 temperature=0.9 n=8"
    assert found[-1].settings.budget.tokens == 500 and found[-1].strategy == "best"


@pytest.mark.parametrize(("n", "beams"), [(1, 1), (2, 1), (4, 2), (8, 2), (16, 4), (32, 4), (64, 8), (6, 2)])
def test_beams_and_continuations_are_nearly_equal(n: int, beams: int) -> None:
    assert square(n) == beams


def test_a_strategy_is_as_wide_as_the_grid_says_or_as_it_says_itself(tmp_path: Path) -> None:
    found = cells_of(
        tmp_path,
        "n: [1, 16]\nbeams: [4]\nstrategies:\n"
        '  - "beam?prm=sim&select=sim"\n'
        '  - "particle?prm=sim&select=sim"\n'
        '  - "repair?select=wer,sim"\n'
        '  - "beam?n=2&beams=3&prm=sim&select=sim"\n',
    )
    specs = {cell.spec: (cell.n, cell.beams, cell.settings.strategy.most_candidates) for cell in found}
    assert specs == {
        "beam?prm=sim&select=sim&beams=4&n=4": (16, 4, 16),
        "particle?prm=sim&select=sim&particles=1": (1, 0, 1),
        "particle?prm=sim&select=sim&particles=16": (16, 0, 16),
        "repair?select=wer,sim&first=1&n=1&rounds=4": (1, 0, 5),
        "repair?select=wer,sim&first=8&n=2&rounds=4": (16, 0, 16),
        "beam?n=2&beams=3&prm=sim&select=sim": (6, 3, 6),
    }


def test_what_chooses_among_the_same_candidates_is_run_once(tmp_path: Path) -> None:
    found = cells_of(
        tmp_path,
        'n: [1, 2, 6]\nbudgets: [null, "tokens=500"]\nstrategies:\n'
        '  - "best-of-n?select=wer,sim"\n  - "best-of-n?select=sim"\n  - "best-of-n?select=consensus(wer)"\n'
        '  - "best-of-n?select=keep(sim=0.5),wer,sim"\n  - "best-of-n?wide=2&select=sim"\n',
    )
    jobs = jobs_of(found)
    (nested,) = [job for job in jobs if job.nested]
    assert len(nested.answers) == 6 and nested.cell.n == 6
    assert nested.strategy.describe()["sizes"] == [1, 2, 4, 6]
    assert len(jobs) == 1 + len(found) - 6  # each other cell, and each with a budget, by itself
    assert sorted(cell.id for job in jobs for cell in job.answers) == sorted(cell.id for cell in found)


def test_what_a_stopped_sweep_has_is_whole_seeds(tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(
        'limit: 3\nseeds: [5, 2]\nn: [1, 4]\nstrategies: ["best-of-n?select=sim", "repair?select=wer,sim"]\n'
    )
    plan = Plan.of(path, SweepOptions(tmp_path / "out"))
    best, *repair = plan.jobs
    everything = [(job.cell.id, row.seed, row.id) for job, rows in plan.left(()) for row in rows]
    ids = [row.id for row in nano_eval(3)]
    assert everything == [(job.cell.id, seed, id) for seed in (5, 2) for job in plan.jobs for id in ids]
    done = [(best.cell.id, id, 5) for id in ids] + [(repair[0].cell.id, ids[1], 2)]
    left = plan.left(done)
    assert [(job, rows[0].seed) for job, rows in left] == [
        *((job, 5) for job in repair),
        *((job, 2) for job in plan.jobs),
    ]
    assert [row.id for row in left[-2][1]] == [ids[0], ids[2]] and len(repair) == 2


@pytest.mark.parametrize("name", shipped())
def test_shipped_grids_can_be_read(name: str) -> None:
    grid = read_grid(grid_path(name))
    assert grid.strategies and grid_path(name).parent == FOLDER


def test_the_study_runs_best_of_64_once_and_every_other_strategy_at_widths_of_its_own() -> None:
    found = cells(read_grid(grid_path("study")), ROW)
    kinds = {cell.spec.partition("?")[0] for cell in found}
    assert kinds == {"best-of-n", "beam", "partial-prm", "dvts", "particle", "adaptive", "repair"}
    best = [cell for cell in found if cell.spec.startswith("best-of-n")]
    assert {cell.n for cell in best} == {1, 2, 4, 8, 16, 32, 64} and len(best) == 14
    few = [cell for cell in found if cell.spec.startswith(("adaptive", "repair"))]
    assert {cell.n for cell in few} == {4, 16, 64} and len(few) == 2 * 3
    assert {cell.n for cell in found if cell not in [*best, *few]} == {4, 16} and len(found) == 14 + 6 + 4 * 2
    first, *others = jobs_of(found)
    assert first.cell.n == 64 and len(first.answers) == 14 and len(others) == 14


def test_a_strategy_may_have_widths_of_its_own(tmp_path: Path) -> None:
    strategies = 'strategies: [{name: a, spec: "adaptive", n: [2, 8]}, {name: p, spec: "best-of-n"}]\n'
    found = cells_of(tmp_path, f"n: [4]\n{strategies}")
    assert [(cell.strategy, cell.n) for cell in found] == [("a", 2), ("a", 8), ("p", 4)]


GOOD = "strategies: [adaptive]\n"


@pytest.mark.parametrize(
    ("grid", "says"),
    [
        ("n: [4]\n", "strategies is missing"),
        ("strategies: []\n", "strategies is an empty list"),
        ("strategies: [bean]\n", "there is no strategy 'bean': did you mean 'beam'?"),
        ("strategies: ['beam?beems=2']\n", "beam has no option 'beems': did you mean 'beams'?"),
        ("strategies: ['beam?prm=sim&select=smi']\n", "did you mean 'sim'"),
        (GOOD + "stratgies: []\n", "there is no key 'stratgies': did you mean 'strategies'?"),
        ("strategies: [adaptive, adaptive]\n", "'adaptive' is there twice"),
        ("strategies: [{name: a, spec: adaptive}, {name: a, spec: 'beam?prm=sim&select=sim'}]\n", "twice"),
        ("strategies: [{name: a, spek: adaptive}]\n", "no key 'spek' in strategies.0: did you mean 'spec'?"),
        (GOOD + "n: []\n", "n is an empty list"),
        (GOOD + "n: [0]\n", "n.0 is 0: give at least 1"),
        (GOOD + "n: [513]\n", "n.0 is 513: give at most 512"),
        (GOOD + "n: ['4']\n", "give a whole number"),
        (GOOD + "n: [4, 4]\n", "4 is there twice"),
        ("strategies: [{name: a, spec: adaptive, n: [2, 2]}]\n", "2 is there twice"),
        (GOOD + "seeds: [-1]\n", "seeds.0 is -1: give at least 0"),
        (GOOD + "presets: [nanno]\n", "unknown preset 'nanno': did you mean 'nano'?"),
        (GOOD + "budgets: ['token=5']\n", "no limit of 'token': did you mean 'tokens'?"),
        (GOOD + "verifiers: [wisper]\n", "did you mean 'whisper'?"),
        (GOOD + "texts: none.txt\n", "none.txt"),
        (GOOD + "texts: ../none.txt\n", "none.txt"),
        (GOOD + "texts: empty.txt\n", "empty.txt holds no texts: give at least one"),
        (GOOD + "texts: twice.csv\n", "the id 'a' is that of line 2 of"),
        (GOOD + "texts: latin.txt\n", "is not UTF-8"),
        (GOOD + "texts: half.lst\n", "gone.wav"),
        (GOOD + "published: [seed-tts]\n", "there are no values of 'seed-tts'"),
        (GOOD + "temperature: [.nan]\n", "temperature.0 is nan: give a finite number"),
        ("strategies: ['beam?prm=sim&select=sim']\nbeams: [3]\nn: [4]\n", "its beams have to divide n"),
        ("- a\n", "is a list: give a mapping"),
        ("strategies: [*a]\n", "refers to another value"),
        ("strategies: [a\n", "is no YAML"),
        (GOOD + "# " + "x" * 70_000, "is longer than 65,536 bytes"),
    ],
)
def test_bad_grids_are_refused_in_one_line_before_anything_is_loaded(
    grid: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "twice.csv").write_text("id,text\na,one bird\na,two birds\n")
    (tmp_path / "latin.txt").write_bytes("caf\xe9\n".encode("latin-1"))
    (tmp_path / "half.lst").write_text("a|what is said|gone.wav|one bird\n")
    (tmp_path / "grid.yaml").write_text(grid)
    monkeypatch.setattr("experiments.config.Settings.searcher", None)
    out = tmp_path / "out"
    assert cli.main(["sweep", str(tmp_path / "grid.yaml"), "--out", str(out)]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: "), shown
    assert says in shown and shown.count("\n") == 1, shown
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments", [["sweep", "study"], ["sweep", "--table"], ["distil", "sweep", "--out", "training"]]
)
def test_without_pyarrow(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.studies.table.find_spec", lambda name: None)
    assert cli.main(arguments) == 2
    shown = capsys.readouterr().err
    assert shown == "error: tables of sweeps need pyarrow: pip install 'llasa-search[studies]'\n"


def test_a_grid_that_is_not_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sweep", "studdy"]) == 2
    assert "no grid 'studdy' is shipped: did you mean 'study'?" in capsys.readouterr().err
    assert cli.main(["sweep"]) == 2
    assert "GRID is missing: give a YAML file, or one of the shipped " in capsys.readouterr().err
