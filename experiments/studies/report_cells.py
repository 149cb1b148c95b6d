"""A table of a study as words, and how its values are written."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.studies.measures import Measure
from verifiers.stats import Interval


@dataclass(frozen=True, slots=True)
class Table:
    """caption: what it shows. Rows of cells as text, the first column left-aligned. notes: below it."""

    name: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def shown(interval: Interval, digits: int = 3, *, sign: bool = False) -> str:
    """`0.123 [0.101, 0.150]`."""
    plus = "+" if sign else ""
    mean, low, high = (f"{v:{plus}.{digits}f}" for v in (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"


def label(one: Measure) -> str:
    return f"{one.title} ({'higher' if one.higher else 'lower'} is better)"


UNIT = {"words": "errors per word", "voice": "of cosine"}
