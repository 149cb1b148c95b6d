"""Texts that did not end well: counted in table and last line, kept in records, told by the exit code."""

import json
from pathlib import Path
from typing import Any

import pandas
import pytest

from experiments.cli.main import main
from experiments.config import SearchOptions, Settings
from experiments.runs.run import counted_ends
from experiments.runs.table import summarize
from llasa_core.request import Request
from search.results.ends import (
    CUT_OFF,
    ENDS,
    NOT_REACHED,
    NOTHING_COMPLETE,
    SHORTENED,
    UNMET,
    ends_of,
    lacks_the_end,
)
from tests.experiments.runs.test_records import record
from verifiers.base import Score
from verifiers.shared.wer import word_errors


@pytest.mark.parametrize(
    ("heard", "lacks"),
    [
        ("the train is late", False),
        ("the train is", True),
        ("the", True),
        ("", True),
        ("train is late", False),
        ("the train late", False),
        ("the train is great", False),
        ("the rain is", True),
        ("the train is late again", False),
    ],
)
def test_a_missing_end_is_one_where_the_last_words_were_not_heard(heard: str, lacks: bool) -> None:
    errors = word_errors("The train is late.", heard)
    assert lacks_the_end(Score(errors.rate, errors.evidence())) is lacks


@pytest.mark.parametrize("missed", [[], None, 5, "ab", [["x"]], [[1, 2]], [[None, "a"]], {"a": 1}])
def test_evidence_of_another_kind_says_nothing(missed: Any) -> None:
    assert not lacks_the_end(Score(0.5, {"reference": "a b c", "missed": missed}))
    assert not lacks_the_end(Score(0.5, {"missed": [[0, "a"]]}))


def test_each_kind_of_end_has_its_name_and_its_words() -> None:
    short = {"wer": Score(0.5, word_errors("a b", "a").evidence())}
    short["emo"] = Score(0.18, {"reached": False, "found": "sad 0.18, neutral 0.40"})
    assert ends_of(short, cut_off=True, constraints_met=False, nothing_complete=True) == tuple(ENDS)
    assert ends_of({}, cut_off=False, constraints_met=True, nothing_complete=False) == ()
    counts = {CUT_OFF: 5, NOTHING_COMPLETE: 1, SHORTENED: 0, UNMET: 2, NOT_REACHED: 0}
    assert counted_ends(counts, ("wer<=0",)) == [
        "5 cut off",
        "1 stopped before anything was complete",
        "2 without a candidate that met wer<=0",
    ]
    assert counted_ends(counts, ())[-1] == "2 that could not be judged"


def test_the_table_counts_them_also_in_records_of_before() -> None:
    records = [
        record("a", ends=[CUT_OFF, UNMET], satisfied=False, cut_off=True),
        record("b", satisfied=False),
        record("c", cut_off=True),
        record("d", ends=[]),
        record("e", ends=[SHORTENED]),
        record("f", ends=[UNMET], satisfied=False),
        record("f", "failed"),
        record("g", ends=[NOT_REACHED], satisfied=False, missed_emotion="sad 0.18, neutral 0.40"),
    ]
    summary = summarize(records, 1.0)
    assert summary.ends == {CUT_OFF: 2, NOTHING_COMPLETE: 0, SHORTENED: 1, UNMET: 2, NOT_REACHED: 1}
    assert {name: summary.corpus[name] for name in ENDS} == summary.ends


@pytest.mark.parametrize(
    ("strategy", "bounds"),
    [
        ("best-of-n", ()),
        ("adaptive", ()),
        ("best-of-n?select=wer,sim", ()),
        ("best-of-n?select=wer<=0,sim", ("wer<=0",)),
        ({"name": "beam", "select": "wer<=0.1,sim>=0.5,sim"}, ("wer<=0.1", "sim>=0.5")),
        ("repair?first=2&select=wer<=0,sim", ("wer<=0",)),
    ],
)
def test_a_bound_is_asked_for_where_the_selection_is(strategy: Any, bounds: tuple[str, ...]) -> None:
    import numpy as np

    request = Request("a", prompt_audio=np.full(16_000, 0.1, np.float32), prompt_text="b")
    assert Settings.from_options(SearchOptions(strategy=strategy), request).bounds == bounds


@pytest.mark.usefixtures("plain_kinds")
@pytest.mark.parametrize(
    ("more", "code"),
    [
        ((), 0),
        (("--select", "wer,sim"), 0),
        (("--select", "wer<=0,sim"), 3),
        (("--select", "wer<=9,sim"), 0),
        (("--strategy", "best-of-n?n=2&select=wer<=0,sim"), 3),
        (("--recipe", "bound.yaml"), 3),
        (("--select", "wer<=0,sim", "--budget", "tokens=5"), 3),
    ],
)
def test_the_exit_code_and_the_last_line(
    more: tuple[str, ...],
    code: int,
    tmp_path: Path,
    tiny_generator: Path,
    tiny_codec: Path,
    voice_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of tiny models that say nothing and never end within the second that they have."""
    monkeypatch.chdir(tmp_path)
    Path("bound.yaml").write_text("strategy: {name: best-of-n, n: 2, select: 'wer<=0,sim'}\n")
    Path("in.txt").write_text("one\ntwo birds\n")
    given = [
        *("--generator", str(tiny_generator), "--codec", str(tiny_codec), "--max-seconds", "0.6"),
        *("--prompt-audio", str(voice_file), "--prompt-text", "a buzz", "--no-judge"),
        *("--verifier", "crossings", "--verifier", "level", *more),
        *(() if "--strategy" in more or "--recipe" in more else ("-n", "2")),
    ]
    assert main(["synth", "two birds", *given, "--report", "page.html"]) == code
    synth = capsys.readouterr().out
    assert "the speech is cut off" in synth and ("no candidate met all" in synth) is (UNMET in all_ends(more))
    assert "The speech is cut off: the model had not ended it." in Path("page.html").read_text()
    assert main(["run", "in.txt", "-o", "spoken", *given]) == code
    last = next(line for line in capsys.readouterr().out.splitlines() if "texts done" in line)
    table = pandas.read_csv("spoken/table.csv").set_index("measure")
    found = [json.loads(line) for line in Path("spoken/records.jsonl").read_text().splitlines()]
    for name in ENDS:
        count = 2 if name in all_ends(more) else 0
        assert table.loc[name, "total"] == count
        assert sum(name in one["ends"] for one in found) == count
    assert last.startswith("2 of 2 texts done, 0 failed; 2 cut off")
    assert ("2 without a candidate that met wer<=0" in last) is (UNMET in all_ends(more))
    assert main(["run", "in.txt", "-o", "spoken", *given, "--resume"]) == code


def all_ends(more: tuple[str, ...]) -> set[str]:
    unmet = {UNMET} if "wer,sim" not in more and "wer<=9,sim" not in more else set()
    return {CUT_OFF, *unmet} | ({NOTHING_COMPLETE} if "--budget" in more else set())
