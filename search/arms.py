"""Prompt search: several recordings of one voice are arms, and the search goes to the arm that pays.

Successive halving (Jamieson and Talwalkar, arXiv 1502.07943): every arm draws PILOT candidates; the better
half of the arms, by the best candidate of each, draws twice as many, the first ones among them, and so on.
The arm that is left gets the strategy as it was asked for. The best of what each arm drew at the last wins,
by the selection of the strategy.

Each arm is a request of its own, so a result is what a search with that recording alone gives: it is replayed
without the other arms.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from llasa_core.request import Request
from search.asks import Choice
from search.backends.base import Progress, no_progress
from search.cost.budget import NO_LIMIT, Budget
from search.cost.ledger import Ledger
from search.driver import Heard, all_candidates
from search.engine import Failure, Searcher
from search.results.result import SearchResult, TriedArm
from search.strategies.base import Strategy
from search.strategies.best_of_n import BestOfN
from verifiers.selection.cascade import Cascade

PILOT = 2
"""Candidates that every arm draws at first."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One recording of the voice: its name, and the text to be spoken with it."""

    name: str
    request: Request


@dataclass(eq=False)
class _Text:
    """The arms of one text. left: those that are still in the race, the best first; found: the last outcome
    of each arm by its place; drawn: the candidates of that; spent: by all that was not kept."""

    arms: Sequence[Arm]
    left: list[int] = field(default_factory=list)
    found: dict[int, SearchResult | Failure] = field(default_factory=dict)
    drawn: dict[int, int] = field(default_factory=dict)
    spent: Ledger = field(default_factory=Ledger)


def search_arms(
    searcher: Searcher,
    texts: Iterable[Sequence[Arm]],
    strategy: Strategy,
    *,
    budget: Budget = NO_LIMIT,
    in_flight: int | None = None,
    progress: Callable[[Request], Progress] = lambda _: no_progress,
) -> Generator[SearchResult | Failure, None, None]:
    """One outcome for each text, whose request is that of the arm that won; so many texts at a time as are in
    flight. budget: of the last search of each text, in the arm that is left."""
    rest = iter(texts)
    while batch := [_Text(arms, list(range(len(arms)))) for arms in islice(rest, _size(searcher, in_flight))]:
        race = _Race(searcher, strategy, in_flight, progress)
        drawn = PILOT
        while any(len(text.left) > 1 for text in batch):
            race.draw([text for text in batch if len(text.left) > 1], drawn)
            drawn *= 2
        last = [(text, text.left[0]) for text in batch]
        race.search(last, strategy, budget, all_candidates)
        for text in batch:
            yield race.best(text)


def _size(searcher: Searcher, in_flight: int | None) -> int:
    return max(1, searcher.backend.in_flight if in_flight is None else in_flight)


@dataclass(frozen=True, eq=False)
class _Race:
    searcher: Searcher
    strategy: Strategy
    in_flight: int | None
    progress: Callable[[Request], Progress]

    def draw(self, texts: Sequence[_Text], n: int) -> None:
        """So many candidates for each arm that is left, of which the better half stays."""
        self.search([(text, arm) for text in texts for arm in text.left], self.pilot(n), NO_LIMIT, _nobody)
        for text in texts:
            order = self.ranked([text.found[arm] for arm in text.left])
            text.left = [text.left[place] for place in order[: (len(order) + 1) // 2]]

    def pilot(self, n: int) -> BestOfN:
        return BestOfN(n=n, wide=1, verifiers=self.strategy.verifiers, selection=self.strategy.selection)

    def search(
        self, work: Sequence[tuple[_Text, int]], strategy: Strategy, budget: Budget, heard: Heard
    ) -> None:
        """Searches each of these arms; what an arm had found before is replaced, and its cost kept."""
        places = {id(text.arms[arm].request): (text, arm) for text, arm in work}
        outcomes = self.searcher.run_many(
            (text.arms[arm].request for text, arm in work),
            strategy,
            budget=budget,
            in_flight=self.in_flight,
            progress=self.progress,
            heard=heard,
        )
        for outcome in outcomes:
            text, arm = places[id(outcome.request)]
            if isinstance(before := text.found.get(arm), SearchResult):
                text.spent.add(before.ledger)
            text.found[arm] = outcome
            if isinstance(outcome, SearchResult):
                text.drawn[arm] = len(outcome.candidates)

    def ranked(self, outcomes: Sequence[SearchResult | Failure]) -> list[int]:
        """Places of the outcomes, that with the best winner first; failures come last."""
        good = [place for place, one in enumerate(outcomes) if isinstance(one, SearchResult)]
        selection = self.strategy.selection
        rule = selection.rule if isinstance(selection, Cascade) else selection
        winners = [one.winner for one in outcomes if isinstance(one, SearchResult)]
        scores = {name: [winner.scores[name] for winner in winners] for name in rule.metrics}
        order = [good[place] for place in rule.rank(scores).order] if good else []
        return order + [place for place in range(len(outcomes)) if place not in good]

    def best(self, text: _Text) -> SearchResult | Failure:
        """The outcome of the arm with the best winner, also one that was left behind: that is searched again
        as it was, for the judges to hear it."""
        places = list(text.found)
        first = places[self.ranked(list(text.found.values()))[0]]
        outcome = text.found[first]
        if isinstance(outcome, SearchResult) and first != text.left[0]:
            self.search([(text, first)], self.pilot(text.drawn[first]), NO_LIMIT, all_candidates)
            outcome = text.found[first]
        if isinstance(outcome, Failure):
            return outcome
        ledger = outcome.ledger.copy()
        ledger.add(text.spent)
        for place, other in text.found.items():
            if place != first and isinstance(other, SearchResult):
                ledger.add(other.ledger)
        names = [arm.name for arm in text.arms]
        return replace(
            outcome,
            ledger=ledger,
            arm=names[first],
            arms=tuple(
                TriedArm(names[place], text.drawn[place], dict(one.winner.scores))
                for place, one in sorted(text.found.items())
                if isinstance(one, SearchResult)
            ),
            manifest={**outcome.manifest, "arms": names},
        )


def _nobody(choice: Choice) -> Sequence[int]:
    """The judges hear no candidate of a pilot."""
    return ()
