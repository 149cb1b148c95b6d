"""`study`, `predict` and `compare` on a table on disk, and what they refuse."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.cli.main import main
from experiments.runs.records import NAME, Records
from experiments.studies.compare import pairs, read_sides
from experiments.studies.table import write
from tests.experiments.studies.tables import DIRECTIONS, frame, search, word_errors


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = tmp_path / "sweep"
    folder.mkdir()
    write(folder, word_errors(30, 8, 1.0, 1.0, seed=1), DIRECTIONS)
    return folder


def test_study_prints_tables_and_writes_figures_and_a_page(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, figures = tmp_path / "study.html", tmp_path / "figures"
    assert main(["study", str(sweep), "--figures", str(figures), "--report", str(page)]) == 0
    shown = capsys.readouterr().out
    assert "Quality: means over utterances" in shown and "Reward hacking" in shown
    assert (figures / "hacking.png").is_file() and (figures / "hacking.svg").is_file()
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_predict_says_the_n_for_a_target(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(sweep), "--target", "0.02", "--target", "-1", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["measure"] == "score:wer" and found["model"] == "levels" and found["run"] == 8
    reached, not_reached = found["targets"]
    assert reached["reached"] and reached["low"] <= reached["n"] and not not_reached["reached"]
    assert not_reached["n"] is None
    assert main(["predict", str(sweep), "--target", "0.02"]) == 0
    shown = capsys.readouterr().out
    assert "for a mean of 0.02 in WER by the search you need N = " in shown and "check: fitted on" in shown


def test_compare_two_cells_of_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    folder = tmp_path / "two"
    folder.mkdir()
    rows = []
    for number in range(20):
        for spec, wer in (("best-of-n?n=1&select=wer", 0.4), ("best-of-n?n=2&select=wer", 0.3)):
            own = wer - 0.2 * (number == 7 and "n=2" in spec) + 0.01 * (number % 3)
            rows += search(utterance=f"u{number:02}", wer=[own], sim=[0], judge=[own], spec=spec)
    write(folder, frame(rows), DIRECTIONS)
    arguments = ["compare", str(folder), str(folder), "--first", "best-of-n?n=1&select=wer"]
    arguments += ["--second", "best-of-n?n=2&select=wer"]
    assert main([*arguments, "--json", "-"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    wer = next(one for one in found["differences"] if one["title"] == "WER by the search")
    assert wer["change"]["mean"] == pytest.approx(-0.11) and wer["better"] is True
    assert found["improved"][0]["utterance"] == "u07"
    assert found["improved"][0]["change"] == pytest.approx(0.3)
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "20 utterances in both, paired by utterance and seed" in shown
    assert "0.410 -> 0.110  u07: the text of u07  (A: HEARD 0.4; B: HEARD 0.1)" in shown
    assert "GFLOPs  " in shown and "1.000 [1.000, 1.000]" in shown


@pytest.mark.parametrize("order", ["best-of-n?n=2&select=wer,sim", "best-of-n?select=wer,sim&n=2"])
def test_a_cell_is_named_by_its_search_in_any_order_of_options(
    order: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sweep's own spec has `wide=1`, which nobody writes into a grid."""
    folder = tmp_path / "two"
    folder.mkdir()
    rows = []
    for number in range(4):
        for n in (1, 2):
            spec = f"best-of-n?select=wer,sim&n={n}&wide=1"
            own = {"spec": spec, "n": n} | {"cell": f"nano {n}"}
            rows += search(utterance=f"u{number}", wer=[0.4] * n, sim=[0] * n, judge=[0.4] * n, **own)
    write(folder, frame(rows), DIRECTIONS)
    arguments = ["compare", str(folder), str(folder), "--first", "nano 1", "--second", order, "--json", "-"]
    assert main(arguments) == 0, capsys.readouterr().err
    (found,) = json.loads(capsys.readouterr().out)
    assert found["utterances"] == 4
    assert found["second"] == "nano 2"
    arguments[-3] = "best-of-n?n=3&select=wer,sim"
    assert main(arguments) == 2
    assert "the second has no cell 'best-of-n?n=3&select=wer,sim': did you mean" in capsys.readouterr().err


def test_a_spec_names_the_very_search(tmp_path: Path) -> None:
    """Without `wide` best-of-n draws four times as many: it is another search than with `wide=1`."""
    plain, wide = "best-of-n?n=2&select=wer", "best-of-n?select=wer&n=2&wide=1"
    rows = []
    for cell, spec in (("a", plain), ("b", wide)):
        rows += search(utterance="u", wer=[0.4] * 2, sim=[0] * 2, judge=[0.4] * 2, cell=cell, spec=spec)
    write(tmp_path, frame(rows), DIRECTIONS)
    sides = read_sides(tmp_path)
    for first, second in ((plain, wide), (wide, plain)):
        ((one, other),) = pairs(sides, sides, (first, second))
        assert [one.name, other.name] == (["a", "b"] if first == plain else ["b", "a"])


def test_cells_stand_in_the_order_of_their_n(tmp_path: Path) -> None:
    rows = []
    for n in (1, 2, 16):
        rows += search(utterance="u", wer=[0.4] * n, sim=[0] * n, judge=[0.4] * n, cell=f"nano n={n}")
    write(tmp_path, frame(rows), DIRECTIONS)
    assert [side.name for side in read_sides(tmp_path)] == ["nano n=1", "nano n=2", "nano n=16"]


