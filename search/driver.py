"""One request on its way through a strategy: asks become answers, within the budget, and at the end a result."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from llasa_core.errors import UserError
from llasa_core.request import Request
from search.asks import Ask, Beam, Beams, Branch, Choice, Extend, Start, Strategy
from search.backends.base import Session
from search.cost.budget import NO_LIMIT, Budget, Spent
from search.results.manifest import describe_request, versions
from search.results.result import Candidate, SearchResult
from search.results.trace import Step, node_id, step_of
from verifiers.base import Score

Waiting = Generator[Future[Any], Any, Any]
"""Yields futures and is sent what they hold."""


@dataclass(slots=True)
class Search:
    """What is known of one request while it is searched."""

    strategy: Strategy
    session: Session
    budget: Budget = NO_LIMIT
    trace: list[Step] = field(default_factory=list)
    complete: dict[str, Beam] = field(default_factory=dict)
    """Beams that have ended, by node."""
    running: Beams = ()
    """Those that the last extension left unfinished."""
    began: float = field(default_factory=time.perf_counter)

    @property
    def until(self) -> float:
        return math.inf if self.budget.seconds is None else self.began + self.budget.seconds

    def plan(self) -> Generator[Future[Any], Any, tuple[Choice, str]]:
        """Carry out the strategy: its choice, and what stopped it early ("" if nothing did)."""
        plan = self.strategy.plan()
        answer: Any = None
        try:
            while True:
                try:
                    ask = plan.send(answer)
                except StopIteration as done:
                    return done.value, ""
                answer = yield from self._answer(ask)
        except Spent as spent:
            plan.close()
            choice = yield from self._conclude()
            return choice, str(spent)

    def _conclude(self) -> Generator[Future[Any], Any, Choice]:
        """The best of what is complete; of what is not, if nothing is."""
        whole = tuple(sorted(self.complete.values(), key=lambda beam: beam.lineage))
        cut = tuple(replace(beam, finished=True, cut_off=True) for beam in self.running if beam.tokens)
        if not (whole or cut):
            raise UserError("the budget was spent before anything was spoken: give more")
        plan = self.strategy.conclude(whole or cut)
        answer: Any = None
        while True:
            try:
                ask = plan.send(answer)
            except StopIteration as done:
                choice: Choice = done.value
                return choice if whole else replace(choice, satisfied=False)
            answer = yield from self._record(ask)

    def _answer(self, ask: Ask) -> Waiting:
        if isinstance(ask, Extend) and self.budget != NO_LIMIT:
            return (yield from self._extend(ask))
        if not isinstance(ask, Start | Branch):
            self._check()
        return (yield from self._record(ask))

    def _extend(self, ask: Extend) -> Waiting:
        """Extend as many beams at once as the budget surely has room for, then the next; in the order of the ask."""
        most = self.session.longest if ask.n_tokens is None else ask.n_tokens
        found = {node_id(beam): beam for beam in ask.beams if beam.finished}
        rest = [beam for beam in dict.fromkeys(ask.beams) if not beam.finished]
        if ask.n_tokens is not None and self._affordable(most) < len(rest):
            self.running = tuple(rest)
            raise Spent(f"the budget has no room for {len(rest)} beams to go on by {most} tokens")
        while rest:
            self.running = tuple(rest)
            self._check()
            count = max(1, min(len(rest), self._affordable(most)))
            left = self._tokens_left()
            group, rest = tuple(rest[:count]), rest[count:]
            longest = most if left is None else min(most, left)
            grown = yield from self._record(Extend(group, longest if count == 1 else ask.n_tokens))
            found |= {node_id(old): new for old, new in zip(group, grown, strict=True)}
            if ask.n_tokens is None and not all(beam.finished for beam in grown):
                self.running = grown
                self._check()
                raise Spent("the budget was spent in the middle of a candidate")
        return tuple(found[node_id(beam)] for beam in ask.beams)

    def _tokens_left(self) -> int | None:
        ledger = self.session.ledger
        return None if self.budget.tokens is None else self.budget.tokens - ledger.tokens_generated

    def _affordable(self, most: int) -> int:
        """How many beams may go on by so many tokens."""
        left, allowed = self._tokens_left(), math.inf
        if left is not None:
            allowed = left // most
        if self.budget.candidates is not None and most == self.session.longest:
            allowed = min(allowed, self.budget.candidates - len(self.complete))
        if self.budget.flops is not None:
            spent = sum(self.session.ledger.flops.values())
            allowed = min(allowed, (self.budget.flops - spent) // self.session.flops_of(most))
        return int(min(allowed, 1 << 30))

    def _check(self) -> None:
        self.budget.check(self.session.ledger, len(self.complete), self.until)

    def _record(self, ask: Ask) -> Waiting:
        began = time.perf_counter()
        answer = yield self.session.answer(ask, self.until)
        now = time.perf_counter()
        self.trace.append(step_of(ask, answer, began - self.began, now - began))
        if isinstance(ask, Extend):
            self.complete |= {node_id(beam): beam for beam in answer if beam.finished}
            self.running = tuple(beam for beam in answer if not beam.finished)
        return answer


def search(
    request: Request,
    strategy: Strategy,
    session: Session,
    judges: Sequence[str],
    models: Mapping[str, Any],
    budget: Budget = NO_LIMIT,
) -> Generator[Future[Any], Any, SearchResult]:
    """Everything that happens to one request, from its first ask to its result. `judges` are specs."""
    try:
        return (yield from _searched(request, strategy, session, judges, models, budget))
    finally:
        session.close()


def _searched(
    request: Request,
    strategy: Strategy,
    session: Session,
    judges: Sequence[str],
    models: Mapping[str, Any],
    budget: Budget,
) -> Generator[Future[Any], Any, SearchResult]:
    for judge in judges:
        # what a judge cannot judge against is refused before anything is spoken, not after all the work
        yield session.judge((), judge)
    progress = Search(strategy, session, budget)
    choice, stopped = yield from progress.plan()
    waveforms = yield session.waveforms(choice.beams)
    judged: dict[str, list[Score]] = {}
    for spec in judges:
        judged[spec] = yield session.judge(choice.beams, spec)
    session.ledger.close(choice.beams)
    ranks = {number: rank for rank, number in enumerate(choice.ranking)}
    candidates = tuple(
        Candidate(
            number=number,
            rank=ranks[number],
            lineage=beam.lineage,
            tokens=beam.tokens,
            waveform=waveforms[number],
            scores={name: scores[number] for name, scores in choice.scores.items()},
            judged={spec: scores[number] for spec, scores in judged.items()},
            cut_off=beam.cut_off,
        )
        for number, beam in enumerate(choice.beams)
    )
    manifest = {
        "request": describe_request(request),
        "strategy": strategy.describe(),
        "budget": budget.as_dict(),
        "models": dict(models),
        "versions": versions(),
    }
    return SearchResult(
        request, candidates, choice.satisfied, session.ledger, tuple(progress.trace), manifest, stopped
    )
