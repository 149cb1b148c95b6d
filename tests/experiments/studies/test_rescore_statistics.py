"""The statistics of `rescore` on scores whose truth is known, and the changes that nobody hears."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from experiments.studies.measures import Measure
from experiments.studies.rescore.beginnings import agreements, correlation, switches
from experiments.studies.rescore.noise import Anew, lucks, movements
from experiments.studies.rescore.perturb import perturbed
from experiments.studies.rescore.records import BEGINNING, DRAW, Known, Piece, positions
from experiments.studies.sweep_log import Chosen, Drawn, Scored, Search
from experiments.studies.sweep_table import Columns

WIDTHS = (1, 2, 8)
DIRECTIONS = {"sim": True}
SIM = Measure("score:sim", "sim", "sim", "voice", True)
CELLS = {
    f"bon n={n}": Columns(
        series="bon", preset="nano", strategy="bon", spec=f"best-of-n?n={n}&select=sim", n=n, beams=0,
        subsampled=0 if n == 8 else 8,
    )
    for n in WIDTHS
}  # fmt: skip


def scored(value: float) -> Scored:
    return Scored(value=value)


def search(utterance: int, seed: int, values: np.ndarray) -> Search:
    """Of 8 candidates, 100 codes each, with these similarities; the best wins."""
    candidates = [
        Drawn(codes=[0] * 100, samples=32_000, cut_off=False, scores={"sim": scored(value)}, judged={})
        for value in map(float, values)
    ]
    chosen = {
        f"bon n={n}": Chosen(
            n=n, order=[int(i) for i in np.argsort(-values[:n], kind="stable")], satisfied=True
        )
        for n in WIDTHS
    }
    return Search(
        schema=1, cell="bon n=8", utterance=f"u{utterance:03}", seed=seed, text="a text", language="en",
        voice="", candidates=candidates, chosen=chosen, spent={}, stopped="",
    )  # fmt: skip


def noisy(utterances: int, noise: float, draws: int = 400) -> tuple[list[Search], Known]:
    """Candidates with a true similarity of variance 1, and scores that err by `noise`."""
    random = np.random.default_rng(5)
    searches, known = [], Known()
    for utterance in range(utterances):
        truth = random.standard_normal(8)
        one = search(utterance, 0, truth + noise * random.standard_normal(8))
        searches.append(one)
        for draw in range(draws):
            again = truth + noise * random.standard_normal(8)
            piece = Piece(one.key, "sim", DRAW, float(draw))
            known[piece] = {number: scored(float(value)) for number, value in enumerate(again)}
    return searches, known


def test_half_of_a_gain_is_luck_where_half_of_the_variance_is_noise() -> None:
    searches, known = noisy(400, 1.0, draws=10)
    (luck,) = lucks(Anew(searches, known, DIRECTIONS), CELLS, {"bon": SIM})
    assert luck.base == 1 and [point.n for point in luck.points] == [2, 8]
    for point in luck.points:
        assert point.luck.low < point.selected.mean / 2 < point.luck.high
        assert point.luck.mean / point.selected.mean == pytest.approx(0.5, abs=0.05)
        assert point.anew.mean == pytest.approx(point.selected.mean - point.luck.mean)
    # 8 draws of variance 2: their expected maximum is sqrt(2) * 1.4236
    assert luck.points[-1].selected.low < 1.4236 * np.sqrt(2) < luck.points[-1].selected.high
    assert "of it" in luck.sentence("best-of-n")


def test_noise_is_the_spread_from_draw_to_draw() -> None:
    searches, known = noisy(60, 0.25)
    (found,) = movements(Anew(searches, known, DIRECTIONS))
    assert found.sd.mean == pytest.approx(0.25, rel=0.02) and found.sd.low < 0.25 < found.sd.high
    assert found.spread == pytest.approx(np.sqrt(1 + 0.25**2), rel=0.1)
    assert found.moved == 1.0 and found.candidates == 480
    (noisier,) = movements(Anew(*noisy(100, 1.0, draws=4), DIRECTIONS))
    assert noisier.losers is not None and noisier.winners.high < 0 < noisier.losers.low


def test_a_verifier_without_noise_has_no_luck() -> None:
    searches, known = noisy(20, 0.0, draws=2)
    anew = Anew(searches, known, DIRECTIONS)
    (luck,), (movement,) = lucks(anew, CELLS, {"bon": SIM}), movements(anew)
    assert all(abs(point.luck.mean) < 1e-12 for point in luck.points)
    assert movement.sd.mean < 1e-12 and movement.moved == 0.0
    assert "no more than chance would give" in luck.sentence("best-of-n")


def test_the_correlation_is_that_of_scipy_with_and_without_ties() -> None:
    random = np.random.default_rng(2)
    for decimals in (0, 5):
        first, last = (np.round(random.standard_normal(12), decimals) for _ in range(2))
        own = correlation([scored(v) for v in first], [scored(v) for v in last], higher=True)
        assert own == pytest.approx(spearmanr(first, last).statistic)


def test_equal_scores_are_ordered_as_searches_do() -> None:
    same = [Scored(value=0.0, logp=logp) for logp in (-3.0, -1.0, -2.0)]
    assert positions(same, higher=False).tolist() == [3, 1, 2]
    bad = [Scored(value=1.0, unusable="bad"), Scored(value=2.0), Scored(value=None), Scored(value=2.0)]
    assert positions(bad, higher=False).tolist() == [3.5, 1.5, 3.5, 1.5]


def test_beginnings_that_are_alike_tell_nothing_and_equal_ends_are_left_out() -> None:
    alike, apart = [scored(1.0)] * 4, [scored(v) for v in (1.0, 2.0, 3.0, 4.0)]
    assert correlation(alike, apart, higher=True) == 0.0
    assert correlation(apart, alike, higher=True) is None


def test_the_switch_is_where_the_interval_passes_a_half() -> None:
    random = np.random.default_rng(1)
    searches, known = [], Known()
    for utterance in range(40):
        for seed in (0, 1):
            whole = random.standard_normal(8)
            one = search(utterance, seed, whole)
            searches.append(one)
            for seconds, error in ((0.5, 4.0), (1.0, 0.3), (1.5, 0.1)):
                part = whole + error * random.standard_normal(8)
                piece = Piece(one.key, "sim", BEGINNING, seconds)
                known[piece] = {number: scored(float(value)) for number, value in enumerate(part)}
    found = agreements(searches, known, DIRECTIONS)
    assert [(one.seconds, one.correlation.n, one.searches, one.candidates) for one in found] == [
        (0.5, 40, 80, 8), (1.0, 40, 80, 8), (1.5, 40, 80, 8),
    ]  # fmt: skip
    first, second, third = (one.correlation.mean for one in found)
    assert first < 0.4 and 0.85 < second < third
    (switch,) = switches(found)
    assert switch.seconds == 1.0 and "from 1 s on" in switch.sentence
    (never,) = switches(found[:1])
    assert never.seconds is None and "at no time" in never.sentence


def test_the_changes_are_far_below_what_can_be_heard() -> None:
    time = np.arange(16_000) / 16_000
    speech = (0.3 * np.sin(2 * np.pi * 220 * time) + 0.2 * np.sin(2 * np.pi * 1500 * time)).astype(np.float32)
    for draw in range(20):
        found = perturbed(speech, draw)
        delay = len(found) - len(speech)
        assert 1 <= delay <= 8 and found.dtype == np.float32
        own = found[delay:]
        gain = float(own @ speech / (speech @ speech))
        assert 0.005 < abs(20 * np.log10(gain)) + 0.005 <= 0.106
        rest = own - gain * speech
        assert 10 * np.log10(np.mean(rest**2) / np.mean(speech**2)) == pytest.approx(-60, abs=0.5)
        assert np.array_equal(found, perturbed(speech, draw))
    assert not np.array_equal(perturbed(speech, 0), perturbed(speech, 1))
    assert not perturbed(np.zeros(100, np.float32), 0).any()
    assert len(perturbed(np.zeros(0, np.float32), 3)) <= 8
