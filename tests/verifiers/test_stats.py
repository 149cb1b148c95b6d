"""Intervals: seeded, of the right width, paired."""

import numpy as np
import pytest

from verifiers.errors import VerifierError
from verifiers.stats import bootstrap_mean, bootstrap_ratio, paired_difference, wilson


def test_the_interval_is_that_of_the_normal_approximation_for_many_values() -> None:
    values = np.random.default_rng(1).normal(0.3, 0.1, size=400)
    found = bootstrap_mean(values)
    half = 1.96 * values.std() / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.002)
    assert found.high == pytest.approx(values.mean() + half, abs=0.002)
    assert found.n == 400


def test_the_same_seed_gives_the_same_interval_and_leaves_numpys_state() -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[index]
    assert bootstrap_mean([0.0, 0.5, 1.0], seed=3) == bootstrap_mean([0.0, 0.5, 1.0], seed=3)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index]


def test_equal_values_have_no_width() -> None:
    found = bootstrap_mean([0.25] * 5)
    assert (found.low, found.high) == (0.25, 0.25)
    assert str(found) == "0.250 [0.250, 0.250] (n=5)"


def test_paired_differences_are_narrower_than_the_values() -> None:
    generator = np.random.default_rng(2)
    sentence = generator.normal(0.5, 0.3, size=100)
    found = paired_difference(sentence + 0.05 + generator.normal(0, 0.01, 100), sentence)
    assert 0.04 < found.low < found.mean < found.high < 0.06
    alone = bootstrap_mean(sentence)
    assert found.high - found.low < (alone.high - alone.low) / 5


def test_bad_values_are_refused() -> None:
    with pytest.raises(VerifierError, match="no values"):
        bootstrap_mean([])
    with pytest.raises(VerifierError, match="not finite"):
        bootstrap_mean([0.1, float("nan")])
    with pytest.raises(VerifierError, match="cannot be paired"):
        paired_difference([0.1], [0.1, 0.2])
    with pytest.raises(VerifierError, match="resample"):
        bootstrap_mean([0.1], resamples=0)


def test_wilson_intervals_are_those_of_the_books() -> None:
    """The values of Newcombe 1998, table I, method 3."""
    for count, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ):
        found = wilson(count, n)
        assert (found.mean, found.n) == (count / n, n)
        assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))
    for count, n in ((0, 0), (2, 1), (-1, 3)):
        with pytest.raises(VerifierError):
            wilson(count, n)


def test_a_ratio_weighs_items_by_their_wholes() -> None:
    """Of 1 error in 10 words and 3 in 5: 4 / 15, and not the mean of the rates."""
    found = bootstrap_ratio([1, 3], [10, 5])
    assert found.mean == pytest.approx(4 / 15) and found.n == 2
    assert found.low == pytest.approx(0.1) and found.high == pytest.approx(0.6)
    alike = np.random.default_rng(0).random(50)
    assert bootstrap_ratio(alike, np.ones(50)) == bootstrap_mean(alike)
    for parts, wholes in (([1.0], [1.0, 2.0]), ([], []), ([1.0], [0.0]), ([1.0], [float("nan")])):
        with pytest.raises(VerifierError):
            bootstrap_ratio(parts, wholes)
