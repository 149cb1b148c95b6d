"""The figures of a study. Every value has its 95 % interval over utterances, every axis its unit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from experiments.studies.analysis import Analysis
from experiments.studies.curves import FLOPS, WALL, EqualCompute, Line, Point, parts_of
from experiments.studies.hacking import Hacking
from experiments.studies.measures import VOICE, WORDS, Measure
from experiments.studies.plots import Figure, Panel, few_ticks, logarithmic, look, rows, wrapped
from experiments.studies.predict import Prediction
from verifiers.stats import Interval

AXES = {
    "n": ("candidates of a search, N", 1.0),
    "tokens_generated": ("tokens generated per utterance", 1.0),
    "wall": ("wall seconds per utterance", 1.0),
    "flops": ("GFLOPs per utterance", 1e9),
}
"""What quality is drawn against: the label, and the unit in that of the table."""
DODGE = 0.025
"""By how much series stand apart at the same N, as a power of N's distance."""
FARTHEST_DRAWN = 16
"""A prediction is drawn up to so many times the N that was run."""


def figures(found: Analysis) -> list[Figure]:
    """All that the table has the searches for."""
    made = [_quality(found, one) for one in found.qualities]
    made += [_equal_compute(found), _pareto(found), _switch(found), _cost(found)]
    made += [_hacking(found), _failures(found), _diversity(found), _prediction(found)]
    return [figure for figure in made if figure is not None and figure.panels]


def _quality(found: Analysis, one: Measure) -> Figure:
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
        _series(own, x * shift, [point.interval(one) for point in points], number, line.name)
    logarithmic(own.xaxis, places, base=2 if against == "n" else 10)
    own.set_xlabel(f"{label} (log scale)")
    own.set_ylabel(wrapped(one.axis))


def _place(point: Point, against: str, unit: float) -> float:
    return float(point.n) if against == "n" else float(point.values[against].mean()) / unit


def _series(own: Any, x: Any, intervals: Sequence[Interval], number: int, name: str) -> None:
    """A line through the means with its marker and dash, and thin bars for the intervals."""
    style = look(number)
    y = np.array([one.mean for one in intervals])
    bars = np.array([[one.mean - one.low, one.high - one.mean] for one in intervals]).T.clip(0)
    own.errorbar(x, y, yerr=bars, fmt="none", ecolor=style.colour, elinewidth=0.9, capsize=2, alpha=0.7)
    own.plot(x, y, color=style.colour, marker=style.marker, linestyle=style.dash, label=name)


def _equal_compute(found: Analysis) -> Figure:
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
    names = [f"{row.line}, N={row.n}\n(best-of-{row.base_n:.3g})" for row in table]
    rows(own, names)
    own.set_xlabel(wrapped(f"difference in {one.axis}"))
    few_ticks(own.xaxis)
    own.set_title("right is better" if one.higher else "left is better")


def _pareto(found: Analysis) -> Figure:
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
            own.annotate(str(point.n), place, textcoords="offset points", xytext=(5, 4), fontsize=7.5)
    front = undominated(list(intervals), voice.higher)
    for x, y in (intervals[place] for place in front):
        bars = [[[max(0, one.mean - one.low)], [max(0, one.high - one.mean)]] for one in (x, y)]
        own.errorbar(x.mean, y.mean, xerr=bars[0], yerr=bars[1], fmt="none", ecolor="0.5", elinewidth=0.7)
    own.plot(*zip(*front, strict=True), color="0.5", linewidth=4, alpha=0.35, zorder=1)
    own.set_xlabel(wrapped(words.axis))
    own.set_ylabel(wrapped(voice.axis))


def undominated(places: Sequence[tuple[float, float]], higher: bool = True) -> list[tuple[float, float]]:
    """The points that no other one beats: lower in the first, higher (or lower) in the second."""
    sign = 1 if higher else -1
    front: list[tuple[float, float]] = []
    for x, y in sorted(places, key=lambda place: (place[0], -sign * place[1])):
        if not front or sign * y > sign * front[-1][1]:
            front.append((x, y))
    return front


def _switch(found: Analysis) -> Figure:
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
    _series(own, x, [point.interval(one) for _, _, point in switches], 0, "")
    own.set_xticks(x, [name for name, _, _ in switches])
    own.set_xlabel("seconds of speech for which beams are pruned")
    own.set_ylabel(wrapped(one.axis))


def _cost(found: Analysis) -> Figure:
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


def _hacking(found: Analysis) -> Figure:
    base = {line.name for line in found.lines if line.is_base}
    own = [one for one in found.hacking if one.line in base and one.gaps]
    return Figure(
        "hacking",
        "Is the gain real? The score that searched beside held-out ears",
        "Gain over the narrowest search, with 95 % intervals. Where the two part, the rest of the searching "
        "score's gain is its own liking: reward hacking.",
        tuple(partial(_gains, one=one) for one in own),
    )


