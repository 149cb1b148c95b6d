"""One request on its way through a strategy: asks become answers, within the budget, and at the end a
result."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeAlias

from llasa_core.errors import LlasaError, UserError, first_line, nearest
from llasa_core.request import Request
from search.asks import Ask, Branch, Choice, Extend, Measure, Start, Work
from search.backends.base import Session
from search.bounds import check_candidates, shown
from search.cost.budget import NO_LIMIT, Budget, Spent
from search.limits import LimitedAsks
from search.reserve import Steps
from search.results.candidate import Candidate
from search.results.manifest import describe
from search.results.result import SearchResult
from search.results.trace import Step, step_of
from search.strategies.base import Strategy
from verifiers.base import Score

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
        self._stopped = ""
        self._began = time.perf_counter()
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
        if self.budget == NO_LIMIT:
            return (yield from self._carry_out(plan, self._record))
        limited = LimitedAsks(
            self.request, self.strategy, self.session, self.budget, self._began, self._record
        )
        try:
            return (yield from self._carry_out(plan, limited.answer))
        except Spent as spent:
            plan.close()
            self._stopped = str(spent)
        beams, whole = limited.left()
        choice = yield from self._carry_out(self.strategy.conclude(beams), limited.conclude)
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

    def _record(self, ask: Ask, until: float = math.inf) -> Steps:
        began = time.perf_counter()
        answer = yield self.session.answer(ask, until)
        now = time.perf_counter()
        step = step_of(ask, answer, began - self._began, now - began)
        self.trace.append(replace(step, spent=self.session.ledger.copy()))
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
            constraints_met=choice.satisfied,
            ledger=self.session.ledger,
            trace=tuple(self.trace),
            manifest=describe(self.request, self.strategy.describe(), self.budget.as_dict(), self.models),
            stopped=self._stopped,
            directions=dict(self.directions),
        )
