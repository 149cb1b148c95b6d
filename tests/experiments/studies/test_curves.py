"""Best-of-k from the candidates of best-of-N, lines, and equal compute, on tables whose answer is known."""

from itertools import combinations
from math import comb

import numpy as np
import pytest

from experiments.studies.curves import base_of, best_of, equal_compute, lines, subset_weights, widths
from experiments.studies.measures import find, measures, searched_by
from llasa_core.errors import UserError
from tests.experiments.studies.tables import correlated, frame, search


@pytest.mark.parametrize("k", range(1, 8))
def test_best_of_k_is_the_mean_over_all_subsets(k: int) -> None:
    values = np.random.default_rng(k).random(7)  # in order of rank: the first of a subset wins it
    wanted = np.mean([values[min(subset)] for subset in combinations(range(7), k)])
    assert best_of(values, k) == pytest.approx(wanted, abs=1e-12)


def test_weights_are_the_exact_shares_of_subsets() -> None:
    for n, k in ((1, 1), (64, 1), (64, 17), (64, 63), (64, 64), (1000, 500)):
        exact = [comb(n - 1 - rank, k - 1) / comb(n, k) for rank in range(n)]
        np.testing.assert_allclose(subset_weights(n, k), exact, rtol=1e-9, atol=1e-300)


def test_widths_double_up_to_the_widest() -> None:
    assert widths(8) == [1, 2, 4, 8] and widths(6) == [1, 2, 4, 6] and widths(1) == [1]


def test_a_line_has_every_width_with_seeds_averaged_within_utterances() -> None:
    rows = search(utterance="a", seed=0, wer=[0.4, 0.0], sim=[0, 0], judge=[0.1, 0.3])
    rows += search(utterance="a", seed=1, wer=[0.2, 0.2], sim=[0, 1], judge=[0.5, 0.7])
    rows += search(utterance="b", seed=0, wer=[0.6, 0.1], sim=[0, 0], judge=[1.0, 0.0])
    table = frame(rows)
    (line,) = lines(table)
    one, two = line.points
    assert (one.n, one.sampled, two.n, two.sampled) == (1, True, 2, False)
    np.testing.assert_allclose(one.values["score:wer"], [0.2, 0.35])
    np.testing.assert_allclose(two.values["score:wer"], [0.1, 0.1])
    np.testing.assert_allclose(two.values["judge:hubert-ctc:nano"], [0.5, 0.0])  # of the winners: 0.3, 0.7
    np.testing.assert_allclose(one.values["tokens_generated"], 100)
    np.testing.assert_allclose(two.values["flops"], 2e9)
    failures = find(table, "failures:wer")
    np.testing.assert_allclose(one.values[failures.column], [0.0, 0.5])


def test_pooled_rates_are_all_errors_over_all_words() -> None:
    rows = search(utterance="a", wer=[0.4, 0.0], sim=[0, 0], judge=[0.1, 0.3])
    rows += search(utterance="b", wer=[0.6, 0.1], sim=[0, 0], judge=[1.0, 0.0])
    for row in rows[2:]:
        row["words:wer"] = row["words:hubert-ctc:nano"] = 40
    rows[1]["words:wer"] = None  # of speech that could not be judged
    table = frame(rows)
    (line,) = lines(table)
    one, two = line.points
    wer, judge = find(table, "wer"), find(table, "hubert-ctc:nano")
    # one: each candidate in half of the subsets; two: the winners, of 0 of 10 and 4 of 40 words
    assert one.pooled(wer).mean == pytest.approx((0.2 * 10 + 0.35 * 40) / 50)
    assert two.pooled(wer).mean == pytest.approx(4 / 50)
    assert two.pooled(judge).mean == pytest.approx(0.3 * 10 / 50)
    assert two.interval(wer).mean == pytest.approx(0.05)
    assert two.pooled(wer).low <= two.pooled(wer).mean <= two.pooled(wer).high


def test_where_only_winners_were_judged_each_width_is_what_was_run() -> None:
    rows = []
    for n in (1, 2, 4):
        own = search(utterance="a", wer=[0.5, 0.2, 0.3, 0.1][:n], sim=[0] * n, judge=[0.9] * n)
        for row in own:
            if not row["winner"]:
                row["judge:hubert-ctc:nano"], row["failures:hubert-ctc:nano"] = np.nan, None
        rows += own
    (line,) = lines(frame(rows))
    assert [(point.n, point.sampled) for point in line.points] == [(1, False), (2, False), (4, False)]
    assert [point.values["score:wer"].iloc[0] for point in line.points] == [0.5, 0.2, 0.1]


