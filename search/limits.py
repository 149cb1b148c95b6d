"""The asks of a strategy within a budget: work is begun only where there is room for it.

Under a limit of FLOPs or seconds, room is told by what the same work has cost this request before
(`search.room`), so the first of each kind is done for one beam alone. Complete candidates are measured
as they come, by the verifiers that the strategy will ask for: what is known is not measured again when it
does ask, and no candidate is left that there is no room to judge. Beams that grow in step keep back what it
costs to finish and judge one of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from llasa_core.errors import UserError
from llasa_core.request import Request
from search.asks import Ask, Beam, Beams, Extend, Measure
from search.backends.base import Session
from search.cost.budget import Budget, Spent
from search.reserve import Steps, foremost
from search.results.trace import node_id
from search.room import Room
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
        self.strategy = strategy
        self.session = session
        self.room = Room(request, strategy, session, budget, began)
        self._record = record
        self._running: Beams = ()  # left unfinished by the last extension
        self._partial: dict[str, Known] = {}  # by verifier, as last measured
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
        whole = tuple(sorted(self.room.complete.values(), key=lambda beam: beam.lineage))
        if self.room.priced and whole:
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
        if ask.n_tokens is not None and rest and not self.room.beside_finishing(rest, most):
            self._running = tuple(rest)
            yield from self._finish(f"grow {len(rest)} beams by {most} tokens")
        while rest:
            self._running = tuple(rest)
            self.room.check()
            count = max(1, min(len(rest), self.room.affordable(rest, ask.n_tokens)))
            left = self.room.tokens_left()
            group, rest = tuple(rest[:count]), rest[count:]
            longest = most if left is None else min(most, left)
            first = not self.room.complete and ask.n_tokens is None
            until = self.room.deadline(group, whole=first)
            grown = yield from self._grow(group, longest if count == 1 else ask.n_tokens, until)
            found |= {node_id(old): new for old, new in zip(group, grown, strict=True)}
            yield from self._judge_complete(grown)
            yield from self._probe()
            if ask.n_tokens is None and not all(beam.finished for beam in grown):
                self._running = grown
                self.room.check()
                raise Spent("the budget was spent in the middle of a candidate")
        return tuple(found[node_id(beam)] for beam in ask.beams)

    def _grow(self, beams: Beams, n_tokens: int | None, until: float) -> Steps:
        before, began = self.session.ledger.copy(), time.perf_counter()
        grown = yield from self._record(Extend(beams, n_tokens), until)
        self.room.extended(beams, grown, before, time.perf_counter() - began)
        self._running = tuple(beam for beam in grown if not beam.finished)
        return grown

    def _weigh(self, ask: Measure) -> Steps:
        """Partial utterances: all of them, or none and the best is finished."""
        if self._running and not self.room.beside_finishing(self._running, 0):
            yield from self._finish("measure its beams")
        self.room.check()
        count = len(ask.beams)
        if self.room.priced and not self.room.prices.knows(ask.verifier, partial=True):
            count = 1  # and then twice as many each time, as the first ones may be silent
        scores: tuple[Score, ...] = ()
        while rest := ask.beams[len(scores) :]:
            if scores:
                more = self.room.measuring(ask.verifier, rest, partial=True)
                if not self.room.fits(more + self.room.finishing(self._running or rest)):
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
        if new and (self.room.priced or self.room.crowded):  # to measure costs neither tokens nor candidates
            self.room.check()
        if (yield from self._measured(new, ask.verifier, within=self.room.priced)):
            raise Spent(f"the budget has no room to measure all candidates by {ask.verifier}")
        return tuple(known[beam.tokens] for beam in ask.beams)

    def _judge_complete(self, grown: Beams) -> Steps:
        """What has ended is measured at once, so that what follows knows what is left.

        Of a cascade only the stages are: they decide whom the others are asked about. The first candidate is
        measured by all, as nothing else says what that costs.
        """
        if not self.room.priced:
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
        if not self.room.priced or self.room.complete or not self._running:
            return
        for verifier in self.strategy.verifiers:
            cost = self.room.prices.of_measuring(verifier, partial=False, count=1, tokens=1)
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
            if within and not self.room.prices.knows(verifier, partial=False):
                count = 1
            elif within:
                count = self.room.most(self.room.measuring(verifier, rest[:1], partial=False), len(rest))
                if not count and known:
                    return len(rest)
            some, rest = tuple(rest[: max(count, 1)]), rest[max(count, 1) :]
            scores = yield from self._measure(Measure(some, verifier))
            known |= {beam.tokens: score for beam, score in zip(some, scores, strict=True)}
        return 0

    def _measure(self, ask: Measure) -> Steps:
        before, began = self.session.ledger.copy(), time.perf_counter()
        scores = yield from self._record(ask, math.inf)
        self.room.measured(ask, before, time.perf_counter() - began)
        return tuple(scores)

    def _finish(self, what: str) -> Steps:
        """Finishes the best of the running beams with what was kept back, and the next ones while there is
        room for them; raises Spent."""
        rest, finished = list(self._running), 0
        while rest and self.room.may_finish(
            foremost(tuple(rest), self.strategy, self._partial), first=not finished
        ):
            best = foremost(tuple(rest), self.strategy, self._partial)
            until = self.room.deadline((best,), whole=True, margin=MARGIN)
            grown = yield from self._grow((best,), self.room.tokens_left(), until)
            if self._running:
                raise Spent("the budget was spent in the middle of a candidate")
            yield from self._judge_complete(grown)
            rest.remove(best)
            finished += 1
        told = "the best one was finished" if finished < 2 else f"the best {finished} were finished"
        raise Spent(f"the budget has no room to {what}: {told}")
