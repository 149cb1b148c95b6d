"""Best-of-N for every smaller N, and for any selection, from the candidates of one run.

Candidates nest: the first k of N are those of a run of k, token by token, and each is scored as if it were
alone. So what a smaller search would have chosen is known without running it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.studies.table import columns, parts
from llasa_core.errors import UserError
from search.strategies.base import Strategy
from search.strategies.best_of_n import BestOfN
from verifiers.base import Score
from verifiers.selection.consensus import Consensus
from verifiers.selection.parse import Cascade, parse_selection
from verifiers.selection.rules import ConstraintFirst, Selection

if TYPE_CHECKING:
    import pandas

STRATEGY = "best-of-n"


def nests(strategy: Strategy) -> bool:
    """Whether the candidates of a smaller N are the first ones, and a choice among them depends on nothing
    else."""
    return isinstance(strategy, BestOfN) and strategy.wide == 1 and _by_scores(strategy.selection)


def subsample(frame: pandas.DataFrame, n: int, select: str) -> pandas.DataFrame:
    """Best-of-n with the selection `select`, such as "wer,sim", of every search of best-of-N in the frame.

    The result has the rows of the first n candidates, with their new ranks, and spec, cell and series that
    say so. Tokens are exactly those of a run of n. FLOPs and wall seconds are scaled in proportion to the
    tokens, which leaves out the prompt and the padding of a recogniser's batches (a few per cent); the
    seconds are an estimate. For an n that the grid names, the sweep's own table has costs that were counted.
    Judges have judged the winners of the grid's own cells: another winner may have no value by them.

    Raises UserError for rows of another strategy, for an n beyond what was run, and for a selection that
    looks at more than each candidate's scores; VerifierError for one that cannot be read.
    """
    selection = parse_selection(select, frame.attrs["directions"])
    if not _by_scores(selection):
        raise UserError(f"{select}: a cascade or a consensus looks at more than the scores: run it by itself")
    runs = frame[frame["subsampled"] == 0]
    wrong = runs[~runs["spec"].str.startswith(STRATEGY)]
    if len(wrong) or not len(runs):
        found = wrong["spec"].iloc[0] if len(wrong) else "none that was run"
        raise UserError(f"candidates nest in {STRATEGY} alone, and there is {found}: keep its rows only")
    smallest = int(runs["n"].min())
    if not 1 <= n <= smallest:
        raise UserError(f"n={n}: the searches have {smallest} candidates, so give from 1 to {smallest}")
    import pandas

    found = pandas.concat(
        [_first(own, n, selection) for _, own in runs.groupby("search", sort=False)], ignore_index=True
    )
    found.attrs = frame.attrs
    return found


def _by_scores(selection: Selection) -> bool:
    """Whether the selection looks at nothing but the value of each score."""
    rule = selection.rule if isinstance(selection, ConstraintFirst) else selection
    return not isinstance(rule, Consensus | Cascade)


def scores_of(rows: pandas.DataFrame, metric: str) -> list[Score]:
    """The scores of a search's rows, as far as selections look at them."""
    logp = rows.get(f"logp:{metric}", np.full(len(rows), np.nan))
    return [
        Score(value, {} if np.isnan(fine) else {"logp": fine}, not bad, bad, bad == "short")
        for value, bad, fine in zip(rows[f"score:{metric}"], rows[f"unusable:{metric}"], logp, strict=True)
    ]


def _first(rows: pandas.DataFrame, n: int, selection: Selection) -> pandas.DataFrame:
    """The first n candidates of one search."""
    rows = rows.sort_values("candidate")
    own = rows.head(n).copy()
    ranking = selection.rank({metric: scores_of(own, metric) for metric in parts(own, "score")})
    ranks: dict[int, int] = {place: rank for rank, place in enumerate(ranking.order)}
    share = own["tokens"].sum() / max(rows["tokens"].sum(), 1)
    changed: dict[str, Any] = {
        "rank": [ranks[place] for place in range(len(own))],
        "winner": [ranks[place] == 0 for place in range(len(own))],
        "satisfied": ranking.satisfied,
        "subsampled": own["n"],
        "n": n,
        "spec": f"{STRATEGY}?n={n}&select={selection.spec}",
        "series": own["series"] + f" select={selection.spec}",
        "cell": own["series"] + f" select={selection.spec} n={n}",
        "search": own["search"] + f" {selection.spec} {n}",
        "tokens_generated": int(own["tokens"].sum()),
    }
    changed |= {name: own[name] * share for name in columns(own, ("flops", "wall"))}
    return own.assign(**changed)
