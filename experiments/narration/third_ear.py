"""What an ear that did not search hears of a take: the measure of what a certificate is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verifiers.base import Score
from verifiers.stats import Interval, wilson

ERRORS = ("substitutions", "deletions", "insertions")


@dataclass(frozen=True, slots=True)
class Counts:
    """errors: words that are wrong. words: of the text."""

    errors: int
    words: int


def counts_of(score: Score) -> Counts:
    """By a recogniser's score. Of audio that it cannot judge all words are errors, and at least one."""
    words = int(score.evidence.get("words", 0))
    if not score.usable or not words:
        return Counts(max(words, 1), max(words, 1))
    return Counts(sum(int(score.evidence[kind]) for kind in ERRORS), words)


def share_without(errors: Sequence[int]) -> Interval | None:
    """The share of takes in which it finds no error; None of none."""
    return wilson(sum(count == 0 for count in errors), len(errors)) if errors else None


def share_with(errors: Sequence[int]) -> Interval | None:
    """The share of takes in which it finds one; None of none."""
    return wilson(sum(count > 0 for count in errors), len(errors)) if errors else None
