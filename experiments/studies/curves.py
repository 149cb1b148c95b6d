"""A sweep's table as lines: each strategy at growing width, with quality and cost by utterance.

Best-of-N is run once, at its largest N. The expected quality of best-of-k is that of all subsets of k
candidates, without replacement: under a rule that ranks every subset alike, the candidate of rank r (0 is the
best of N) wins in C(N-1-r, k-1) of the C(N, k) subsets, so each k needs one weighted mean and no draw. It is
unbiased, also for what the search never saw, such as the winner's WER by a held-out judge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from experiments.studies.measures import RESAMPLES, WORDS, Measure, measures, options
from verifiers.stats import Interval, bootstrap_mean, bootstrap_ratio, paired_difference

if TYPE_CHECKING:
    import pandas

BASE = "best-of-n"
WIDTH = frozenset({"n", "beams", "particles", "first", "rounds"})
"""Options of strategies that say how wide a search is; the others tell one line from another."""
NOT_OF_SUBSETS = ("ranks(", "pareto(", "consensus(", "keep(")
"""Rules by which the order of two candidates depends on the others."""
WALL, FLOPS = "wall:", "flops:"
COSTS = {"tokens_generated": "tokens", "wall": "seconds", "flops": "FLOPs"}
"""What one search costs, without its judges."""


@dataclass(frozen=True, eq=False)
class Point:
    """A strategy at one width. values: one row an utterance, means over seeds: measures and costs by column.
    sampled: no search of this width is in the table, so that its costs are those of a wider one in
    proportion."""

    n: int
    spec: str
    values: pandas.DataFrame
    sampled: bool = False

    def has(self, measure: Measure) -> bool:
        return bool(self.values[measure.column].notna().any())

    def pooled(self, measure: Measure) -> Interval:
        """All errors over all words, of a measure of WORDS."""
        own = self.values[[measure.column, measure.words]].dropna().to_numpy()
        return bootstrap_ratio(own[:, 0] * own[:, 1], own[:, 1], resamples=RESAMPLES)

    def interval(self, measure: Measure) -> Interval:
        return measure.interval(self.values[measure.column].dropna().to_numpy())

    def cost(self, column: str) -> Interval:
        return bootstrap_mean(self.values[column].to_numpy(), resamples=1000)


@dataclass(frozen=True, eq=False)
class Line:
    """One strategy of one preset with all options but those of width, from narrow to wide."""

    name: str
    series: str
    preset: str
    strategy: str
    options: tuple[tuple[str, str], ...]
    points: tuple[Point, ...]

    @property
    def widest(self) -> Point:
        return self.points[-1]

    def at(self, n: int) -> Point | None:
        return next((point for point in self.points if point.n == n), None)

    @property
    def is_base(self) -> bool:
        return self.points[0].spec.partition("?")[0] == BASE

    def option(self, key: str, default: str = "") -> str:
        return dict(self.options).get(key, default)


def lines(frame: pandas.DataFrame) -> list[Line]:
    """All series of a table, best-of-N first. A line's name is that of its strategy, with the preset and the
    options that tell it from others of that name."""
    wanted = measures(frame)
    found = []
    for (series, preset, strategy), own in frame.groupby(["series", "preset", "strategy"], sort=True):
        cells = [cell for _, cell in own.groupby("n", sort=True)]
        spec = str(cells[-1]["spec"].iloc[0])
        rest = tuple(sorted((key, value) for key, value in options(spec).items() if key not in WIDTH))
        found.append((str(series), str(preset), str(strategy), rest, _points(cells, spec, wanted)))
    names = _names([(preset, strategy, rest) for _, preset, strategy, rest, _ in found])
    made = [
        Line(name, series, preset, strategy, rest, points)
        for name, (series, preset, strategy, rest, points) in zip(names, found, strict=True)
    ]
    return sorted(made, key=lambda line: (line.preset, not line.is_base, line.name))


def _points(cells: Sequence[pandas.DataFrame], spec: str, wanted: Sequence[Measure]) -> tuple[Point, ...]:
    """Those that were run, or for best-of-N, where all candidates were judged, of subsets of the widest."""
    widest = cells[-1]
    n = int(widest["n"].iloc[0])
    points = {int(cell["n"].iloc[0]): cell for cell in cells}
    words = _words(cells, wanted)
    run = [
        Point(k, str(cell["spec"].iloc[0]), _by_utterance(cell, wanted).join(words))
        for k, cell in points.items()
    ]
    subsets = spec.partition("?")[0] == BASE and ranks_subsets(spec)
    if not subsets or not all(np.isfinite(one.of(widest)).all() for one in wanted):
        return tuple(run)
    counted = {point.n: point.values[costs(widest)] for point in run}
    found = []
    for k in sorted({*widths(n), *points}):
        values = _sampled(widest, wanted, k).join(words)
        if k in counted:
            values[costs(widest)] = counted[k]
        found.append(Point(k, spec, values, sampled=k not in counted))
    return tuple(found)


def widths(most: int) -> list[int]:
    """1, 2, 4 ... and `most`."""
    powers = [1 << bit for bit in range(most.bit_length()) if 1 << bit <= most]
    return powers if powers[-1] == most else [*powers, most]


def ranks_subsets(spec: str) -> bool:
    """Whether the winner of some candidates stays their winner when others are left out."""
    return not any(rule in options(spec).get("select", "") for rule in NOT_OF_SUBSETS)


@lru_cache(maxsize=4096)
def subset_weights(n: int, k: int) -> NDArray[np.float64]:
    """float64 [n]: for each rank, the share of the subsets of k of n candidates that it wins. 1 <= k <= n."""
    from scipy.special import gammaln

    ranks = np.arange(n)
    left = n - 1 - ranks
    with np.errstate(invalid="ignore"):
        logs = (gammaln(left + 1) - gammaln(left - k + 2)) - (gammaln(n + 1) - gammaln(n - k + 1)) + np.log(k)
    weights = np.where(left >= k - 1, np.exp(np.where(left >= k - 1, logs, 0.0)), 0.0)
    weights.flags.writeable = False
    return weights


def best_of(values: NDArray[np.float64], k: int) -> float:
    """The expected value of best-of-k. values: float64 [n], of candidates in order of rank."""
    return float(values @ subset_weights(len(values), min(k, len(values))))


def costs(frame: pandas.DataFrame) -> list[str]:
    """Columns of what a search costs: the sums, and those by part."""
    parts = [column for column in frame.columns if column.startswith((WALL, FLOPS))]
    return [*(column for column in COSTS if column in frame.columns), *parts]


def parts_of(frame_or_values: pandas.DataFrame, kind: str) -> dict[str, str]:
    """Columns of one kind of cost (WALL or FLOPS) by part of the search, without its judges."""
    columns = [c for c in frame_or_values.columns if c.startswith(kind)]
    return {c.removeprefix(kind): c for c in columns if not c.removeprefix(kind).startswith("judge ")}


def _by_utterance(own: pandas.DataFrame, wanted: Sequence[Measure]) -> pandas.DataFrame:
    """The winners of one cell, seeds averaged: one row an utterance."""
    import pandas

    winners = own[own["winner"]]
    found = {one.column: one.of(winners) for one in wanted}
    found |= {column: winners[column].fillna(0.0).to_numpy(np.float64) for column in costs(own)}
    return pandas.DataFrame(found, index=winners["utterance"]).groupby(level=0).mean()


def _words(cells: Sequence[pandas.DataFrame], wanted: Sequence[Measure]) -> pandas.DataFrame:
    """By utterance, of how many words each recogniser counts the errors: the same for all candidates that it
    could judge."""
    import pandas

    columns = [one.words for one in wanted if one.kind == WORDS and one.words in cells[-1].columns]
    every = pandas.concat([cell[["utterance", *columns]] for cell in cells])
    return every.groupby("utterance")[columns].max().astype(np.float64)


def _sampled(own: pandas.DataFrame, wanted: Sequence[Measure], k: int) -> pandas.DataFrame:
    """What best-of-k would give on average, from the candidates of a wider search."""
    import pandas

    rows, index = [], []
    for _, search in own.sort_values("rank").groupby("search", sort=True):
        n = len(search)
        weights = subset_weights(n, min(k, n))
        row = {one.column: float(one.of(search) @ weights) for one in wanted}
        share = min(k, n) / n
        row |= {column: float(search[column].fillna(0.0).iloc[0]) * share for column in costs(own)}
        rows.append(row)
        index.append(search["utterance"].iloc[0])
    return pandas.DataFrame(rows, index=pandas.Index(index, name="utterance")).groupby(level=0).mean()


def _names(keys: Sequence[tuple[str, str, tuple[tuple[str, str], ...]]]) -> list[str]:
    """`partial-prm (seconds=1)`: with the options that others of that preset and name have otherwise."""
    presets = {preset for preset, _, _ in keys}
    names: list[str] = []
    for preset, strategy, rest in keys:
        others = [dict(own) for place, name, own in keys if (place, name) == (preset, strategy)]
        words = [f"{key}={value}" for key, value in rest if any(other.get(key) != value for other in others)]
        if len(presets) > 1:
            words.insert(0, preset)
        name = f"{strategy} ({', '.join(words)})" if words else strategy
        same = sum(other == name or other.startswith(f"{name} #") for other in names)
        names.append(f"{name} #{same + 1}" if same else name)
    return names


@dataclass(frozen=True, slots=True)
class EqualCompute:
    """A strategy beside best-of-N of the same cost. difference: the strategy's value less that of best-of-N,
    paired by utterance. base_n: the N of best-of-N at that cost, between two that were run where it is no
    whole number."""

    line: str
    n: int
    cost: float
    base_n: float
    difference: Interval


def equal_compute(
    found: Sequence[Line], measure: Measure, cost: str = "flops"
) -> tuple[list[EqualCompute], list[str]]:
    """Each strategy at each width against the preset's best-of-N at equal cost, and what cannot be compared:
    names of strategies that cost more than the widest best-of-N, or less than the narrowest.

    The value of best-of-N at a cost lies on a straight line, in the logarithm of the cost, between its two
    neighbours.
    """
    rows, beyond = [], []
    for line in found:
        base = base_of(line, found)
        if base is None or base is line:
            continue
        spent = np.array([point.values[cost].mean() for point in base.points])
        for point in line.points:
            if point.n == 1:  # one sample, whatever the strategy
                continue
            own = float(point.values[cost].mean())
            if not spent[0] * 0.999 <= own <= spent[-1] * 1.001 or own <= 0:
                beyond.append(f"{line.name}, N={point.n}")
                continue
            place = float(np.interp(np.log(own), np.log(spent), np.arange(len(spent))))
            low = min(int(place), len(spent) - 2)
            share = place - low
            low_values, high_values = (base.points[i].values[measure.column] for i in (low, low + 1))
            both = (
                point.values[[measure.column]]
                .join((1 - share) * low_values + share * high_values, rsuffix=" base", how="inner")
                .dropna()
            )
            if both.empty:
                continue
            n = np.exp(np.interp(place, range(len(spent)), np.log([point.n for point in base.points])))
            change = paired_difference(*(both[column].to_numpy() for column in both), resamples=2000)
            rows.append(EqualCompute(line.name, point.n, own, float(n), change))
    return rows, beyond


def base_of(line: Line, found: Sequence[Line]) -> Line | None:
    """Best-of-N of the same preset with more than one width: of the same selection if there is one, else of
    one that goes by the same metric first, as `wer,sim` for `wer<=0,sim`."""
    bases = [one for one in found if one.is_base and one.preset == line.preset and len(one.points) > 1]
    same = [one for one in bases if one.option("select") == line.option("select")]
    alike = [one for one in bases if _first_word(one) == _first_word(line)]
    return next(iter(same or alike or bases), None)


def _first_word(line: Line) -> str:
    """Of its selection: a metric, or the name of a rule."""
    found = re.match(r"[\w-]*", line.option("select"))
    return found[0] if found else ""
