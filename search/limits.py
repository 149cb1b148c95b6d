"""The asks of a strategy within a budget: work is begun only where there is room for it.

Under a limit of FLOPs or seconds, room is told by what the same work has cost this request before
(`search.cost.prices`), so the first of each kind is done for one beam alone. Complete candidates are measured
as they come, by the verifiers that the strategy will ask for: what is known is not measured again when it
does ask, and no candidate is left that there is no room to judge. Beams that grow in step keep back what it
costs to finish and judge one of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeAlias

from llasa_core.errors import UserError
from llasa_core.request import Request
from search.asks import Ask, Beam, Beams, Extend, Measure
from search.backends.base import Session
from search.cost.budget import Budget, Spent
from search.cost.prices import Cost, Prices
from search.reserve import Steps, flops_between, foremost, predicted_tokens, tokens_to_finish
from search.results.trace import node_id
from search.strategies.base import Strategy
from verifiers.base import Score
from verifiers.selection.cascade import Cascade

Known: TypeAlias = dict[tuple[int, ...], Score]
MARGIN = 1.04
"""Of the limit of seconds, until when a beam that is being finished may go on."""


class LimitedAsks:
    """Carries out the asks of one request. record: carries out one ask, and notes it in the trace."""

    def __init__(
        self,
        request: Request,
        strategy: Strategy,
        session: Session,
        budget: Budget,
        began: float,
        record: Callable[[Ask, float], Steps],
    ) -> None:
        self.request = request
        self.strategy = strategy
        self.session = session
        self.budget = budget
        self.began = began
        self.until = math.inf if budget.seconds is None else began + budget.seconds
        self.priced = budget.flops is not None or budget.seconds is not None
        self.prices = Prices()
        self._record = record
        self._complete: dict[str, Beam] = {}  # by node
        self._running: Beams = ()  # left unfinished by the last extension
        self._partial: dict[str, Known] = {}  # by verifier, as last measured
        self._decoded: set[tuple[int, ...]] = set()
        self._probed: dict[str, int] = {}  # by verifier, the tokens from which on it is asked again
        self._scores: dict[str, Known] = {verifier: {} for verifier in strategy.verifiers}

    def answer(self, ask: Ask) -> Steps:
        """Raises Spent where the budget has no room for more."""
        if isinstance(ask, Extend):
            return (yield from self._extend(ask))
        if isinstance(ask, Measure):
            return (yield from (self._weigh(ask) if ask.partial else self._judge(ask)))
        return (yield from self._record(ask, math.inf))

    def conclude(self, ask: Ask) -> Steps:
        """For a plan that was broken off: what was measured is known, all else is done without a limit."""
        if not isinstance(ask, Measure) or ask.partial:
            return (yield from self._record(ask, math.inf))
        known = self._scores.setdefault(ask.verifier, {})
        yield from self._measured([beam for beam in ask.beams if beam.tokens not in known], ask.verifier)
        return tuple(known[beam.tokens] for beam in ask.beams)

    def left(self) -> tuple[Beams, bool]:
        """The candidates to choose among once the budget is spent, and whether they are complete.

        Raises UserError if nothing was spoken.
        """
        whole = tuple(sorted(self._complete.values(), key=lambda beam: beam.lineage))
        if self.priced and whole:
            judged = tuple(
                beam for beam in whole if all(beam.tokens in known for known in self._scores.values())
            )
            whole = judged or whole[:1]
        cut = tuple(replace(beam, finished=True, cut_off=True) for beam in self._running if beam.tokens)
        if not (whole or cut):
            raise UserError("the budget was spent before anything was spoken: give more")
        return whole or cut, bool(whole)

    def _extend(self, ask: Extend) -> Steps:
        """Extend as many beams at once as there is room for, then the next; in the order of the ask."""
        most = self.session.longest if ask.n_tokens is None else ask.n_tokens
        found = {node_id(beam): beam for beam in ask.beams if beam.finished}
        rest = [beam for beam in dict.fromkeys(ask.beams) if not beam.finished]
        if ask.n_tokens is not None and rest and not self._room_beside_finishing(rest, most):
            self._running = tuple(rest)
            yield from self._finish(f"grow {len(rest)} beams by {most} tokens")
        while rest:
            self._running = tuple(rest)
            self._check()
            count = max(1, min(len(rest), self._affordable(rest, ask.n_tokens)))
            left = self._tokens_left()
            group, rest = tuple(rest[:count]), rest[count:]
            longest = most if left is None else min(most, left)
            until = self.until - self._judging(group).seconds
            if not self._complete and ask.n_tokens is None:
                until = max(until, time.perf_counter() + self._finishing(group).seconds)  # whole speech first
            grown = yield from self._grow(group, longest if count == 1 else ask.n_tokens, until)
            found |= {node_id(old): new for old, new in zip(group, grown, strict=True)}
            yield from self._judge_complete(grown)
            yield from self._probe()
            if ask.n_tokens is None and not all(beam.finished for beam in grown):
                self._running = grown
                self._check()
                raise Spent("the budget was spent in the middle of a candidate")
        return tuple(found[node_id(beam)] for beam in ask.beams)

    def _grow(self, beams: Beams, n_tokens: int | None, until: float) -> Steps:
        before, began = self.session.ledger.copy(), time.perf_counter()
        grown = yield from self._record(Extend(beams, n_tokens), until)
        cost = Cost.of(before, self.session.ledger, time.perf_counter() - began)
        lengths = [(len(old.tokens), len(new.tokens)) for old, new in zip(beams, grown, strict=True)]
        predicted = sum(flops_between(self.session, first, last) for first, last in lengths)
        self.prices.extended(len(beams), max(last - first for first, last in lengths), predicted, cost)
        self._complete |= {node_id(beam): beam for beam in grown if beam.finished}
        self._running = tuple(beam for beam in grown if not beam.finished)
        return grown

    def _weigh(self, ask: Measure) -> Steps:
        """Partial utterances: all of them, or none and the best is finished."""
        if self._running and not self._room_beside_finishing(self._running, 0):
            yield from self._finish("measure its beams")
        self._check()
        count = len(ask.beams)
        if self.priced and not self.prices.knows(ask.verifier, partial=True):
            count = 1  # and then twice as many each time, as the first ones may be silent
        scores: tuple[Score, ...] = ()
        while rest := ask.beams[len(scores) :]:
            if scores:
                more = self._measuring(ask.verifier, rest, partial=True)
                if not self._fits(more + self._finishing(self._running or rest)):
                    self._running = self._running or rest
                    yield from self._finish("measure its beams")
            scores += yield from self._measure(replace(ask, beams=rest[:count]))
            count *= 2
        self._partial[ask.verifier] = {b.tokens: s for b, s in zip(ask.beams, scores, strict=True)}
        return scores

    def _judge(self, ask: Measure) -> Steps:
        """Complete candidates, as many as there is room for; raises Spent if some are left."""
        known = self._scores.setdefault(ask.verifier, {})
        new = [beam for beam in ask.beams if beam.tokens not in known]
        if new:
            self._check()
        if (yield from self._measured(new, ask.verifier, within=self.priced)):
            raise Spent(f"the budget has no room to measure all candidates by {ask.verifier}")
        return tuple(known[beam.tokens] for beam in ask.beams)

    def _judge_complete(self, grown: Beams) -> Steps:
        """What has ended is measured at once, so that what follows knows what is left.

        Of a cascade only the stages are: they decide whom the others are asked about. The first candidate is
        measured by all, as nothing else says what that costs.
        """
        if not self.priced:
            return
        ended = [beam for beam in grown if beam.finished]
        selection = self.strategy.selection
        stages = [one.metric for one in selection.stages] if isinstance(selection, Cascade) else []
        for verifier in self.strategy.verifiers:
            known = self._scores[verifier]
            if stages and verifier not in stages and known:
                continue
            new = [beam for beam in ended if beam.tokens not in known]
            yield from self._measured(new, verifier, within=True)

    def _probe(self) -> Steps:
        """While nothing is complete, one growing beam shows what judging will cost: a verifier that has only
        been asked about beams that are too short for it will be asked again."""
        if not self.priced or self._complete or not self._running:
            return
        for verifier in self.strategy.verifiers:
            cost = self.prices.of_measuring(verifier, partial=False, count=1, tokens=1)
            if not cost.flops and len(self._running[0].tokens) > self._probed.get(verifier, 0):
                self._probed[verifier] = 2 * len(self._running[0].tokens)
                yield from self._measure(Measure(self._running[:1], verifier, True))

    def _measured(self, beams: Sequence[Beam], verifier: str, *, within: bool = False) -> Steps:
        """Measures complete candidates; how many were left out as there is no room. within: only what
        there is room for, but one if none has been measured."""
        known = self._scores.setdefault(verifier, {})
        rest = list({beam.tokens: beam for beam in beams}.values())
        while rest:
            count = len(rest)
            if within and not self.prices.knows(verifier, partial=False):
                count = 1
            elif within:
                count = self._most(self._measuring(verifier, rest[:1], partial=False), len(rest))
                if not count and known:
                    return len(rest)
            some, rest = tuple(rest[: max(count, 1)]), rest[max(count, 1) :]
            scores = yield from self._measure(Measure(some, verifier))
            known |= {beam.tokens: score for beam, score in zip(some, scores, strict=True)}
        return 0

    def _measure(self, ask: Measure) -> Steps:
        before, began = self.session.ledger.copy(), time.perf_counter()
        scores = yield from self._record(ask, math.inf)
        ledger, seconds = self.session.ledger, time.perf_counter() - began
        tokens, new = max(len(beam.tokens) for beam in ask.beams), self._undecoded(ask.beams)
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
        return tuple(scores)

    def _undecoded(self, beams: Sequence[Beam]) -> int:
        """How many of the beams the codec has still to decode: it does so once for all verifiers."""
        return sum(beam.tokens not in self._decoded for beam in beams)

    def _finish(self, what: str) -> Steps:
        """Finishes the best of the running beams with what was kept back, and the next ones while there is
        room for them; raises Spent."""
        rest, finished = list(self._running), 0
        while rest and self._may_finish(
            foremost(tuple(rest), self.strategy, self._partial), first=not finished
        ):
            best = foremost(tuple(rest), self.strategy, self._partial)
            until = math.inf
            if self.budget.seconds is not None:
                until = self.began + MARGIN * self.budget.seconds - self._judging((best,)).seconds
                until = max(
                    until, time.perf_counter() + self._finishing((best,)).seconds
                )  # whole speech first
            grown = yield from self._grow((best,), self._tokens_left(), until)
            if self._running:
                raise Spent("the budget was spent in the middle of a candidate")
            yield from self._judge_complete(grown)
            rest.remove(best)
            finished += 1
        told = "the best one was finished" if finished < 2 else f"the best {finished} were finished"
        raise Spent(f"the budget has no room to {what}: {told}")

    def _may_finish(self, beam: Beam, *, first: bool) -> bool:
        """Whether there is room to finish and judge it; of the first one that was kept back."""
        left, most = self._tokens_left(), self.budget.candidates
        if left == 0 or (most is not None and len(self._complete) >= most):
            return False
        if first:
            return True
        more = tokens_to_finish(self.session, (beam,), self._predicted)
        return (left is None or left >= more) and self._fits(self._finishing((beam,)))

    def _room_beside_finishing(self, beams: Sequence[Beam], step: int) -> bool:
        """Whether the beams may grow by a step, and one of them to the longest predicted length after it."""
        beams = tuple(beams)
        left = self._tokens_left()
        more = tokens_to_finish(self.session, beams, self._predicted, step)
        if left is not None and left < len(beams) * step + more:
            return False
        if not self.priced:
            return True
        needed = self._extending(beams, step) + self._finishing(beams, step)
        if reward := getattr(self.strategy, "prm", None):
            for metric in reward.metrics:
                needed += self._measuring(metric, beams, partial=True, more=step)
        return self._fits(needed)

    def _finishing(self, beams: Beams, step: int = 0) -> Cost:
        """To finish and judge the shortest of the beams once each has grown by a step."""
        shortest = min(beams, key=lambda beam: len(beam.tokens))
        more = tokens_to_finish(self.session, beams, self._predicted, step)
        grown = len(shortest.tokens) + step
        generated = flops_between(self.session, grown, grown + more)
        judged = self._judging((shortest,), tokens=grown + more)
        return self.prices.of_extending(1, more, generated) + judged

    def _extending(self, beams: Beams, step: int) -> Cost:
        generated = sum(
            flops_between(self.session, len(beam.tokens), len(beam.tokens) + step) for beam in beams
        )
        return self.prices.of_extending(len(beams), step, generated)

    def _judging(self, beams: Beams, tokens: int | None = None) -> Cost:
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

    def _measuring(self, verifier: str, beams: Sequence[Beam], *, partial: bool, more: int = 0) -> Cost:
        """By one verifier, once the beams have so many tokens more."""
        longest = max(len(beam.tokens) for beam in beams) + more
        new = len(beams) if more else self._undecoded(beams)
        measured = self.prices.of_measuring(verifier, partial=partial, count=len(beams), tokens=longest)
        return measured + self.prices.of_decoding(new, longest)

    def _affordable(self, beams: Sequence[Beam], n_tokens: int | None) -> int:
        """How many of the beams may go on at once."""
        most = self.session.longest if n_tokens is None else n_tokens
        left, allowed = self._tokens_left(), len(beams)
        if left is not None:
            allowed = left // most
        if self.budget.candidates is not None and n_tokens is None:
            allowed = min(allowed, self.budget.candidates - len(self._complete))
        if self.priced and n_tokens is None:
            if not self._complete:
                return 1  # which says what one costs
            have = min(len(beam.tokens) for beam in beams)
            more = max(1, self._length - have)
            generated = flops_between(self.session, have, have + more)
            one = self.prices.of_extending(1, more, generated) + self._judging(tuple(beams[:1]))
            room = self._most(one, len(beams))
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
        return max((len(beam.tokens) for beam in self._complete.values()), default=self._predicted)

    def _most(self, each: Cost, count: int) -> int:
        """For how many of `count` such pieces of work there is room."""
        low, high = 0, count
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._fits(each * middle) else (low, middle - 1)
        return low

    def _fits(self, cost: Cost) -> bool:
        flops, spent = self.budget.flops, sum(self.session.ledger.flops.values())
        return (flops is None or spent + cost.flops <= flops) and (
            time.perf_counter() + cost.seconds <= self.until
        )

    def _tokens_left(self) -> int | None:
        ledger = self.session.ledger
        return None if self.budget.tokens is None else self.budget.tokens - ledger.tokens_generated

    def _check(self) -> None:
        self.budget.check(self.session.ledger, len(self._complete), self.until)
