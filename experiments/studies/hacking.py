"""Is a gain real, or is the verifier being gamed? The gain by the score that searched beside the gain by
held-out ears of the same kind.

A search picks what its verifier likes, its mistakes included, so the verifier's own score overstates the
gain, more with every N. Words are compared as they are counted. Similarities of two models have no common
unit: there a gain is in standard deviations of that model's scores of the narrowest search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from experiments.studies.curves import Line
from experiments.studies.measures import RESAMPLES, WORDS, Measure
from verifiers.stats import Interval, bootstrap_mean, paired_difference

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class Gap:
    """At one N: what the search's own score gained over the narrowest search, what the held-out ear gained,
    and the first less the second, paired by utterance. Positive gains are better."""

    n: int
    searched: Interval
    held_out: Interval
    gap: Interval


@dataclass(frozen=True, slots=True)
class Hacking:
    """One score of the search beside one ear. unit: of the gains. base: the N that they are over.

    parts_at: the smallest N from which on the interval of the gap lies above 0; None if they do not part.
    """

    line: str
    searched: Measure
    held_out: Measure
    unit: str
    base: int
    gaps: tuple[Gap, ...]

    @property
    def parts_at(self) -> int | None:
        found = None
        for one in reversed(self.gaps):
            if one.gap.low <= 0:
                break
            found = one.n
        return found

    @property
    def confirmed(self) -> float:
        """The share of the gain at the widest search that the held-out ear hears too."""
        widest = self.gaps[-1]
        return widest.held_out.mean / widest.searched.mean if widest.searched.mean else float("nan")

    @property
    def sentence(self) -> str:
        """The finding in words."""
        widest = self.gaps[-1]
        widths = f"from N={self.base} to N={widest.n}"
        gained = f"{widths}: a gain of {_signed(widest.searched)} in {self.searched.title}"
        heard = f"of {_signed(widest.held_out)} in {self.held_out.title}"
        if self.parts_at is None:
            verdict = "no N at which the two part beyond chance"
        else:
            verdict = f"they part from N={self.parts_at} on"
        return f"{self.line}, {gained}, {heard} ({self.unit}); {verdict}"


def hacking(lines: Sequence[Line], measures: Sequence[Measure]) -> list[Hacking]:
    """Each line with two widths or more, by each pair of a search's score and a held-out ear of its kind."""
    found = []
    for line in lines:
        if len(line.points) < 2:
            continue
        for own in measures:
            if own.held_out or own.failures:
                continue
            ears = [one for one in measures if one.held_out and one.kind == own.kind and not one.failures]
            made = [_compare(line, own, ear) for ear in ears]
            found += [one for one in made if one is not None]
    return found


def _compare(line: Line, own: Measure, ear: Measure) -> Hacking | None:
    first = line.points[0]
    unit, scales = "errors per word", (1.0, 1.0)
    if own.kind != WORDS:
        unit = f"standard deviations of the utterances at N={first.n}"
        scales = (_spread(first.values, own), _spread(first.values, ear))
    gaps = []
    for point in line.points[1:]:
        both = first.values.join(point.values, rsuffix=" then", how="inner")
        both = both.dropna(subset=[name for one in (own, ear) for name in (one.column, f"{one.column} then")])
        if both.empty:
            continue
        gains = [_gains(both, one) / scale for one, scale in zip((own, ear), scales, strict=True)]
        searched, heard = (bootstrap_mean(gain, resamples=RESAMPLES) for gain in gains)
        gap = paired_difference(gains[0], gains[1], resamples=RESAMPLES)
        gaps.append(Gap(point.n, searched, heard, gap))
    return Hacking(line.name, own, ear, unit, first.n, tuple(gaps)) if gaps else None


def _gains(both: pandas.DataFrame, one: Measure) -> NDArray[np.float64]:
    found: NDArray[np.float64] = one.gain(both[one.column], both[f"{one.column} then"]).to_numpy(np.float64)
    return found


def _spread(values: pandas.DataFrame, one: Measure) -> float:
    return float(values[one.column].std()) or 1.0


def _signed(interval: Interval) -> str:
    return f"{interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
