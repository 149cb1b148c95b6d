"""Figures of every strategy against width and cost: quality, failures, switch times."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from experiments.studies.analysis import Analysis
from experiments.studies.curves import Line, Point
from experiments.studies.measures import Measure
from experiments.studies.plots import DODGE, UPRIGHT, Figure, logarithmic, series, wrapped

AXES = {
    "n": ("candidates of a search, N", 1.0),
    "tokens_generated": ("tokens generated per utterance", 1.0),
    "wall": ("wall seconds per utterance", 1.0),
    "flops": ("GFLOPs per utterance", 1e9),
}
"""What quality is drawn against: the label, and the unit in that of the table."""


def quality(found: Analysis, one: Measure) -> Figure:
    panels = tuple(partial(_curves, lines=found.main_lines, one=one, against=axis) for axis in AXES)
    return Figure(
        f"quality-{one.name}",
        f"{_first_up(one.title)} against width and cost",
        "Means over utterances with 95 % bootstrap intervals; costs are without the judges. Best-of-N of "
        "each N is the mean over all subsets of the candidates of the widest run, where all were judged.",
        panels,
    )


def _curves(own: Any, *, lines: Sequence[Line], one: Measure, against: str) -> None:
    label, unit = AXES[against]
    places: list[float] = []
    for number, line in enumerate(lines):
        points = [point for point in line.points if point.values[one.column].notna().any()]
        x = np.array([_place(point, against, unit) for point in points])
        if not len(points) or not (x > 0).all():
            continue
        places += [point.n for point in points] if against == "n" else []
        shift = 2 ** (DODGE * (number - (len(lines) - 1) / 2)) if against == "n" else 1.0
        series(own, x * shift, [point.interval(one) for point in points], number, line.name)
    logarithmic(own.xaxis, places, base=2 if against == "n" else 10)
    own.set_xlabel(f"{label} (log scale)")
    own.set_ylabel(wrapped(one.axis, UPRIGHT))


def _place(point: Point, against: str, unit: float) -> float:
    return float(point.n) if against == "n" else float(point.values[against].mean()) / unit


def failures(found: Analysis) -> Figure:
    panels = tuple(partial(_curves, lines=found.main_lines, one=one, against="n") for one in found.failures)
    return Figure(
        "failures",
        "Catastrophic failures against width",
        "The share of utterances whose winner is silent, cut off, looping, invented or mostly wrong, as a "
        "recogniser hears it; 95 % Wilson intervals over utterances.",
        panels,
    )


def switch(found: Analysis) -> Figure:
    switches = found.switches()
    panels = tuple(partial(_times, switches=switches, one=one) for one in found.qualities if switches)
    return Figure(
        "switch",
        f"How long the process reward prunes, N={found.common_width}",
        "Beams are pruned for so many seconds of speech, then candidates run free and the selection chooses "
        "among them. Means with 95 % intervals over utterances.",
        panels,
    )


def _times(own: Any, *, switches: Sequence[tuple[str, float, Point]], one: Measure) -> None:
    x = np.arange(len(switches))
    series(own, x, [point.interval(one) for _, _, point in switches], 0, "")
    own.set_xticks(x, [name for name, _, _ in switches])
    own.set_xlabel("seconds of speech for which beams are pruned")
    own.set_ylabel(wrapped(one.axis, UPRIGHT))


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]
