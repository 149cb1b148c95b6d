"""What a search may spend on one request."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from llasa_core.errors import UserError
from search.bounds import LARGEST, check_range, shown
from search.cost.ledger import Ledger

MOST = {"candidates": LARGEST, "tokens": LARGEST, "seconds": 1e9, "flops": 1e30}
"""The largest limits: 1e9 s are 31 years, 1e30 FLOPs a thousand years of the fastest computer."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one request; None is no limit.

    tokens: speech tokens sampled, never exceeded. candidates: complete utterances. flops: floating-point
    operations of generator, codec and verifiers, as they are counted. seconds: wall time until the choice is
    made. Work is begun only where there is room for it by what the same work has cost before
    (`search.limits`), so both hold wherever one candidate fits into them; what is under way ends. Judges are
    no part of a search. When a limit is reached, the best of the complete candidates wins, and the result
    says what stopped the search.

    Raises UserError for a limit that is not positive, or beyond any use.
    """

    candidates: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    flops: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is None:
                continue
            where = f"a budget of {shown(value)} {name}"
            if value == 0:
                raise UserError(f"{where}: give more than 0, or leave it out for no limit")
            whole = name in ("candidates", "tokens")
            check_range(where, value, 1 if whole else 0, MOST[name], whole=whole)

    def check(self, ledger: Ledger, complete: int, until: float) -> None:
        """Raises Spent if nothing more may be begun."""
        if self.candidates is not None and complete >= self.candidates:
            raise Spent(f"the budget of {self.candidates} candidates is spent")
        if self.tokens is not None and ledger.tokens_generated >= self.tokens:
            raise Spent(f"the budget of {self.tokens} tokens is spent")
        if self.flops is not None and sum(ledger.flops.values()) >= self.flops:
            raise Spent(f"the budget of {self.flops:.3g} FLOPs is spent")
        if time.perf_counter() >= until:
            raise Spent(f"the budget of {self.seconds:g} s is spent")

    def as_dict(self) -> dict[str, Any]:
        """The limits that there are."""
        return {name: value for name, value in asdict(self).items() if value is not None}


NO_LIMIT = Budget()


class Spent(Exception):
    """A budget is spent; says which."""
