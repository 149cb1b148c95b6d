"""Figures of the meters: is a gain real, what is it made of, what would more bring."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from experiments.studies.analysis import Analysis
from experiments.studies.hacking import Hacking
from experiments.studies.measures import WORDS, brief
from experiments.studies.plots import (
    BESIDE,
    DODGE,
    TITLE,
    UPRIGHT,
    Figure,
    Panel,
    logarithmic,
    look,
    rows,
    series,
    wrapped,
)
from experiments.studies.predict import Prediction
from experiments.studies.rescore.beginnings import FRACTION, Agreement
from experiments.studies.rescore.noise import Luck
from verifiers.stats import Interval

FARTHEST_DRAWN = 16
"""A prediction is drawn up to so many times the N that was run."""


def hacking(found: Analysis) -> Figure:
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
        series(own, n * 2 ** (DODGE * (2 * number - 1)), [nothing, *intervals], number, name)
    own.axhline(0, color="0.5", linewidth=1)
    if one.parts_at is not None:
        own.axvline(one.parts_at, color="0.5", linewidth=1, linestyle=":")
        own.annotate(
            f"they part from N={one.parts_at}", (one.parts_at, 1), xycoords=("data", "axes fraction"),
            xytext=(4, -10), textcoords="offset points", fontsize=8,
        )  # fmt: skip
    logarithmic(own.xaxis, list(n), base=2)
    own.set_xlabel("candidates of a search, N (log scale)")
    own.set_ylabel(wrapped(f"gain over N={one.base}, higher is better ({one.unit})", UPRIGHT))
    own.set_title(wrapped(f"{one.line}: {one.searched.metric} against {brief(one.held_out.by)}", TITLE))


def diversity(found: Analysis) -> Figure:
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
        [name for name, _ in own],
    )


def _dots(own: Any, *, names: Sequence[str], intervals: Sequence[Interval], label: str) -> None:
    style = look(0)
    for place, one in enumerate(intervals):
        bars = [[one.mean - one.low], [one.high - one.mean]]
        own.errorbar(one.mean, place, xerr=bars, color=style.colour, marker=style.marker, capsize=2)
    rows(own, names)
    own.set_xlim(left=0)
    own.set_xlabel(wrapped(label, BESIDE))


def prediction(found: Analysis) -> Figure:
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
    run = [(k, c) for k, c in zip(n, curve, strict=True) if one.observed(k)]
    series(own, np.array([k for k, _ in run]), [c for _, c in run], 0, "observed")
    own.axvline(one.drawn, color=seen.colour, linewidth=1, linestyle=":")
    logarithmic(own.xaxis, n, base=2)
    own.set_xlabel("candidates of a search, N (log scale)")
    own.set_ylabel(wrapped(one.measure.axis, UPRIGHT))
    own.set_ylim(bottom=0 if one.measure.kind == WORDS else None)


def luck(found: Analysis) -> Figure:
    own = found.rescoring.lucks if found.rescoring else []
    return Figure(
        "luck",
        "How much of the gain was luck? The same winners, measured again",
        "Gain of best-of-N over the narrowest search by the scores at selection, and by new scores of these "
        "winners with inaudible changes (mean of the draws); 95 % intervals over utterances.",
        tuple(partial(_fallen_back, one=one, name=found.name_of(one.series)) for one in own),
    )


def _fallen_back(own: Any, *, one: Luck, name: str) -> None:
    n = np.array([one.base, *(point.n for point in one.points)])
    nothing = Interval(0.0, 0.0, 0.0, one.points[0].selected.n)
    sides = (
        ("at selection", [point.selected for point in one.points]),
        ("measured again", [point.anew for point in one.points]),
    )
    for number, (label, intervals) in enumerate(sides):
        series(own, n * 2 ** (DODGE * (2 * number - 1)), [nothing, *intervals], number, label)
    own.axhline(0, color="0.5", linewidth=1)
    logarithmic(own.xaxis, list(n), base=2)
    own.set_xlabel("candidates of a search, N (log scale)")
    own.set_ylabel(wrapped(f"gain over N={one.base}, higher is better ({one.measure.unit})", UPRIGHT))
    own.set_title(wrapped(name, TITLE))


def beginnings(found: Analysis) -> Figure:
    own = found.rescoring.agreements if found.rescoring else []
    return Figure(
        "beginnings",
        "From when on a beginning tells how good the whole is",
        "Rank correlation (Spearman) of scores at t seconds with those of the whole utterances, among "
        "the candidates of one search that still speak at t: means over utterances with 95 % intervals. "
        f"Where an interval lies above the dotted line at {FRACTION:g}, pruning may begin.",
        (partial(_agreement, found=own),) if own else (),
    )


def _agreement(own: Any, *, found: Sequence[Agreement]) -> None:
    for number, metric in enumerate(dict.fromkeys(one.metric for one in found)):
        each = [one for one in found if one.metric == metric]
        x = np.array([one.seconds for one in each])
        series(own, x + 0.02 * number, [one.correlation for one in each], number, metric)
    own.axhline(0, color="0.5", linewidth=1)
    own.axhline(FRACTION, color="0.5", linewidth=1, linestyle=":")
    own.set_xlim(left=0)
    own.set_xlabel("beginning of the utterance (s)")
    own.set_ylabel("rank correlation (1 is perfect)")
