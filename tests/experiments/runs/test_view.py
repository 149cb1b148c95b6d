"""What a run shows while it goes on, and the table at its end."""

import io
from typing import Any

import numpy as np
import pandas
import pytest
from rich.console import Console

from experiments.runs.table import print_summary, summarize
from experiments.runs.view import RunView
from llasa_core.request import Request
from search.cost.ledger import Ledger
from search.results.candidate import Candidate, plain
from search.results.failures import CUT_OFF, EMPTY, FAILURES, INVENTED, LOOP, WRONG
from search.results.result import SearchResult
from verifiers.base import Score, Target
from verifiers.shared.recogniser import compare
from verifiers.stats import bootstrap_mean, wilson


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def result(id: str, wer: float, judged: float) -> SearchResult:
    scores, judges = {"wer": Score(wer)}, {"hubert-ctc:nano": Score(judged)}
    candidates = tuple(
        Candidate(k, k, (), (1,) * 50, np.zeros(16_000, np.float32), scores, judges) for k in range(4)
    )
    return SearchResult(Request("a", id=id), candidates, True, Ledger(tokens_generated=200), (), {})


def seen(*, terminal: bool, workers: Any = list) -> tuple[RunView, Clock, io.StringIO]:
    screen, clock = io.StringIO(), Clock()
    console = Console(file=screen, force_terminal=terminal, width=100, color_system=None)
    metrics = {"wer": False, "hubert-ctc:nano": False}
    return RunView(6, 1, 1, metrics, workers, console=console, clock=clock), clock, screen


def test_without_a_terminal_there_is_a_line_now_and_then() -> None:
    view, clock, screen = seen(terminal=False)
    with view:
        watch = view.watch(Request("b", id="b"))
        watch("generate", 3, 4)
        watch("score wer", 4, 4)
        clock.now += 4
        view.finished(result("a", 0.5, 0.75))
        assert screen.getvalue() == ""
        clock.now += 8
        view.finished(result("b", 0.0, 0.25))
        view.watch(Request("c", id="c"))("generate", 2, 4)
        line = "3/6 done, 1 failed, 8 candidates, 33 tokens/s, about 0:00:12 left"
        line += ", wer 0.250, hubert-ctc:nano 0.500\n"
        assert screen.getvalue() == line
        assert "10 candidates" in view.headline
        clock.now += 1
        view.lost("c")
        assert screen.getvalue() == line
        view.lost("d")
        assert (
            screen.getvalue().splitlines()[1].startswith("3/6 done, 3 failed, 8 candidates, 31 tokens/s, wer")
        )


def test_on_a_terminal_scores_and_workers_are_shown() -> None:
    row = {"name": "actor 0", "state": "ready", "queue": 3, "tokens_per_second": 812.25, "restarts": 0}
    rows = [
        {**row, "utilisation": 0.5, "node": "a"},
        {**row, "utilisation": 1.0, "name": "[1]", "restarts": 2},
    ]
    view, clock, screen = seen(terminal=True, workers=lambda: rows)
    with view:
        clock.now += 10
        view.finished(result("a", 0.5, 0.75))
        view.finished(result("b", 0.25, 1.0))
    shown = [line.split() for line in screen.getvalue().splitlines()]
    assert ["wer", "0.375", "0.250"] in shown
    assert ["hubert-ctc:nano", "0.875", "0.750"] in shown
    assert ["state", "queue", "tokens/s", "utilisation", "restarts"] in shown
    assert ["actor", "0", "ready", "3", "812.25", "0.50", "0"] in shown
    assert ["[1]", "ready", "3", "812.25", "1.00", "2"] in shown


def record(id: str, wer: float | None, errors: int, words: int, **more: Any) -> dict[str, Any]:
    evidence = {"words": words, "substitutions": errors, "deletions": 0, "insertions": 0}
    score = {"value": wer, "usable": wer is not None and wer < 1, "evidence": evidence if wer != 1 else {}}
    return {
        "id": id,
        "status": "done",
        "scores": {"wer": score},
        "judged": {},
        "ledger": {"tokens_generated": 100},
        "candidates": 2,
        "seconds": 1.5,
        "cut_off": False,
        "satisfied": True,
        **more,
    }


