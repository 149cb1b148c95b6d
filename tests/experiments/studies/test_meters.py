"""Reward hacking and diversity, on tables whose answer is known."""

import numpy as np
import pytest

from experiments.studies.curves import lines
from experiments.studies.diversity import diversity, edit_distance
from experiments.studies.hacking import hacking
from experiments.studies.measures import measures
from tests.experiments.studies.tables import correlated, frame, search


def test_a_judge_that_hears_half_parts_from_the_search_at_once() -> None:
    table = correlated(200, 16, rho=0.5, ear=0.5, seed=1)
    (found,) = [one for one in hacking(lines(table), measures(table)) if one.searched.metric == "wer"]
    assert found.held_out.by == "hubert-ctc:nano" and found.base == 1
    assert found.parts_at == 2
    assert found.confirmed == pytest.approx(0.5, abs=0.06)
    assert [gap.n for gap in found.gaps] == [2, 4, 8, 16]
    assert "they part from N=2 on" in found.sentence


def test_a_judge_that_hears_the_same_never_parts() -> None:
    table = correlated(200, 8, rho=0.5, ear=1.0, seed=2)
    (found,) = [one for one in hacking(lines(table), measures(table)) if one.searched.metric == "wer"]
    assert found.parts_at is None and found.confirmed == pytest.approx(1.0)
    assert "no N at which the two part" in found.sentence


def test_the_first_n_that_lasts_is_where_they_part() -> None:
    """An ear that confirms everything up to 4 candidates and nothing of the last four."""
    rows = []
    for number in range(60):
        wer = np.array([0.8, 0.6, 0.6, 0.6, 0.1, 0.1, 0.1, 0.1]) + number / 1e4
        judge = np.where(wer > 0.3, wer, 0.6 + number / 1e4)
        for n in (1, 2, 4, 8):
            spec = f"best-of-n?n={n}&select=ranks(sim,wer)"
            rows += search(utterance=f"u{number}", wer=wer[:n], sim=np.arange(n), judge=judge[:n], spec=spec)
    table = frame(rows)
    (found,) = [one for one in hacking(lines(table), measures(table)) if one.searched.metric == "wer"]
    assert found.parts_at == 8
    assert found.gaps[1].gap.mean == pytest.approx(0) and found.gaps[2].gap.mean == pytest.approx(0.5)


def test_diversity_counts_what_differs() -> None:
    rows = search(utterance="a", wer=[0.0, 0.0, 0.5, 0.5], sim=[0.1, 0.2, 0.3, 0.4], judge=[0] * 4)
    for row, seconds, codes in zip(
        rows, (1.0, 2.0, 3.0, 4.0), ([1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3], [9, 9, 9, 9]), strict=True
    ):
        row["seconds"], row["codes"] = seconds, codes
    (found,) = diversity(frame(rows))
    assert found.transcripts is not None and found.transcripts.mean == 0.5  # "heard 0.0" and "heard 0.5"
    assert found.seconds.mean == pytest.approx(np.std([1, 2, 3, 4], ddof=1))
    assert found.scores["sim"].mean == pytest.approx(np.std([0.1, 0.2, 0.3, 0.4], ddof=1))
    pairs = [0, 0.25, 1, 0.25, 1, 1]
    assert found.codes.mean == pytest.approx(np.mean(pairs))


def test_the_edit_distance_is_a_share_of_the_longer_one() -> None:
    assert edit_distance([[1, 2, 3, 4], [1, 2, 4]]) == 0.25
    assert edit_distance([[1], [1]]) == 0


def test_a_cascade_that_asked_about_one_candidate_has_no_spread() -> None:
    sim = [0.5, 0.6, 0.7, 0.8]
    table = frame(
        [row for u in "abc" for row in search(utterance=u, wer=[0.1] * 4, sim=sim, judge=[0.1] * 4)]
    )
    table.loc[table["rank"] > 0, "score:wer"] = np.nan
    (found,) = diversity(table)
    assert set(found.scores) == {"sim"}
