"""Variance components, power and the noise floor, on draws of known variances."""

import math

import numpy as np
import pandas
import pytest

from experiments.studies.analysis import Analysis
from experiments.studies.power import FACTOR, components, spread, statement
from tests.experiments.studies.tables import frame, search


def test_variances_are_those_that_were_drawn() -> None:
    generator = np.random.default_rng(0)
    groups = [generator.normal(0, 2.0) + generator.normal(0, 0.5, 4) for _ in range(2000)]
    found = components(groups)
    assert found.between == pytest.approx(4.0, rel=0.08)
    assert found.within == pytest.approx(0.25, rel=0.05)
    assert found.seeds == 4


def test_unequal_numbers_of_seeds() -> None:
    generator = np.random.default_rng(1)
    groups = [generator.normal(0, 1.0) + generator.normal(0, 1.0, 1 + k % 3) for k in range(3000)]
    found = components(groups)
    assert found.between == pytest.approx(1.0, rel=0.1) and found.within == pytest.approx(1.0, rel=0.1)


def test_the_number_of_utterances_has_the_power_that_it_says() -> None:
    """Simulated experiments with that many utterances find the difference in 80 % of cases."""
    generator = np.random.default_rng(2)
    between, within, difference, seeds = 0.02, 0.03, 0.05, 3
    pilot = [generator.normal(0, between**0.5) + generator.normal(0, within**0.5, seeds) for _ in range(4000)]
    n = components(pilot).utterances_for(difference, seeds)
    texts = generator.normal(difference, between**0.5, (4000, n))
    means = texts + generator.normal(0, (within / seeds) ** 0.5, (4000, n))
    error = means.std(axis=1, ddof=1) / math.sqrt(n)
    assert (np.abs(means.mean(axis=1)) > 1.96 * error).mean() == pytest.approx(0.8, abs=0.04)


def test_the_noise_floor_holds_95_percent_of_pairs_of_runs() -> None:
    generator = np.random.default_rng(3)
    texts = generator.normal(0, 1, 50)
    runs = texts + generator.normal(0, 0.3, (4000, 2, 50))
    index = pandas.MultiIndex.from_product([range(50), range(2)])
    floors = [spread(pandas.Series(run.T.ravel(), index=index)).noise_floor for run in runs[:300]]
    floor = np.mean([one for one in floors if one is not None])
    apart = np.abs(runs[:, 0].mean(axis=1) - runs[:, 1].mean(axis=1))
    assert (apart <= floor).mean() == pytest.approx(0.95, abs=0.015)


def test_one_seed_has_no_noise_floor() -> None:
    found = components([np.array([0.1]), np.array([0.4]), np.array([0.2])])
    assert found.within is None and found.noise_floor is None
    assert found.found == pytest.approx(FACTOR * np.std([0.1, 0.4, 0.2], ddof=1) / math.sqrt(3))
    first, second, third = statement(found, None, {"half the errors": 0.05}, "errors per word")
    assert first.startswith("3 utterances with 1 seed find a mean difference of")
    assert second.startswith("one seed:")
    needed = found.utterances_for(0.05, 1)
    assert third == f"half the errors (0.05 errors per word) needs {needed} utterances with 1 seed"


def test_no_difference_needs_no_number() -> None:
    with pytest.raises(ValueError, match="difference of 0"):
        components([np.array([0.1, 0.2]), np.array([0.4, 0.1])]).utterances_for(0.0, 1)


def test_where_no_pair_differs_nothing_is_said_of_what_could_be_found() -> None:
    same = components([np.zeros(1), np.zeros(1), np.zeros(1)])
    assert statement(same, None, {}, "errors")[0] == (
        "in 3 utterances no pair differs: what they could find is not known"
    )


def test_the_rounding_of_sums_is_no_difference() -> None:
    """0.1 + 0.2 - 0.3 is 5.6e-17: no number of utterances that finds it may be asked for."""
    rows = []
    for number, change in enumerate((0.1, 0.2, -0.3)):
        for strategy, wer in (("best-of-n", 0.5), ("beam", 0.5 + change)):
            own = {"strategy": strategy, "series": strategy, "n": 1}
            rows += search(utterance=f"u{number}", wer=[wer], sim=[0], judge=[wer], **own)
    found = {one.measure.metric: one.difference for one in Analysis(frame(rows)).paired}
    assert found["wer"] == 0.0
