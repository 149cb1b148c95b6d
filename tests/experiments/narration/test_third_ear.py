"""What a third ear's scores come to."""

import pytest

from experiments.narration.third_ear import Counts, counts_of, share_with, share_without
from verifiers.base import Score


@pytest.mark.parametrize(
    ("score", "counts"),
    [
        (Score(0.5, {"substitutions": 1, "deletions": 2, "insertions": 0, "words": 6}), Counts(3, 6)),
        (Score(0.0, {"substitutions": 0, "deletions": 0, "insertions": 0, "words": 4}), Counts(0, 4)),
        (Score(1.0, {"words": 5}, False, "silent"), Counts(5, 5)),
        (Score(1.0, {}, False, "not finite"), Counts(1, 1)),
    ],
)
def test_a_take_that_cannot_be_judged_is_all_wrong(score: Score, counts: Counts) -> None:
    assert counts_of(score) == counts


def test_shares_count_takes_and_none_of_none() -> None:
    without, flagged = share_without([0, 0, 3, 0]), share_with([0, 2])
    assert without is not None and flagged is not None
    assert (without.mean, without.n, flagged.mean, flagged.n) == (0.75, 4, 0.5, 2)
    assert share_without([]) is None and share_with([]) is None