def test_the_sub_sampled_curve_is_that_of_direct_runs() -> None:
    """The expected minimum of k draws, against many searches of exactly k."""
    line = lines(correlated(300, 16, rho=0.0, seed=1))[0]
    direct = np.random.default_rng(2).standard_normal((200_000, 4)).min(axis=1).mean()
    point = line.at(4)
    assert point is not None
    interval = point.interval(find(correlated(2, 2), "wer"))
    assert interval.low < direct < interval.high
    assert interval.high - interval.low < 0.15  # a quarter of the 300 single draws' would be 0.3


def test_a_rule_that_looks_at_the_other_candidates_is_not_sub_sampled() -> None:
    rows = search(
        utterance="a", wer=[0, 1], sim=[0, 1], judge=[0, 0], spec="best-of-n?n=2&select=ranks(sim,wer)"
    )
    assert [point.n for point in lines(frame(rows))[0].points] == [2]


def test_equal_compute_compares_with_the_best_of_n_of_that_cost() -> None:
    rows = []
    for number in range(30):
        wer = np.linspace(0.8, 0.1, 8) + number / 1000
        rows += search(utterance=f"u{number}", wer=wer, sim=np.zeros(8), judge=wer)
        for flops, n in ((4e9, 2), (16e9, 8)):
            rows += search(
                utterance=f"u{number}", wer=[0.05], sim=[0], judge=[0], strategy="beam", series="beam",
                spec=f"beam?beams=1&n={n}&select=wer,sim", n=n, flops=flops,
            )  # fmt: skip
    table = frame(rows)
    found = lines(table)
    base, beam = found
    assert base_of(beam, found) is base
    measure = find(table, "wer")
    (row,), beyond = equal_compute(found, measure)
    assert (row.line, row.n, beyond) == ("beam", 2, ["beam, N=8"])
    assert row.base_n == pytest.approx(4)
    four = base.at(4)
    assert four is not None
    assert row.difference.mean == pytest.approx(0.05 - four.values["score:wer"].mean())
    assert row.difference.high < 0


def test_the_best_of_n_beside_it_goes_by_the_same_metric() -> None:
    rows = []
    for n in (1, 2):
        for spec in ("best-of-n?select=sim", "best-of-n?select=wer,sim", "adaptive?select=wer<=0,sim"):
            own = {"spec": f"{spec}&n={n}", "series": spec, "strategy": spec, "n": n}
            rows += search(utterance="u", wer=[0.1] * n, sim=[0.5] * n, judge=[0.1] * n, **own)
    found = {line.series: line for line in lines(frame(rows))}
    base = base_of(found["adaptive?select=wer<=0,sim"], list(found.values()))
    assert base is found["best-of-n?select=wer,sim"]


def test_lines_of_one_name_are_told_apart_by_their_options() -> None:
    rows = []
    for seconds in ("1", "2"):
        spec = f"partial-prm?beams=1&n=2&seconds={seconds}&select=wer,sim"
        rows += search(
            utterance="a",
            wer=[0, 1],
            sim=[0, 1],
            judge=[0, 0],
            strategy="partial-prm",
            spec=spec,
            series=spec,
        )
    assert [line.name for line in lines(frame(rows))] == [
        "partial-prm (seconds=1)",
        "partial-prm (seconds=2)",
    ]


def test_measures_have_direction_kind_and_role() -> None:
    found = {one.column: one for one in measures(correlated(2, 2))}
    assert list(found) == [
        "score:wer", "score:sim", "judge:hubert-ctc:nano", "failures:wer", "failures:hubert-ctc:nano"
    ]  # fmt: skip
    wer, sim, judge, _, failed = found.values()
    assert (wer.kind, wer.higher, wer.held_out) == ("words", False, False)
    assert (sim.kind, sim.higher) == ("voice", True)
    assert (judge.kind, judge.held_out, judge.metric) == ("words", True, "wer")
    assert failed.failures and failed.held_out
    assert sim.gain(0.5, 0.7) == pytest.approx(0.2) and wer.gain(0.5, 0.7) == pytest.approx(-0.2)


def test_a_measure_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no measure 'wert': did you mean 'wer'\?"):
        find(correlated(2, 2), "wert")


@pytest.mark.parametrize(
    ("select", "metric"), [("wer,sim", "wer"), ("wer<=0,sim", "wer"), ("sim", "sim"), ("nonsense(", None)]
)
def test_what_a_selection_goes_by_first(select: str, metric: str | None) -> None:
    found = searched_by(correlated(2, 2), f"best-of-n?n=2&select={select}")
    assert (found.metric if found else None) == metric


def test_silence_that_a_verifier_of_voices_could_not_judge_is_no_measure_of_its_own() -> None:
    rows = [row for u in "abcd" for row in search(utterance=u, wer=[0.2] * 4, sim=[0.9] * 4, judge=[0.1] * 4)]
    table = frame(rows)
    table["failures:sim"] = ["empty", *[None] * (len(table) - 1)]
    assert "failures:sim" not in {one.column for one in measures(table)}
    assert [point.n for point in lines(table)[0].points] == [1, 2, 4]