def record(id: str, wer: float, seed: int = 0) -> dict[str, object]:
    """As `llasa-search run` writes it, with what its schema asks for."""
    errors = round(wer * 10)
    evidence = {
        "words": 10,
        "substitutions": errors,
        "deletions": 0,
        "insertions": 0,
        "transcript": f"heard {id}",
    }
    score = {"value": wer, "usable": True, "reason": "", "short": False, "evidence": evidence}
    asked = {"text": f"text {id}", "language": "en", "seed": seed, "voice": None, "prompt_text": ""}
    asked |= {"prompt_sha256": None, "emotion": None, "emotion_sha256": None, "as_written": False}
    models = {"verifiers": [{"spec": "whisper:nano"}], "judges": [{"spec": "hubert-ctc:nano"}]}
    return {
        "id": id, "text": f"text {id}", "asked": asked, "session": 1, "elapsed": 1.0, "status": "done",
        "audio": f"audio/{id}.wav", "audio_sha256": "0", "seconds": 2.0, "scores": {"wer": score},
        "judged": {"hubert-ctc:nano": {**score, "value": wer + 0.1}}, "satisfied": True, "stopped": "",
        "cut_off": False, "ends": [], "stepped_back": [], "tokens": 100, "candidates": 4, "warnings": [],
        "ledger": {"tokens_generated": 400, "wall_seconds": {"generator": 2.0, "judge x": 9.0}},
        "waveform_sha256": "0", "manifest": {"models": models},
    }  # fmt: skip


def test_compare_two_runs_by_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, better in (("before", 0.0), ("after", 0.1)):
        with Records(tmp_path / name) as records:
            for number in range(12):
                records.append(record(f"t{number}", 0.5 - better * (number % 2)))
            if name == "after":
                records.append(record("extra", 0.0))
    assert main(["compare", str(tmp_path / "before"), str(tmp_path / "after"), "--json", "-"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["utterances"], found["only_first"], found["only_second"]) == (12, 0, 1)
    changes = {one["title"]: one["change"]["mean"] for one in found["differences"]}
    assert changes["WER by the search"] == pytest.approx(-0.05)
    assert changes["WER by the judge hubert-ctc:nano"] == pytest.approx(-0.05)
    assert changes["seconds"] == 0.0 and found["measure"]["by"] == "hubert-ctc:nano"
    assert len(found["improved"]) == 5 and found["unchanged"] == 6
    assert found["floor"] is None
    assert (tmp_path / "before" / NAME).is_file()


def test_a_text_that_came_out_silent_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compared = {"reference": "text", "heard": "text", "added": [], "changed": [], "missed": []}
    for name in "ab":
        with Records(tmp_path / name) as records:
            for number in range(3):
                one = record(f"t{number}", 0.0)
                score = one["scores"]["wer"]  # type: ignore[index]
                score["evidence"] |= compared
                if name == "b" and number == 0:
                    one["scores"] = {"wer": {**score, "usable": False, "reason": "silent", "evidence": {}}}
                records.append(one)
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json", "-"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    (failed,) = [one for one in found["differences"] if one["title"] == "catastrophic failures by the search"]
    assert (failed["first"]["mean"], failed["first"]["n"]) == (0.0, 3)
    assert (failed["second"]["mean"], failed["second"]["n"]) == (pytest.approx(1 / 3), 3)


def test_seeds_that_one_side_alone_has_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, seeds in (("a", (0, 1)), ("b", (0,))):
        (tmp_path / name).mkdir()
        rows = []
        for seed in seeds:
            for u in "uvwx":
                wer = [0.1 + 0.4 * seed]
                rows += search(utterance=u, wer=wer, sim=[0], judge=wer, seed=seed)
        write(tmp_path / name, frame(rows), DIRECTIONS)
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json", "-"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert {one["change"]["mean"] for one in found["differences"]} == {0.0}


def test_a_gain_of_all_texts_alike_is_sure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, wer in (("a", 0.5), ("b", 0.4)):
        with Records(tmp_path / name) as records:
            for number in range(4):
                records.append(record(f"t{number}", wer, seed=int(name == "b")))
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    shown = capsys.readouterr().out
    assert "paired by utterance (the seeds differ)" in shown and "better" in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["study", "nowhere"], "nowhere holds no candidates.parquet"),
        (["study", "{sweep}", "--report", "{sweep}/candidates.parquet"], "would write over the table"),
        (["predict", "{sweep}", "--measure", "wert"], "no measure 'wert': did you mean 'wer'?"),
        (["predict", "{sweep}", "--preset", "nan"], "none of that name: did you mean 'nano'?"),
        (["predict", "{sweep}", "--target", "low"], "--target low: give a number"),
        (["compare", "{sweep}", "nowhere"], "nowhere holds no candidates.parquet"),
        (["compare", "{sweep}", "{empty}"], "holds neither candidates.parquet nor records.jsonl"),
        (["compare", "{sweep}", "{sweep}", "--first", "best-of-m"], "the first has no cell 'best-of-m'"),
        (["compare", "{sweep}", "{sweep}", "--by", "wert"], "no such measure: did you mean 'wer'?"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], says: str, sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    given = [one.format(sweep=sweep, empty=tmp_path / "empty") for one in arguments]
    assert main(given) == 2
    shown = capsys.readouterr()
    assert says in shown.err and shown.err.count("\n") == 1


def test_runs_without_a_text_in_common(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        with Records(tmp_path / name) as records:
            records.append(record(f"text of {name}", 0.5))
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert "no utterance in common" in capsys.readouterr().err


def test_an_index_is_no_part_of_the_statistics(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table of rows in another order gives the same words."""
    assert main(["predict", str(sweep)]) == 0
    first = capsys.readouterr().out
    table = word_errors(30, 8, 1.0, 1.0, seed=1)
    shuffled = table.iloc[np.random.default_rng(0).permutation(len(table))]
    write(sweep, shuffled, DIRECTIONS)
    assert main(["predict", str(sweep)]) == 0
    assert capsys.readouterr().out == first
