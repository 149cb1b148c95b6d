"""What is made of one sweep's table, once, for figures, report and terminal alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.studies.curves import EqualCompute, Line, Point, base_of, equal_compute, lines
from experiments.studies.diversity import Diversity, diversity
from experiments.studies.hacking import Hacking, hacking
from experiments.studies.measures import WORDS, Measure, measures, searched_by
from experiments.studies.power import Spread, spread
from experiments.studies.predict import Prediction, predict
from experiments.studies.rescore.rescoring import Rescoring
from experiments.studies.table import read
from llasa_core.errors import UserError

if TYPE_CHECKING:
    import pandas

SWITCHED = "partial-prm"
BEAM = "beam"
DECIMALS = 12
"""Of a mean difference: what is smaller is the rounding of sums."""
PAPER_SECONDS = 2.0
"""For which the paper prunes."""


@dataclass(frozen=True, eq=False)
class Analysis:
    """A table and all that is found in it, each part when it is first asked for. rescoring: what was measured
    again; None if nothing was."""

    frame: pandas.DataFrame
    rescoring: Rescoring | None = None

    @classmethod
    def read(cls, folder: Path) -> Analysis:
        """Of the folder of a sweep, or of its table alone. Raises UserError for what is neither."""
        frame = read(folder)
        return cls(frame, Rescoring.read(folder, frame))

    @cached_property
    def measures(self) -> list[Measure]:
        return measures(self.frame)

    @property
    def qualities(self) -> list[Measure]:
        """All but catastrophic failures."""
        return [one for one in self.measures if not one.failures]

    @property
    def failures(self) -> list[Measure]:
        return [one for one in self.measures if one.failures]

    @cached_property
    def lines(self) -> list[Line]:
        return lines(self.frame)

    @cached_property
    def main_lines(self) -> list[Line]:
        """Those of the figures over N and cost: of partial PRM that differs in its switch time alone, the one
        with most widths, or the one of 2 s, the paper's."""
        families: dict[tuple[object, ...], list[Line]] = {}
        for line in self.lines:
            rest = tuple(pair for pair in line.options if pair[0] != "seconds")
            families.setdefault((line.preset, line.strategy, rest), []).append(line)
        return [
            max(own, key=lambda line: (len(line.points), float(line.option("seconds", "2")) == PAPER_SECONDS))
            for own in families.values()
        ]

    def name_of(self, series: str) -> str:
        """Of its line."""
        return next(line.name for line in self.lines if line.series == series)

    @cached_property
    def common_width(self) -> int:
        """The largest N that most lines were run with."""
        run = set(self.frame[["series", "n"]].itertuples(index=False, name=None))
        points = {(line.series, point.n) for line in self.lines for point in line.points}
        counts = Counter(n for _, n in points & run)
        return max(counts, key=lambda n: (counts[n], n))

    def at_common_width(self) -> list[tuple[Line, Point]]:
        found = [(line, line.at(self.common_width)) for line in self.lines]
        return [(line, point) for line, point in found if point is not None]

    @cached_property
    def base(self) -> Line | None:
        """The best-of-N that others are compared with: one that was run, by words where there are several."""
        run = set(self.frame.loc[self.frame["subsampled"] == 0, "series"])
        found = [line for line in self.lines if line.is_base and line.series in run]
        return min(found, key=lambda line: not self._by_words(line), default=None)

    def _by_words(self, line: Line) -> bool:
        one = searched_by(self.frame, line.widest.spec)
        return one is not None and one.kind == WORDS

    def switches(self) -> list[tuple[str, float, Point]]:
        """Points at the common width by the seconds for which beams are pruned: 0 for best-of-N, those of
        partial PRM, infinity for beam search to the end; none without two times of partial PRM."""
        common = self.at_common_width()
        partial = [(line, point) for line, point in common if point.spec.partition("?")[0] == SWITCHED]
        found = []
        for line, point in partial:
            seconds = float(line.option("seconds", "2"))
            found.append((f"{seconds:g}", seconds, point))
        if len({seconds for _, seconds, _ in found}) < max(2, len(found)):
            return []  # one time alone, or lines that differ otherwise
        first = partial[0][0]
        base = base_of(first, self.lines)
        found += [(f"0\n({line.name})", 0.0, point) for line, point in common if line is base]
        beams = [
            (line, point)
            for line, point in common
            if point.spec.partition("?")[0] == BEAM and line.preset == first.preset
        ]
        beams.sort(key=lambda one: one[0].option("select") != first.option("select"))
        found += [(f"to the end\n({line.name})", float("inf"), point) for line, point in beams[:1]]
        return sorted(found, key=lambda one: one[1])

    @cached_property
    def hacking(self) -> list[Hacking]:
        return hacking(self.main_lines, self.measures)

    @cached_property
    def diversity(self) -> list[tuple[str, Diversity]]:
        """With the names of their lines, in the order of these."""
        order = {line.series: (place, line.name) for place, line in enumerate(self.lines)}
        found = sorted(diversity(self.frame), key=lambda one: (order[one.series], one.n))
        return [(order[one.series][1], one) for one in found]

    @cached_property
    def equal(self) -> dict[Measure, tuple[list[EqualCompute], list[str]]]:
        """By quality, every other line beside best-of-N of the same FLOPs."""
        return {one: equal_compute(self.lines, one) for one in self.qualities}

    @cached_property
    def predictions(self) -> list[Prediction]:
        """Of what best-of-N searches by and the ears of its kind; none where the table has too little."""
        found = []
        for one in self.qualities:
            try:
                prediction = predict(self.frame, one)
            except UserError:
                continue
            if one.kind == prediction.searched.kind:
                found.append(prediction)
        return found

    @cached_property
    def paired(self) -> list[Paired]:
        """Each line at the common width beside best-of-N of that width, by each quality."""
        base = self.base
        if base is None:
            return []
        found = []
        for line, _ in self.at_common_width():
            for one in self.qualities if line.preset == base.preset and line is not base else ():
                own, other = self._winners(line, one), self._winners(base, one)
                difference = (own - other).dropna()
                if len(difference) > 1:
                    mean = round(float(difference.mean()), DECIMALS)
                    found.append(Paired(line.name, one, mean, spread(difference)))
        return found

    def noise(self, measure: Measure) -> Spread | None:
        """Of best-of-N, or the first line, at the common width: from text to text and from seed to seed."""
        values = self._winners(self.base or self.lines[0], measure).dropna()
        return spread(values) if len(values) > 1 else None

    def _winners(self, line: Line, measure: Measure) -> pandas.Series:
        """By utterance and seed, at the common width."""
        frame = self.frame
        rows = frame[(frame["series"] == line.series) & (frame["n"] == self.common_width) & frame["winner"]]
        return rows.assign(value=measure.of(rows)).set_index(["utterance", "seed"])["value"]


@dataclass(frozen=True, eq=False)
class Paired:
    """A line less best-of-N of the same N, paired by utterance and seed: the mean, and how it is spread."""

    name: str
    measure: Measure
    difference: float
    spread: Spread
