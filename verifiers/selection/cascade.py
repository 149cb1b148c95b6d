"""A cascade: cheap verifiers say which candidates a dear one is asked about.

`keep(sim=0.25),wer<=0,sim` asks for WER of the quarter that is most similar. While none of those asked about
meets the constraints, the next quarter follows, so a candidate that passes is always found; with a rule
without constraints, such as `wer,sim`, there is one round.

Where the metric of the only stage is what the rule makes best (as here), the winner is that of the selection
without the stage: whatever was left out is at most as good as what passed. Otherwise the cheap metric may
leave the winner out; `python -m experiments.bench.cascade` measures how often.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from verifiers.base import Score
from verifiers.selection.rules import Constraint, Ranking, Selection, is_judged, logp, number, usable

DEFAULT_SHARE = 0.25
"""Of a stage that does not say how many it keeps: what suits a stage by what the rule makes best, which loses
nothing at any share (docs/verifiers.md has the figures)."""


def not_asked(metric: str) -> Score:
    """The score of a candidate that a stage, by this metric, left out before the verifier was asked."""
    return Score(math.nan, {}, False, f"not asked: dropped by {metric}", dropped=metric)


@dataclass(frozen=True, slots=True)
class Stage:
    """keep: the share of the candidates that goes on in a round, or from 2 on how many."""

    metric: str
    higher_is_better: bool
    keep: float = DEFAULT_SHARE

    def __str__(self) -> str:
        return f"{self.metric}={number(self.keep)}"

    def room(self, count: int) -> int:
        """How many of so many candidates go on, at least one."""
        return min(count, math.ceil(self.keep * count) if self.keep <= 1 else int(self.keep))

    def best(self, scores: Sequence[Score], room: int) -> list[int]:
        """Indices of the candidates that go on, in their order.

        Beside the best `room` these are all that equal the last of them, also in `evidence["logp"]`, and all
        that the metric could not judge, for which it says nothing.
        """
        costs = {i: self.cost(score) for i, score in enumerate(scores) if is_judged(score)}
        ranked = sorted(costs.values())
        last = ranked[min(room, len(ranked)) - 1] if ranked else (math.inf, math.inf)
        return [i for i in range(len(scores)) if i not in costs or costs[i] <= last]

    def cost(self, score: Score) -> tuple[float, float]:
        """The smaller the better."""
        return -score.value if self.higher_is_better else score.value, -logp(score)


@dataclass(frozen=True, slots=True)
class Cascade:
    """`keep(signal=0.75,wer-nano=0.5),` and a selection: stage by stage fewer candidates go on, and only what
    is left is asked about by the verifiers that are no stage."""

    stages: tuple[Stage, ...]
    rule: Selection

    @property
    def spec(self) -> str:
        return f"keep({','.join(map(str, self.stages))}),{self.rule.spec}"

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*(stage.metric for stage in self.stages), *self.rule.metrics]))

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        return self.rule.constraints

    def rooms(self, count: int) -> list[int]:
        """How many candidates each stage lets through in a round, of so many in the first one."""
        found = []
        for stage in self.stages:
            count = stage.room(count)
            found.append(count)
        return found

    def rank(self, scores: Mapping[str, Sequence[Score]]) -> Ranking:
        """Those that all verifiers of the rule were asked about, by the rule; then those that were dropped,
        the furthest first and within a stage the best by its metric; then those that cannot be judged."""
        drops = {stage.metric: place for place, stage in enumerate(self.stages)}
        dropped: dict[int, str] = {}
        for metric in self.rule.metrics:
            dropped |= {i: score.dropped for i, score in enumerate(scores[metric]) if score.dropped}
        asked = [i for i in range(len(scores[self.rule.metrics[0]])) if i not in dropped]
        own = {metric: [scores[metric][i] for i in asked] for metric in self.rule.metrics}
        ranking = self.rule.rank(own)
        order = [asked[i] for i in ranking.order]
        left = {asked[i] for i in ranking.order if not usable(own, self.rule.metrics, i)}

        def place(i: int) -> tuple[float, tuple[float, float], int]:
            stage = self.stages[drops[dropped[i]]]
            return -drops[stage.metric], stage.cost(scores[stage.metric][i]), i

        middle = sorted(dropped, key=place)
        good = [i for i in order if i not in left]
        return Ranking(
            (*good, *middle, *(i for i in order if i in left)),
            ranking.satisfied,
            tuple(asked[i] for i in ranking.front),
        )
