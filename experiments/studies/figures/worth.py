"""Figures of what a strategy is worth: at equal compute, words against voice, cost by part."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from experiments.studies.analysis import Analysis
from experiments.studies.curves import FLOPS, WALL, EqualCompute, Point, parts_of
from experiments.studies.measures import VOICE, WORDS, Measure
from experiments.studies.plots import BESIDE, UPRIGHT, Figure, Panel, few_ticks, look, rows, wrapped
from verifiers.stats import Interval


def equal_compute(found: Analysis) -> Figure:
    panels = tuple(
        partial(_differences, table=table, one=one) for one, (table, _) in found.equal.items() if table
    )
    beyond = sorted({name for _, names in found.equal.values() for name in names})
    left_out = f" Without a best-of-N of the same cost: {'; '.join(beyond)}." if beyond else ""
    return Figure(
        "equal-compute",
        "Strategies at equal compute",
        "Each strategy less best-of-N of the same FLOPs (verifiers included, judges not), paired by "
        f"utterance; an interval that the line at 0 crosses is no difference beyond chance.{left_out}",
        panels,
        max(([_name(row) for row in table] for table, _ in found.equal.values()), key=len, default=[]),
    )


def _differences(own: Any, *, table: Sequence[EqualCompute], one: Measure) -> None:
    own.axvline(0, color="0.5", linewidth=1)
    for place, row in enumerate(table):
        change = row.difference
        better = (change.mean > 0) == one.higher
        sure = change.low > 0 or change.high < 0
        style = look(0 if better else 1)
        bars = [[change.mean - change.low], [change.high - change.mean]]
        own.errorbar(
            change.mean, place, xerr=bars, color=style.colour, marker=style.marker, capsize=2,
            markerfacecolor=style.colour if sure else "none", linestyle="none",
        )  # fmt: skip
    rows(own, [_name(row) for row in table])
    own.set_xlabel(wrapped(f"difference in {one.axis}", BESIDE))
    few_ticks(own.xaxis)
    own.set_title("right is better" if one.higher else "left is better")


def _name(row: EqualCompute) -> str:
    return f"{row.line}, N={row.n} (best-of-{row.base_n:.3g})"


def pareto(found: Analysis) -> Figure:
    panels: list[Panel] = []
    for held_out in (False, True):
        words = [m for m in found.qualities if m.kind == WORDS and m.held_out == held_out]
        voices = [m for m in found.qualities if m.kind == VOICE and m.held_out == held_out]
        panels += [partial(_front, found=found, words=w, voice=v) for w in words[:1] for v in voices[:1]]
    return Figure(
        "pareto",
        "Words against voice",
        "Every strategy at every width, labelled by N; up and to the left is better. The grey line joins "
        "what no other search beats in both; crosses are its 95 % intervals.",
        tuple(panels),
    )


def _front(own: Any, *, found: Analysis, words: Measure, voice: Measure) -> None:
    intervals: dict[tuple[float, float], tuple[Interval, Interval]] = {}
    labelled: set[tuple[float, float]] = set()
    for number, line in enumerate(found.main_lines):
        style = look(number)
        judged = [p for p in line.points if not p.values[[words.column, voice.column]].isna().any(axis=None)]
        both = [(point.interval(words), point.interval(voice)) for point in judged]
        places = [(x.mean, y.mean) for x, y in both]
        intervals |= zip(places, both, strict=True)
        if places:
            own.plot(
                *zip(*places, strict=True), color=style.colour, marker=style.marker, label=line.name,
                linestyle=style.dash, linewidth=0.8,
            )  # fmt: skip
        for point, place in zip(judged, places, strict=True):
            if place in labelled:  # the same single candidate of several strategies
                continue
            labelled.add(place)
            own.annotate(str(point.n), place, textcoords="offset points", xytext=(5, 4), fontsize=7.5)
    front = undominated(list(intervals), voice.higher)
    for x, y in (intervals[place] for place in front):
        bars = [[[max(0, one.mean - one.low)], [max(0, one.high - one.mean)]] for one in (x, y)]
        own.errorbar(x.mean, y.mean, xerr=bars[0], yerr=bars[1], fmt="none", ecolor="0.5", elinewidth=0.7)
    own.plot(*zip(*front, strict=True), color="0.5", linewidth=4, alpha=0.35, zorder=1)
    own.set_xlabel(wrapped(words.axis))
    own.set_ylabel(wrapped(voice.axis, UPRIGHT))


def undominated(places: Sequence[tuple[float, float]], higher: bool = True) -> list[tuple[float, float]]:
    """The points that no other one beats: lower in the first, higher (or lower) in the second."""
    sign = 1 if higher else -1
    front: list[tuple[float, float]] = []
    for x, y in sorted(places, key=lambda place: (place[0], -sign * place[1])):
        if not front or sign * y > sign * front[-1][1]:
            front.append((x, y))
    return front


def cost(found: Analysis) -> Figure:
    own = [(line.name, point) for line, point in found.at_common_width()]
    kinds = ((WALL, "wall seconds per utterance", 1.0), (FLOPS, "GFLOPs per utterance", 1e9))
    panels = [
        partial(_stacked, searches=own, kind=kind, label=label, unit=unit)
        for kind, label, unit in kinds
        if parts_of(found.frame, kind)
    ]
    return Figure(
        "cost",
        f"What a search of N={found.common_width} costs, by part",
        "Means over utterances, without the judges. Seconds are of the machine that ran the sweep, with as "
        "many searches at once as it had.",
        tuple(panels),
        [name for name, _ in own],
    )


def _stacked(own: Any, *, searches: Sequence[tuple[str, Point]], kind: str, label: str, unit: float) -> None:
    parts = sorted({name: None for _, point in searches for name in parts_of(point.values, kind)}, key=_part)
    left = np.zeros(len(searches))
    for number, part in enumerate(parts):
        width = np.array([point.values[f"{kind}{part}"].mean() / unit for _, point in searches])
        style = look(number)
        own.barh(
            range(len(searches)), width, left=left, height=0.62, label=part, color=style.colour,
            hatch=style.hatch, edgecolor=own.get_facecolor() if style.hatch == "" else "white", linewidth=0.5,
        )  # fmt: skip
        left += width
    rows(own, [name for name, _ in searches])
    own.set_xlabel(label)


def _part(name: str) -> tuple[bool, str]:
    return name not in {"generator", "codec"}, {"generator": "a", "codec": "b"}.get(name, name)
