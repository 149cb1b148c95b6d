"""One request on its way through a strategy: asks become answers, within the budget, and at the end a
result."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeAlias

from llasa_core.errors import LlasaError, UserError, first_line, nearest
from llasa_core.request import Request
from search.asks import Ask, Beam, Beams, Branch, Choice, Extend, Measure, Start, Work
from search.backends.base import Session
from search.bounds import check_candidates, shown
from search.cost.budget import NO_LIMIT, Budget, Spent
from search.reserve import flops_between, foremost, predicted_tokens, tokens_to_finish
from search.results.candidate import Candidate
from search.results.manifest import describe
from search.results.result import SearchResult
from search.results.trace import Step, node_id, step_of
from search.strategies.base import Strategy
from verifiers.base import Score

Steps: TypeAlias = Generator[Future[Any], Any, Any]
"""Yields futures and is sent what they hold."""
Heard: TypeAlias = Callable[[Choice], Collection[int]]
"""Which candidates of a choice the judges hear, by their places in it."""


def all_candidates(choice: Choice) -> Collection[int]:
    """The judges hear every candidate."""
    return range(len(choice.beams))


class RequestSearch:
    """A search that waits for `pending`: `advance` hands over what that holds, until there is a result.

    directions: of every metric by name and every judge by spec, whether higher is better. models: for the
    manifest. heard: the candidates that the judges are asked about.

    Whatever the first step raises is raised here.
    """

    def __init__(
        self,
        request: Request,
        strategy: Strategy,
        session: Session,
        *,
        judges: Sequence[str] = (),
        directions: Mapping[str, bool],
        models: Mapping[str, Any],
        budget: Budget = NO_LIMIT,
        heard: Heard = all_candidates,
    ) -> None:
        self.request = request
        self.strategy = strategy
        self.session = session
        self.judges = judges
        self.directions = directions
        self.models = models
        self.budget = budget
        self.heard = heard
        self.trace: list[Step] = []
        self._complete: dict[str, Beam] = {}  # by node
        self._running: Beams = ()  # left unfinished by the last extension
        self._partial: dict[str, dict[tuple[int, ...], Score]] = {}  # by verifier, as last measured
        self._stopped = ""
        self._began = time.perf_counter()
        self._until = math.inf if budget.seconds is None else self._began + budget.seconds
        self._steps = self._search()
        self.pending: Future[Any] = next(self._steps)

    def advance(self) -> SearchResult | None:
        """Goes on once `pending` is done. The result, or None if there is something else to wait for.

        Raises whatever the request fails by.
        """
        try:
            if error := self.pending.exception():
                self.pending = self._steps.throw(error)
            else:
                self.pending = self._steps.send(self.pending.result())
        except StopIteration as done:
            result: SearchResult = done.value
            return result
        return None

    def close(self) -> None:
        """Nothing more is asked."""
        self._steps.close()

    def _search(self) -> Generator[Future[Any], Any, SearchResult]:
        try:
            for judge in self.judges:
                # what a judge cannot judge against is refused before anything is spoken
                yield self.session.judge((), judge)
            choice = yield from self._choose()
            waveforms = yield self.session.waveforms(choice.beams)
            judged: dict[int, dict[str, Score]] = {number: {} for number in range(len(choice.beams))}
            heard = sorted(set(self.heard(choice)))
            for judge in self.judges:
                scores = yield self.session.judge(tuple(choice.beams[number] for number in heard), judge)
                for number, score in zip(heard, scores, strict=True):
                    judged[number][judge] = score
            return self._result(choice, waveforms, judged)
        finally:
            self.session.close()

    def _choose(self) -> Generator[Future[Any], Any, Choice]:
        """What the strategy chooses; of what there is if the budget is spent before."""
        plan = self.strategy.plan()
        try:
            return (yield from self._carry_out(plan, self._answer))
        except Spent as spent:
            plan.close()
            self._stopped = str(spent)
        whole = tuple(sorted(self._complete.values(), key=lambda beam: beam.lineage))
        cut = tuple(replace(beam, finished=True, cut_off=True) for beam in self._running if beam.tokens)
        if not (whole or cut):
            raise UserError("the budget was spent before anything was spoken: give more")
        choice = yield from self._carry_out(self.strategy.conclude(whole or cut), self._record)
        return choice if whole else replace(choice, satisfied=False)

    def _carry_out(
        self, plan: Work[Choice], answer: Callable[[Ask], Steps]
    ) -> Generator[Future[Any], Any, Choice]:
        """The choice of a plan. Raises UserError, which names the strategy, for a plan that breaks its
        contract."""
        told: Any = None
        while True:
            try:
                ask = plan.send(told)
            except StopIteration as done:
                self._check_choice(done.value)
                return done.value  # type: ignore[no-any-return]  # just checked
            except LlasaError:
                raise
            except Exception as error:
                raise UserError(f"{self._who} raised {type(error).__name__}: {first_line(error)}") from error
            self._check_ask(ask)
            told = yield from answer(ask)

    @property
    def _who(self) -> str:
        return f"the strategy {self.strategy.name!r} ({type(self.strategy).__module__})"

    def _check_ask(self, ask: object) -> None:
        match ask:
            case Start() | Extend():
                return
            case Branch(beams, copies):
                check_candidates(self._who, len(beams) * copies)
            case Measure(_, verifier):
                if verifier not in self.directions:
                    raise UserError(f"{self._who} asks for {verifier!r}{nearest(verifier, self.directions)}")
            case _:
                raise UserError(
                    f"{self._who} yields {shown(ask)!r}: it has to be Start, Branch, Extend or Measure"
                )

    def _check_choice(self, choice: object) -> None:
        if not isinstance(choice, Choice):
            raise UserError(f"{self._who} returns {shown(choice)!r}: it has to be a Choice")
        if not all(beam.finished for beam in choice.beams):
            raise UserError(f"{self._who} returns a beam that has not ended: extend it to the end")
        count = len(choice.beams)
        if not count or sorted(choice.ranking) != list(range(count)):
            raise UserError(f"{self._who} ranks {shown(choice.ranking)} of {count} beams: rank each once")
        if any(len(scores) != count for scores in choice.scores.values()):
            raise UserError(f"{self._who} returns scores that are not one for each of its {count} beams")

    def _answer(self, ask: Ask) -> Steps:
        if isinstance(ask, Extend) and self.budget != NO_LIMIT:
            return (yield from self._extend(ask))
        if isinstance(ask, Measure):
            if ask.partial and self._running and not self._room_beside_finishing(self._running, 0):
                yield from self._finish("measure its beams")
            self._check_budget()
        return (yield from self._record(ask))

    def _extend(self, ask: Extend) -> Steps:
        """Extend as many beams at once as the budget surely has room for, then the next; in the order of
        the ask."""
        most = self.session.longest if ask.n_tokens is None else ask.n_tokens
        found = {node_id(beam): beam for beam in ask.beams if beam.finished}
        rest = [beam for beam in dict.fromkeys(ask.beams) if not beam.finished]
        if ask.n_tokens is not None and rest and not self._room_beside_finishing(rest, most):
            self._running = tuple(rest)
            yield from self._finish(f"grow {len(rest)} beams by {most} tokens")
        while rest:
            self._running = tuple(rest)
            self._check_budget()
            count = max(1, min(len(rest), self._affordable(most)))
            left = self._tokens_left()
            group, rest = tuple(rest[:count]), rest[count:]
            longest = most if left is None else min(most, left)
            grown = yield from self._record(Extend(group, longest if count == 1 else ask.n_tokens))
            found |= {node_id(old): new for old, new in zip(group, grown, strict=True)}
            if ask.n_tokens is None and not all(beam.finished for beam in grown):
                self._running = grown
                self._check_budget()
                raise Spent("the budget was spent in the middle of a candidate")
        return tuple(found[node_id(beam)] for beam in ask.beams)

    def _room_beside_finishing(self, beams: Sequence[Beam], step: int) -> bool:
        """Whether the beams may grow by a step, and one of them to the longest predicted length after it."""
        beams = tuple(beams)
        more = tokens_to_finish(self.session, beams, self._predicted, step)
        left = self._tokens_left()
        if left is not None and left < len(beams) * step + more:
            return False
        if self.budget.flops is None:
            return True
        needed = sum(flops_between(self.session, len(beam.tokens), len(beam.tokens) + step) for beam in beams)
        grown = min(len(beam.tokens) for beam in beams) + step
        needed += flops_between(self.session, grown, grown + more)
        return needed <= self.budget.flops - sum(self.session.ledger.flops.values())

    @cached_property
    def _predicted(self) -> int:
        return predicted_tokens(self.request, self.session.longest)

    def _finish(self, what: str) -> Steps:
        """Finishes the best of the running beams with what was kept back; raises Spent."""
        best = foremost(self._running, self.strategy, self._partial)
        left, most = self._tokens_left(), self.budget.candidates
        if left != 0 and (most is None or len(self._complete) < most):
            yield from self._record(Extend((best,), left))
            if self._running:
                raise Spent("the budget was spent in the middle of a candidate")
        raise Spent(f"the budget has no room to {what}: the best one was finished")

    def _tokens_left(self) -> int | None:
        ledger = self.session.ledger
        return None if self.budget.tokens is None else self.budget.tokens - ledger.tokens_generated

    def _affordable(self, most: int) -> int:
        """How many beams may go on by so many tokens."""
        left, allowed = self._tokens_left(), math.inf
        if left is not None:
            allowed = left // most
        if self.budget.candidates is not None and most == self.session.longest:
            allowed = min(allowed, self.budget.candidates - len(self._complete))
        if self.budget.flops is not None:
            spent = sum(self.session.ledger.flops.values())
            allowed = min(allowed, (self.budget.flops - spent) // self.session.flops_of(most))
        return int(min(allowed, 1 << 30))

    def _check_budget(self) -> None:
        self.budget.check(self.session.ledger, len(self._complete), self._until)

    def _record(self, ask: Ask) -> Steps:
        began = time.perf_counter()
        answer = yield self.session.answer(ask, self._until)
        now = time.perf_counter()
        step = step_of(ask, answer, began - self._began, now - began)
        self.trace.append(replace(step, spent=self.session.ledger.copy()))
        if isinstance(ask, Extend):
            self._complete |= {node_id(beam): beam for beam in answer if beam.finished}
            self._running = tuple(beam for beam in answer if not beam.finished)
        if isinstance(ask, Measure) and ask.partial:
            self._partial[ask.verifier] = {b.tokens: s for b, s in zip(ask.beams, answer, strict=True)}
        return answer

    def _result(
        self, choice: Choice, waveforms: Sequence[Any], judged: Mapping[int, Mapping[str, Score]]
    ) -> SearchResult:
        self.session.ledger.close(choice.beams)
        ranks = {number: rank for rank, number in enumerate(choice.ranking)}
        candidates = tuple(
            Candidate(
                number=number,
                rank=ranks[number],
                lineage=beam.lineage,
                tokens=beam.tokens,
                waveform=waveforms[number],
                scores={name: scores[number] for name, scores in choice.scores.items()},
                judged=judged[number],
                cut_off=beam.cut_off,
            )
            for number, beam in enumerate(choice.beams)
        )
        return SearchResult(
            request=self.request,
            candidates=candidates,
            satisfied=choice.satisfied,
            ledger=self.session.ledger,
            trace=tuple(self.trace),
            manifest=describe(self.request, self.strategy.describe(), self.budget.as_dict(), self.models),
            stopped=self._stopped,
            directions=dict(self.directions),
        )
