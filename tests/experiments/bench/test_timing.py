"""Ratios of paired times, and how sure they are."""

import pytest

from experiments.bench.timing import Ratio


def test_a_ratio_is_the_median_of_the_pairs_within_its_interval() -> None:
    found = Ratio.of([2.0, 2.2, 1.9, 2.1, 9.0])
    assert found.median == 2.1 and found.pairs == 5
    assert 1.9 <= found.low <= 2.0 and found.high in (2.2, 9.0)
    assert found == Ratio.of([2.0, 2.2, 1.9, 2.1, 9.0])
    assert Ratio.of([1.5] * 3).show() == "1.50 [1.50, 1.50]"
    with pytest.raises(ValueError, match="no pairs"):
        Ratio.of([])


def test_more_pairs_make_it_surer() -> None:
    few, many = Ratio.of([1.0, 1.2, 1.1]), Ratio.of([1.0, 1.2, 1.1] * 20)
    assert few.median == many.median == 1.1
    assert many.high - many.low < few.high - few.low
