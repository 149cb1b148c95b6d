"""Predictions on simulated draws whose expected best is known."""

import math

import numpy as np
import pytest
from scipy.special import betaln

from experiments.studies.draws import Draws, draws, widest
from experiments.studies.expected_best import all_exceed, expected_maximum, fit, fit_beta, fit_levels
from experiments.studies.measures import find
from experiments.studies.predict import predict
from llasa_core.errors import UserError
from tests.experiments.studies.tables import correlated, frame, search, word_errors


@pytest.mark.parametrize(
    ("n", "known"), [(1, 0.0), (2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi)), (100, 2.5075936)]
)
def test_the_expected_maximum_of_normal_draws(n: int, known: float) -> None:
    assert expected_maximum(n) == pytest.approx(known, abs=1e-6)


def test_the_chance_that_all_exceed_is_the_mean_of_powers() -> None:
    p = np.random.default_rng(0).beta(2.0, 0.5, 400_000)
    for n in (1, 4, 32):
        assert all_exceed(np.array([2.0]), np.array([0.5]), n)[0] == pytest.approx((p**n).mean(), rel=0.01)
    assert list(all_exceed(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 3)) == [1.0, 0.0]


def test_beta_binomial_counts_give_their_parameters_back() -> None:
    generator = np.random.default_rng(1)
    p = generator.beta(0.6, 1.8, 3000)
    counts = generator.binomial(16, p)
    a, b = fit_beta(counts[None].astype(float), np.full(3000, 16))
    assert a[0] / (a[0] + b[0]) == pytest.approx(0.25, abs=0.03)
    assert 1 / (a[0] + b[0] + 1) == pytest.approx(1 / 3.4, abs=0.06)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_correlated_normal_draws_far_beyond_what_was_drawn(rho: float) -> None:
    """The minimum of N draws of correlation rho is on average -sqrt(1 - rho) m(N) from their mean, for the
    judge `ear` times that."""
    table = correlated(400, 16, rho=rho, ear=0.6, seed=3)
    slope = math.sqrt(1 - rho)
    for name, share in (("wer", 1.0), ("hubert-ctc:nano", 0.6)):
        found = draws(widest(table), find(table, name))
        model = fit(found, "normal", 1.0)
        assert model.at(1) - model.at(256) == pytest.approx(share * slope * expected_maximum(256), rel=0.08)


def test_word_errors_fall_as_the_beta_binomial_says() -> None:
    a, b = 1.0, 0.8
    table = word_errors(1500, 8, a, b, seed=6)
    found = predict(table, find(table, "wer"))
    assert found.model.kind == "levels"
    for n, error in ((16, 0.1), (64, 0.2), (512, 0.5)):  # two standard errors of the estimate
        known = 0.2 * math.exp(betaln(a + n, b) - betaln(a, b))
        assert found.at(n).mean == pytest.approx(known, rel=error)
    assert fit(found.draws, "normal", 1.0).at(512) < 0 < found.at(512).low  # which has no floor
    target = 0.2 * math.exp(betaln(a + 64, b) - betaln(a, b))
    needed = found.needed(target)
    assert needed.low <= 64 <= needed.high and needed.reached
    assert needed.seconds(needed.n) == pytest.approx(needed.n * 0.5)


def test_a_judge_follows_its_share_of_the_gain() -> None:
    table = word_errors(400, 8, 1.0, 0.8, seed=6)  # the judge hears every error, and 0.1 more
    found = predict(table, find(table, "hubert-ctc:nano"))
    assert found.model.kind == "share" and found.model.slope == pytest.approx(1.0, abs=0.06)
    assert not found.needed(0.05).reached
    assert found.needed(0.05).n == math.inf


def test_intervals_cover() -> None:
    """95 % intervals of the prediction at four times N hold the truth in most of 40 tables."""
    a, b, n = 1.2, 1.0, 16
    known = 0.2 * math.exp(betaln(a + n, b) - betaln(a, b))
    hits = 0
    for seed in range(40):
        table = word_errors(80, 4, a, b, seed=100 + seed)
        interval = predict(table, find(table, "wer")).at(n)
        hits += interval.low <= known <= interval.high
    assert hits >= 33  # of 40; a binomial of 0.95 is there in more than 99 % of cases


def test_what_was_drawn_is_observed_and_not_fitted() -> None:
    table = word_errors(50, 8, 1.0, 1.0, seed=7)
    found = predict(table, find(table, "wer"))
    winners = table[table["winner"]]
    assert found.at(8).mean == pytest.approx(winners["score:wer"].mean())
    assert found.at(1).mean == pytest.approx(table["score:wer"].mean())


def test_levels_of_a_score_with_one_value_do_not_fail() -> None:
    key = np.zeros((3, 4))
    order = np.tile(np.arange(4), (3, 1))
    levels, (a, b) = fit_levels(Draws(key, order, np.arange(3), key))
    assert list(levels) == [0.0] and len(a) == len(b) == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"strategy": "beam", "spec": "beam?beams=1&n=4&select=wer,sim"}, "needs a best-of-n of at least 4"),
        ({"spec": "best-of-n?n=4&select=pareto(sim,wer)"}, "needs a best-of-n of at least 4"),
        ({"spec": "best-of-n?n=4"}, "does not say by which metric it selects"),
    ],
)
def test_tables_that_nothing_can_be_predicted_from(change: dict[str, str], says: str) -> None:
    rows = search(utterance="a", wer=[0, 1, 0, 1], sim=[0] * 4, judge=[0] * 4, **change)
    table = frame(rows)
    with pytest.raises(UserError, match=says):
        predict(table, find(table, "wer"))


def test_where_the_rule_only_bounds_the_score_it_is_no_least_of_draws() -> None:
    """`wer<=0.15,sim`: among candidates within the bound the most similar wins, whatever its errors."""
    generator = np.random.default_rng(4)
    rows = []
    for number in range(60):
        wer, sim = generator.choice([0.0, 0.1, 0.4], 16), generator.random(16)
        own = search(utterance=f"u{number:02}", wer=wer, sim=sim, judge=wer)
        order = np.lexsort((-sim, np.maximum(wer - 0.15, 0)))
        for rank, place in enumerate(order):
            own[place] |= {"rank": rank, "winner": rank == 0, "spec": "best-of-n?n=16&select=wer<=0.15,sim"}
        rows += own
    table = frame(rows)
    found = predict(table, find(table, "wer"))
    assert found.kind != "levels" and found.at(64).mean == pytest.approx(0.05, abs=0.02)


def test_what_no_judge_heard_is_not_said_to_be_observed() -> None:
    places = np.tile(np.arange(8), (3, 1))
    found = Draws(places.astype(float), places, np.arange(3), None, {1: np.ones(3), 8: np.zeros(3)})
    assert [n for n in (1, 2, 4, 8, 16) if found.observes(n)] == [1, 8]
