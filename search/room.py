"""How much room a budget leaves: what work will probably cost, beside what is left.

Under a limit of FLOPs or seconds this is told by what the same work has cost this request before
(`search.cost.prices`); beams that grow in step keep back what it costs to finish and judge one of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import cached_property

from llasa_core.request import Request
from search.asks import Beam, Beams, Measure
from search.backends.base import Session
from search.cost.budget import Budget, Spent
from search.cost.ledger import Ledger
from search.cost.prices import Cost, Prices
from search.reserve import flops_between, predicted_tokens, reward_of, tokens_to_finish
from search.results.trace import node_id
from search.strategies.base import Strategy
from verifiers.selection.cascade import Cascade


class Room:
    """Of one request. complete: its candidates that have ended, by node. until: the time until which work may
    go on, infinity without a limit of seconds. priced: whether what work costs has to be known."""

    def __init__(
        self, request: Request, strategy: Strategy, session: Session, budget: Budget, began: float
    ) -> None:
        self.request = request
        self.strategy = strategy
        self.session = session
        self.budget = budget
        self.began = began
        self.until = math.inf if budget.seconds is None else began + budget.seconds
        self.priced = budget.flops is not None or budget.seconds is not None
        self.prices = Prices()
        self.complete: dict[str, Beam] = {}
        self._decoded: set[tuple[int, ...]] = set()

    def extended(self, beams: Beams, grown: Beams, before: Ledger, seconds: float) -> None:
        """Notes what it cost to grow beams. before: the ledger until then."""
        cost = Cost.of(before, self.session.ledger, seconds)
        lengths = [(len(old.tokens), len(new.tokens)) for old, new in zip(beams, grown, strict=True)]
        predicted = sum(flops_between(self.session, first, last) for first, last in lengths)
        self.prices.extended(len(beams), max(last - first for first, last in lengths), predicted, cost)
        self.complete |= {node_id(beam): beam for beam in grown if beam.finished}

    def measured(self, ask: Measure, before: Ledger, seconds: float) -> None:
        """Notes what it cost to decode and measure beams. before: the ledger until then."""
        ledger, new = self.session.ledger, self._undecoded(ask.beams)
        tokens = max(len(beam.tokens) for beam in ask.beams)
        codec = Cost.of_codec(before, ledger)
        if codec != Cost():
            self.prices.decoded(max(new, 1), tokens, codec)
            self._decoded.update(beam.tokens for beam in ask.beams)
        self.prices.measured(
            ask.verifier,
            partial=ask.partial,
            count=len(ask.beams),
            tokens=tokens,
            cost=Cost.of(before, ledger, seconds) - codec,
        )

    def _undecoded(self, beams: Sequence[Beam]) -> int:
        """How many of the beams the codec has still to decode: it does so once for all verifiers."""
        return sum(beam.tokens not in self._decoded for beam in beams)

    def may_finish(self, beam: Beam, *, first: bool) -> bool:
        """Whether there is room to finish and judge it; of the first one that was kept back."""
        left, most = self.tokens_left(), self.budget.candidates
        if left == 0 or (most is not None and len(self.complete) >= most):
            return False
        if first:
            return True
        more = tokens_to_finish(self.session, (beam,), self._predicted)
        return (left is None or left >= more) and self.fits(self.finishing((beam,)))

    def beside_finishing(self, beams: Sequence[Beam], step: int) -> bool:
        """Whether the beams may grow by a step, and one of them to the longest predicted length after it."""
        beams = tuple(beams)
        left = self.tokens_left()
        more = tokens_to_finish(self.session, beams, self._predicted, step)
        if left is not None and left < len(beams) * step + more:
            return False
        if not self.priced:
            return True
        needed = self._extending(beams, step) + self.finishing(beams, step)
        if reward := reward_of(self.strategy):
            for metric in reward.metrics:
                needed += self.measuring(metric, beams, partial=True, more=step)
        return self.fits(needed)

    def deadline(self, beams: Beams, *, whole: bool, margin: float = 1.0) -> float:
        """Until when the beams may grow, so that there is time to judge them; infinity without a limit of
        seconds. whole: at least as long as it takes to finish one of them, since speech that breaks off is
        worse than a few per cent of seconds. margin: of the limit, until when work may go on."""
        if self.budget.seconds is None:
            return math.inf
        until = self.began + margin * self.budget.seconds - self.judging(beams).seconds
        return max(until, time.perf_counter() + self.finishing(beams).seconds) if whole else until

    def finishing(self, beams: Beams, step: int = 0) -> Cost:
        """To finish and judge the shortest of the beams once each has grown by a step."""
        shortest = min(beams, key=lambda beam: len(beam.tokens))
        more = tokens_to_finish(self.session, beams, self._predicted, step)
        grown = len(shortest.tokens) + step
        generated = flops_between(self.session, grown, grown + more)
        judged = self.judging((shortest,), tokens=grown + more)
        return self.prices.of_extending(1, more, generated) + judged

    def _extending(self, beams: Beams, step: int) -> Cost:
        generated = sum(
            flops_between(self.session, len(beam.tokens), len(beam.tokens) + step) for beam in beams
        )
        return self.prices.of_extending(len(beams), step, generated)

    def judging(self, beams: Beams, tokens: int | None = None) -> Cost:
        """To measure complete candidates by all verifiers; with a cascade, by the later ones in part."""
        length = self._length if tokens is None else tokens
        selection = self.strategy.selection
        stages = {one.metric: one for one in selection.stages} if isinstance(selection, Cascade) else {}
        share = math.prod(one.keep for one in stages.values() if one.keep <= 1)
        total = self.prices.of_decoding(len(beams), length)
        for verifier in self.strategy.verifiers:
            each = self.prices.of_measuring(verifier, partial=False, count=len(beams), tokens=length)
            total += each if verifier in stages or not stages else each * share
        return total

    def measuring(self, verifier: str, beams: Sequence[Beam], *, partial: bool, more: int = 0) -> Cost:
        """By one verifier, once the beams have so many tokens more."""
        longest = max(len(beam.tokens) for beam in beams) + more
        new = len(beams) if more else self._undecoded(beams)
        measured = self.prices.of_measuring(verifier, partial=partial, count=len(beams), tokens=longest)
        return measured + self.prices.of_decoding(new, longest)

    def affordable(self, beams: Sequence[Beam], n_tokens: int | None) -> int:
        """How many of the beams may go on at once."""
        most = self.session.longest if n_tokens is None else n_tokens
        left, allowed = self.tokens_left(), len(beams)
        if left is not None:
            allowed = left // most
        if self.budget.candidates is not None and n_tokens is None:
            allowed = min(allowed, self.budget.candidates - len(self.complete))
        if self.priced and n_tokens is None:
            if not self.complete:
                return 1  # which says what one costs
            have = min(len(beam.tokens) for beam in beams)
            more = max(1, self._length - have)
            generated = flops_between(self.session, have, have + more)
            one = self.prices.of_extending(1, more, generated) + self.judging(tuple(beams[:1]))
            room = self.most(one, len(beams))
            if not room:
                raise Spent("the budget has no room for another candidate")
            allowed = min(allowed, room)
        return allowed

    @cached_property
    def _predicted(self) -> int:
        return predicted_tokens(self.request, self.session.longest)

    @property
    def _length(self) -> int:
        """The longest complete candidate so far, in tokens; before there is one, the longest predicted."""
        return max((len(beam.tokens) for beam in self.complete.values()), default=self._predicted)

    def most(self, each: Cost, count: int) -> int:
        """For how many of `count` such pieces of work there is room."""
        low, high = 0, count
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.fits(each * middle) else (low, middle - 1)
        return low

    def fits(self, cost: Cost) -> bool:
        flops, spent = self.budget.flops, sum(self.session.ledger.flops.values())
        return (flops is None or spent + cost.flops <= flops) and (
            time.perf_counter() + cost.seconds <= self.until
        )

    def tokens_left(self) -> int | None:
        ledger = self.session.ledger
        return None if self.budget.tokens is None else self.budget.tokens - ledger.tokens_generated

    @property
    def crowded(self) -> bool:
        """Whether more candidates ended in one step than there was room for."""
        return self.budget.candidates is not None and len(self.complete) > self.budget.candidates

    def check(self) -> None:
        self.budget.check(self.session.ledger, len(self.complete), self.until)
