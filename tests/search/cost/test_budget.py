"""Limits of a request, and limits of the limits."""

import math
from typing import Any

import pytest

from llasa_core.errors import UserError
from search.bounds import shown
from search.cost.budget import NO_LIMIT, Budget, Spent
from search.cost.ledger import Ledger

LIMITS = ("candidates", "tokens", "seconds", "flops")


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize(
    "value",
    [0, -1, -(10**400), 10**400, 10**5000, 1e308, math.inf, -math.inf, math.nan, True, "5", [5]],
    ids=shown,
)
def test_a_limit_of_no_use_is_refused_in_one_short_line(limit: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"^a budget of .* {limit}: (has to be|give more than 0)") as found:
        Budget(**{limit: value})
    assert len(str(found.value)) < 120


@pytest.mark.parametrize("limit", ["candidates", "tokens"])
def test_half_a_token_is_none(limit: str) -> None:
    with pytest.raises(UserError, match=f"a budget of 2.5 {limit}: has to be a whole number"):
        Budget(**{limit: 2.5})


@pytest.mark.parametrize("limit", LIMITS)
def test_limits_from_the_smallest_to_the_largest(limit: str) -> None:
    for value in (1, 1e9 if limit in ("seconds", "flops") else 2**53):
        budget = Budget(**{limit: value})
        assert budget.as_dict() == {limit: value}
        budget.check(Ledger(), 0, math.inf)
    assert NO_LIMIT.as_dict() == {}


def test_what_is_spent_is_named() -> None:
    ledger = Ledger(tokens_generated=10, flops={"generator": 5.0, "codec": 6.0})
    for budget, complete, until in (
        (Budget(tokens=10), 0, math.inf),
        (Budget(candidates=3), 3, math.inf),
        (Budget(flops=11), 0, math.inf),
        (Budget(seconds=2), 0, 0.0),
    ):
        with pytest.raises(Spent, match="is spent"):
            budget.check(ledger, complete, until)
    Budget(tokens=11, candidates=4, flops=12, seconds=2).check(ledger, 3, math.inf)