def test_the_table_has_means_intervals_and_sums() -> None:
    """The last record of an id counts; what could not be judged counts as worst; order does not matter."""
    failed = {"id": "d", "status": "failed", "error": "too long"}
    found = [
        {"id": "b", "status": "failed", "error": "at first"},
        record("a", 0.5, 1, 2, satisfied=False),
        record("b", 0.0, 0, 8),
        record("c", 1.0, 0, 0, cut_off=True, ends=["cut off", "shortened"]),
        record("d", 0.0, 0, 9),
        failed,
    ]
    summary = summarize(found, wall=9.0)
    assert summary.failed == {"d": "too long"}
    wer = summary.measures.set_index("measure").loc["wer"]
    expected = bootstrap_mean([0.5, 0.0, 1.0])
    assert (wer["n"], wer["unusable"]) == (3, 1)
    assert [wer["mean"], wer["low"], wer["high"]] == [expected.mean, expected.low, expected.high]
    assert summary.corpus == {
        "utterances": 3,
        "failed": 1,
        "cut off": 1,
        "nothing complete": 0,
        "shortened": 1,
        "unmet": 1,
        "emotion not reached": 0,
        "corpus wer": 0.1,
        "audio seconds": 4.5,
        "wall seconds": 9.0,
        "real-time factor": 2.0,
    }
    again = summarize([failed, *reversed(found[1:4])], wall=9.0)
    pandas.testing.assert_frame_equal(again.measures, summary.measures)
    screen = io.StringIO()
    print_summary(summary, Console(file=screen, width=100))
    lines = [line.split() for line in screen.getvalue().splitlines()]
    assert lines[1][:8] == ["wer", "(1", "could", "not", "be", "judged)", "3", "0.500"]
    assert ["tokens", "3", "100", "[100,", "100]", "300"] in lines
    assert "4.5 s of speech in 9.0 s (real-time factor 2.000)" in screen.getvalue()
    table = pandas.read_csv(io.BytesIO(summary.as_csv())).set_index("measure")
    assert table.loc["wer", "mean"] == pytest.approx(0.5) and table.loc["corpus wer", "total"] == 0.1


def test_a_run_of_which_nothing_is_done_has_a_table_too() -> None:
    summary = summarize([{"id": "a", "status": "failed", "error": "no"}], wall=1.0)
    screen = io.StringIO()
    print_summary(summary, Console(file=screen, width=100))
    assert screen.getvalue() == "0.0 s of speech in 1.0 s\n"
    assert b"failed" in summary.as_csv()
    assert summarize([], wall=0.0).failed == {}


def heard(id: str, transcript: str, **more: Any) -> dict[str, Any]:
    """As a recogniser scored "the king saw a ship"."""
    found = compare(transcript, Target(text="the king saw a ship"), False)
    score = {"value": found.value, "usable": True, "evidence": plain(found.evidence)}
    return {**record(id, 0.0, 0, 5, **more), "scores": {"wer": score}, "judged": {"whisper:base": score}}


def test_the_table_counts_catastrophic_failures_by_each_recogniser() -> None:
    found = [
        heard("a", "the king saw a ship"),
        heard("b", "the king saw"),
        heard("c", "the king saw a ship", cut_off=True),
        heard("d", "the king saw a ship ship ship ship"),
        record("e", 1.0, 0, 0),  # silence: the recogniser had nothing to judge
        heard("f", "the king saw a chip"),
    ]
    summary = summarize(found, wall=9.0)
    measures = summary.measures.set_index("measure")
    own, other = (measures.loc[f"catastrophic {name}"] for name in ("wer", "judge whisper:base"))
    rate = wilson(4, 6)
    assert (own["n"], own["mean"], own["low"], own["high"]) == (6, rate.mean, rate.low, rate.high)
    assert (own["total"], other["total"], other["n"]) == (4, 3, 5)
    kinds = {name: summary.corpus[f"catastrophic wer: {name}"] for name in FAILURES}
    assert kinds == {EMPTY: 1, CUT_OFF: 2, LOOP: 1, INVENTED: 0, WRONG: 1}
    screen = io.StringIO()
    print_summary(summary, Console(file=screen, width=120))
    assert "catastrophic wer: 1 empty, 2 cut off, 1 loop, 1 mostly wrong" in screen.getvalue()
    table = pandas.read_csv(io.BytesIO(summary.as_csv())).set_index("measure")
    assert table.loc["catastrophic wer", "mean"] == pytest.approx(rate.mean, abs=1e-6)
    assert table.loc["catastrophic wer: loop", "total"] == 1
