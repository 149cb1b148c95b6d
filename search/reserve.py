"""What a budget keeps back while beams grow: the cost of finishing one of them."""

from __future__ import annotations

import math
from collections.abc import Generator
from concurrent.futures import Future
from typing import Any, TypeAlias

from llasa_core.audio import CODES_PER_SECOND
from llasa_core.request import Request
from llasa_core.text.length import predict_seconds
from search.asks import Beam, Beams
from search.backends.base import Session
from search.strategies.base import Strategy
from verifiers.base import Score
from verifiers.selection.rules import ConstraintFirst, Rule, Selection

Steps: TypeAlias = Generator[Future[Any], Any, Any]
"""Yields futures and is sent what they hold."""
LONGER = 1.5
"""The longest that a text is predicted to take, as a multiple of what it takes in the mean: predictions are a
quarter off, and models pause."""


def predicted_tokens(request: Request, longest: int) -> int:
    """The longest that the text may well take to say, in tokens; no candidate is longer than `longest`."""
    seconds = predict_seconds(request.spoken.spoken, request.language)
    return max(1, min(longest, math.ceil(LONGER * CODES_PER_SECOND * seconds)))


def tokens_to_finish(session: Session, beams: Beams, predicted: int, step: int = 0) -> int:
    """Of the beam that has furthest to go once each has grown by a step. At least one more step, as a beam
    that is longer than predicted ends as well."""
    shortest = min(len(beam.tokens) for beam in beams) + step
    return min(max(predicted - shortest, step, 1), max(session.longest - shortest, 0))


def flops_between(session: Session, first: int, last: int) -> float:
    """Of the generator, for the tokens of one candidate from number `first` on to `last`."""
    return session.flops_of(last) - session.flops_of(first)


def reward_of(strategy: Strategy) -> Selection | None:
    """How it ranks partial utterances; an option of a plugin that is called `prm` may be anything else."""
    rule = getattr(strategy, "prm", None)
    return rule if isinstance(rule, Rule | ConstraintFirst) else None


def foremost(beams: Beams, strategy: Strategy, partial: dict[str, dict[tuple[int, ...], Score]]) -> Beam:
    """The best of the beams by the strategy's reward of partial utterances, as last measured; the first where
    there is none."""
    rule = reward_of(strategy)
    known = [partial.get(metric, {}) for metric in rule.metrics] if rule is not None else []
    measured = [beam for beam in beams if known and all(beam.tokens in scores for scores in known)]
    if rule is None or not measured:
        return beams[0]
    scores = {metric: [partial[metric][beam.tokens] for beam in measured] for metric in rule.metrics}
    best: int = rule.rank(scores).order[0]
    return measured[best]
