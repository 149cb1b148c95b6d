"""The candidates of best-of-N as draws, which is what predictions are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from experiments.studies.curves import BASE, ranks_subsets, subset_weights
from experiments.studies.measures import Measure, searched_by
from llasa_core.errors import UserError

if TYPE_CHECKING:
    import pandas

LEAST = 4
"""Candidates of a search, without which nothing is predicted."""
Values: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Draws:
    """The candidates of best-of-N by search. key: float64 [searches, N], in lineage order, of the score that
    the search made best, lower is better. order: int [searches, N], places of the candidates from the best to
    the worst by the whole rule. utterance: int [searches], which one each search spoke.

    value: float64 [searches, N], of the measure that is predicted; or None where only winners were judged,
    and then judged: float64 [searches] by N, of the winner of the first N.
    """

    key: Values
    order: Indices
    utterance: Indices
    value: Values | None
    judged: Mapping[int, Values] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return int(self.key.shape[1])

    @property
    def utterances(self) -> int:
        return int(self.utterance.max()) + 1

    @property
    def widths(self) -> list[int]:
        """1, 2, 4 ... n; where only winners were judged, those that were."""
        if self.value is None:
            return sorted(k for k in self.judged if k <= self.n)
        return [1 << bit for bit in range(self.n.bit_length()) if 1 << bit <= self.n]

    def first(self, n: int) -> Draws:
        """The first n candidates of each search, as a run of that N has them."""
        order = np.array([row[row < n] for row in self.order])
        value = None if self.value is None else self.value[:, :n]
        return Draws(self.key[:, :n], order, self.utterance, value, self.judged)

    def picked(self, utterances: Indices) -> Draws:
        """A bootstrap sample: the searches of these utterances, which count as different ones."""
        rows = [np.flatnonzero(self.utterance == one) for one in utterances]
        own = np.repeat(np.arange(len(rows)), [len(part) for part in rows])
        where = np.concatenate(rows)
        value = None if self.value is None else self.value[where]
        judged = {k: column[where] for k, column in self.judged.items()}
        return Draws(self.key[where], self.order[where], own, value, judged)

    def observes(self, k: int) -> bool:
        """Whether `observed` can tell of best-of-k."""
        return k <= self.n and (self.value is not None or k in self.judged)

    def observed(self, k: int) -> float:
        """Best-of-k, where it `observes` k: the mean over utterances, of means over seeds; by sub-sampling,
        or of the winners of the first k where only winners were judged."""
        if self.value is None:
            each = self.judged[k]
        else:
            each = np.take_along_axis(self.value, self.order, axis=1) @ subset_weights(self.n, k)
        sums = np.bincount(self.utterance, each, self.utterances)
        return float((sums / np.bincount(self.utterance, minlength=self.utterances)).mean())


@dataclass(frozen=True, eq=False)
class Widest:
    """The widest best-of-N of a table: its rows with those of the same series that are narrower, its spec and
    N, and the metric that it selects by first."""

    rows: pandas.DataFrame
    spec: str
    n: int
    searched: Measure


def widest(frame: pandas.DataFrame, measure: Measure | None = None) -> Widest:
    """Of several rules the one that goes by the measure's metric first.

    Raises UserError for a table without a best-of-N of at least LEAST candidates whose rule ranks every
    subset alike, and of several presets.
    """
    own = frame[frame["spec"].map(lambda spec: spec.partition("?")[0] == BASE and ranks_subsets(spec))]
    top = own[(own["n"] == own["n"].max()) & (own["n"] >= LEAST)]
    if top.empty:
        raise UserError(
            f"nothing to predict from: the sweep needs a best-of-n of at least {LEAST} candidates, with a "
            "selection such as select=wer,sim"
        )
    if len(presets := sorted(top["preset"].unique())) > 1:
        raise UserError(f"the sweep has several presets: say which, as in --preset {presets[0]}")
    rules = {str(spec): searched_by(frame, spec) for spec in sorted(top["spec"].unique())}
    known = {spec: one for spec, one in rules.items() if one is not None}
    if not known:
        raise UserError(
            f"{next(iter(rules))} does not say by which metric it selects: sweep with select=wer,sim, say"
        )
    wanted = [spec for spec, one in known.items() if measure is not None and one.metric == measure.metric]
    spec = next(iter(wanted or known))
    series = top.loc[top["spec"] == spec, "series"].min()
    return Widest(own[own["series"] == series], spec, int(top["n"].iloc[0]), known[spec])


def draws(found: Widest, measure: Measure) -> Draws:
    """The candidates as draws, without searches that a budget stopped, and without what was drawn beyond N.

    Raises UserError where no search drew N candidates, and for a judge of too few winners.
    """
    import pandas

    n, sign = found.n, -1.0 if found.searched.higher else 1.0
    rows = found.rows[found.rows["n"] == n].sort_values(["utterance", "seed", "candidate"])
    rows = rows[rows.groupby("search").cumcount() < n]
    rows = rows[rows.groupby("search")["candidate"].transform("size") == n]
    if rows.empty:
        raise UserError(f"no search of {found.spec} drew {n} candidates: nothing to predict from")
    key, value = (one.of(rows).reshape(-1, n) for one in (found.searched, measure))
    order = np.argsort(rows["rank"].to_numpy().reshape(-1, n), axis=1, kind="stable").astype(np.int64)
    searches = rows.groupby(["utterance", "seed"], sort=True).size().index
    utterance = pandas.factorize(searches.get_level_values("utterance"))[0].astype(np.int64)
    if np.isfinite(value).all():
        return Draws(sign * key, order, utterance, value)
    winners = found.rows[found.rows["winner"]]
    judged = {
        int(k): measure.of(cell.set_index(["utterance", "seed"]).reindex(searches))
        for k, cell in winners.groupby("n")
    }
    judged = {k: column for k, column in judged.items() if np.isfinite(column).all()}
    if len(judged) < 3 or n not in judged:
        raise UserError(f"{measure.by} judged too few of the winners to predict its values: sweep more N")
    return Draws(sign * key, order, utterance, None, judged)
