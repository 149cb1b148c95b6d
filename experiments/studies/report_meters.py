"""The tables of the meters: is a gain real, what is it made of, what would more bring."""

from __future__ import annotations

import math

from experiments.studies.analysis import Analysis
from experiments.studies.measures import brief
from experiments.studies.predict import FARTHEST, Needed, Prediction
from experiments.studies.report_cells import Table, shown
from experiments.studies.rescore.beginnings import switches

SHARES = (0.5, 0.1)
"""Of the value at N=1: targets that a prediction is asked for."""


def meters(found: Analysis) -> list[Table]:
    """All of them, also those without rows."""
    return [
        _hacking(found),
        _beginnings(found),
        _noise(found),
        _luck(found),
        _diversity(found),
        _prediction(found),
    ]


def needed_sentence(needed: Needed, prediction: Prediction) -> str:
    """`for a mean of 0.01 in WER ... you need N = 40 [20, 90]; that is 12 s ...`, or that no N is enough."""
    head = f"for a mean of {needed.target:g} in {prediction.measure.title} "
    if not needed.reached:
        there = shown(prediction.at(FARTHEST))
        return f"{head}no N is enough by this curve: with N = {FARTHEST:,} it is at {there}"
    beyond = "" if prediction.observed(math.ceil(needed.n)) else " (beyond what was run: by the model)"
    low, high = (_s(needed, n) for n in (needed.low, needed.high))
    return (
        f"{head}you need N = {needed.n:,.0f} [{_n(needed.low)}, {_n(needed.high)}]{beyond}; that is "
        f"{needed.seconds(needed.n):,.3g} s an utterance [{low}, {high}], in proportion to the "
        f"{needed.seconds_per_candidate:.3g} s of one candidate in this sweep"
    )


def _n(n: float) -> str:
    return f"{n:,.0f}" if n < float("inf") else "out of reach"


def _s(needed: Needed, n: float) -> str:
    return f"{needed.seconds(n):,.3g}" if n < float("inf") else "out of reach"


def _hacking(found: Analysis) -> Table:
    rows = []
    for one in found.hacking:
        for gap in one.gaps:
            pair = f"{one.searched.metric} / {brief(one.held_out.by)}"
            values = (shown(value, sign=True) for value in (gap.searched, gap.held_out, gap.gap))
            rows.append((one.line, pair, f"{one.base} → {gap.n}", *values))
    headings = ("strategy", "search / ear", "N", "gain by the search", "gain by the ear", "difference")
    caption = "Reward hacking: the gain by the score that searched and by a held-out ear of its kind"
    return Table("hacking", caption, headings, tuple(rows), tuple(one.sentence for one in found.hacking))


def _diversity(found: Analysis) -> Table:
    rows = []
    scores = sorted({metric for _, one in found.diversity for metric in one.scores})
    for name, one in found.diversity:
        heard = shown(one.transcripts, 2) if one.transcripts else ""
        spreads = (shown(one.scores[metric]) if metric in one.scores else "" for metric in scores)
        rows.append((name, str(one.n), heard, shown(one.codes, 2), shown(one.seconds, 2), *spreads))
    headings = (
        "strategy",
        "N",
        "distinct transcripts (share)",
        "edit distance of codes (share)",
        "spread of length (s)",
        *(f"spread of {metric}" for metric in scores),
    )
    caption = "Diversity of the candidates of one search; spreads are standard deviations"
    return Table("diversity", caption, headings, tuple(rows))


def _prediction(found: Analysis) -> Table:
    rows, notes = [], []
    for one in found.predictions:
        for check in one.checks:
            used = "used" if check is one.checks[0] else ""
            error = shown(check.error, sign=True)
            rows.append(
                (one.measure.title, check.kind, used, f"{check.fitted} → {check.n}", f"{check.predicted:.3f}",
                 f"{check.observed:.3f}", error)
            )  # fmt: skip
        if not one.measure.higher:
            targets = (one.at(1).mean * share for share in SHARES)
            notes += [needed_sentence(one.needed(float(f"{target:.2g}")), one) for target in targets]
    headings = ("measure", "model", "", "fitted on N → asked for", "predicted", "observed", "error")
    caption = "Predictions, checked: fitted on half of each search's candidates, beside what all reached"
    return Table("prediction", caption, headings, tuple(rows), tuple(notes))


def _beginnings(found: Analysis) -> Table:
    own = found.rescoring.agreements if found.rescoring else []
    rows = tuple(
        (one.metric, f"{one.seconds:g}", shown(one.correlation, 2), str(one.correlation.n), str(one.searches),
         f"{one.candidates:.1f}")
        for one in own
    )  # fmt: skip
    headings = ("verifier", "seconds", "rank correlation", "utterances", "searches", "candidates of each")
    caption = "Partial verifiers: rank correlation of the score at t seconds with that of the whole utterance"
    return Table("beginnings", caption, headings, rows, tuple(one.sentence for one in switches(own)))


def _noise(found: Analysis) -> Table:
    own = found.rescoring.movements if found.rescoring else []
    rows = tuple(
        (one.metric, str(one.candidates), shown(one.sd, 4), f"{one.spread:.4f}", f"{one.moved:.2f}",
         shown(one.winners, 4, sign=True), shown(one.losers, 4, sign=True) if one.losers else "")
        for one in own
    )  # fmt: skip
    headings = (
        "verifier",
        "candidates",
        "noise (sd from draw to draw)",
        "spread (sd of a search's candidates)",
        "share that moved",
        "winners' change",
        "losers' change",
    )
    caption = "Verifier noise: scores of the same recordings with inaudible changes; positive is better"
    return Table("noise", caption, headings, rows)


def _luck(found: Analysis) -> Table:
    own = found.rescoring.lucks if found.rescoring else []
    rows, notes = [], []
    for one in own:
        name = found.name_of(one.series)
        notes.append(one.sentence(name))
        for point in one.points:
            gains = (shown(value, sign=True) for value in (point.selected, point.anew, point.luck))
            rows.append((name, one.measure.title, f"{one.base} → {point.n}", *gains))
    headings = ("strategy", "measure", "N", "gain at selection", "gain measured again", "luck")
    caption = "Luck: how much of the gain of best-of-N goes when its winners are measured again"
    return Table("luck", caption, headings, tuple(rows), tuple(notes))