def _gains(own: Any, *, one: Hacking) -> None:
    n = np.array([one.base, *(gap.n for gap in one.gaps)])
    nothing = Interval(0.0, 0.0, 0.0, one.gaps[0].gap.n)
    for number, (name, intervals) in enumerate(
        (
            ("by the score that searched", [gap.searched for gap in one.gaps]),
            ("by the held-out ear", [gap.held_out for gap in one.gaps]),
        )
    ):
        _series(own, n * 2 ** (DODGE * (2 * number - 1)), [nothing, *intervals], number, name)
    own.axhline(0, color="0.5", linewidth=1)
    if one.parts_at is not None:
        own.axvline(one.parts_at, color="0.5", linewidth=1, linestyle=":")
        own.annotate(
            f"they part from N={one.parts_at}", (one.parts_at, 1), xycoords=("data", "axes fraction"),
            xytext=(4, -10), textcoords="offset points", fontsize=8,
        )  # fmt: skip
    logarithmic(own.xaxis, list(n), base=2)
    own.set_xlabel("candidates of a search, N (log scale)")
    own.set_ylabel(wrapped(f"gain over N={one.base} ({one.unit}, higher is better)"))
    own.set_title(wrapped(f"{one.line}: {one.searched.metric} against {one.held_out.by}", 52))


def _failures(found: Analysis) -> Figure:
    panels = tuple(partial(_curves, lines=found.main_lines, one=one, against="n") for one in found.failures)
    return Figure(
        "failures",
        "Catastrophic failures against width",
        "The share of utterances whose winner is silent, cut off, looping, invented or mostly wrong, as a "
        "recogniser hears it; 95 % Wilson intervals over utterances.",
        panels,
    )


def _diversity(found: Analysis) -> Figure:
    own = [(name, one) for name, one in found.diversity if one.n == found.common_width]
    panels: list[Panel] = []
    if len(own) > 1:
        names = [name for name, _ in own]
        kinds: list[tuple[str, list[Interval | None]]] = [
            ("distinct transcripts (share of the candidates)", [one.transcripts for _, one in own]),
            ("edit distance of two candidates' codes (share of the longer)", [one.codes for _, one in own]),
            ("spread of the length (standard deviation, s)", [one.seconds for _, one in own]),
        ]
        for label, intervals in kinds:
            known = [one for one in intervals if one is not None]
            if len(known) == len(names):
                panels.append(partial(_dots, names=names, intervals=known, label=label))
    return Figure(
        "diversity",
        f"How different the candidates of one search are, N={found.common_width}",
        "Means over utterances with 95 % intervals. Where candidates are alike, choosing among them gains "
        "little.",
        tuple(panels),
    )


def _dots(own: Any, *, names: Sequence[str], intervals: Sequence[Interval], label: str) -> None:
    style = look(0)
    for place, one in enumerate(intervals):
        bars = [[one.mean - one.low], [one.high - one.mean]]
        own.errorbar(one.mean, place, xerr=bars, color=style.colour, marker=style.marker, capsize=2)
    rows(own, names)
    own.set_xlim(left=0)
    own.set_xlabel(wrapped(label))


def _prediction(found: Analysis) -> Figure:
    return Figure(
        "prediction",
        "What more candidates would bring",
        "Best-of-N by sub-sampling as far as it was run, and beyond by a model of correlated draws (see the "
        "table for its check on candidates that were held out). Shaded: 95 % interval.",
        tuple(partial(_predicted, one=one) for one in found.predictions),
    )


def _predicted(own: Any, *, one: Prediction) -> None:
    n = [1 << bit for bit in range((one.drawn * FARTHEST_DRAWN).bit_length())]
    curve = [one.at(k) for k in n]
    model, seen = look(1), look(0)
    beyond = [k >= one.drawn for k in n]
    own.fill_between(
        n, [c.low for c in curve], [c.high for c in curve], where=beyond, color=model.colour, alpha=0.18
    )
    own.plot(n, [one.model.at(k) for k in n], color=model.colour, linestyle="--", label="model")
    run = [(k, c) for k, c in zip(n, curve, strict=True) if k <= one.drawn]
    _series(own, np.array([k for k, _ in run]), [c for _, c in run], 0, "observed")
    own.axvline(one.drawn, color=seen.colour, linewidth=1, linestyle=":")
    logarithmic(own.xaxis, n, base=2)
    own.set_xlabel("candidates of a search, N (log scale)")
    own.set_ylabel(wrapped(one.measure.axis))
    own.set_ylim(bottom=0 if one.measure.kind == WORDS else None)


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]
