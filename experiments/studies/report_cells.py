"""A table of a study as words, and how its values are written."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.studies.measures import Measure
from verifiers.stats import Interval

MOST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Table:
    """caption: what it shows. Rows of cells as text, the first column left-aligned. notes: below it."""

    name: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def shown(interval: Interval, digits: int = 3, *, sign: bool = False) -> str:
    """`0.123 [0.101, 0.150]`; with more digits where these would show nothing but zeros."""
    plus = "+" if sign else ""
    largest = max(abs(interval.mean), abs(interval.low), abs(interval.high))
    while 0 < largest < 10**-digits and digits < MOST_DIGITS:
        digits += 1
    mean, low, high = (f"{v:{plus}.{digits}f}" for v in (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"


def label(one: Measure) -> str:
    return f"{one.title} ({'higher' if one.higher else 'lower'} is better)"


UNIT = {"words": "errors per word", "voice": "of cosine"}
