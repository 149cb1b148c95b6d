"""The tables of a study, as words: the same in the terminal and in the report."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.studies.analysis import Analysis
from experiments.studies.measures import Measure
from experiments.studies.predict import FARTHEST, Needed, Prediction
from verifiers.stats import Interval

SHARES = (0.5, 0.1)
"""Of the value at N=1: targets that a prediction is asked for."""


@dataclass(frozen=True, slots=True)
class Table:
    """caption: what it shows. Rows of cells as text, the first column left-aligned. notes: below it."""

    name: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def tables(found: Analysis) -> list[Table]:
    """All that have rows."""
    made = [_cells(found), _costs(found), _equal(found), _hacking(found), _failures(found)]
    made += [_diversity(found), _prediction(found), _power(found)]
    return [table for table in made if table.rows or table.notes]


def shown(interval: Interval, digits: int = 3, *, sign: bool = False) -> str:
    """`0.123 [0.101, 0.150]`."""
    plus = "+" if sign else ""
    mean, low, high = (f"{v:{plus}.{digits}f}" for v in (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"


def needed_sentence(needed: Needed, prediction: Prediction) -> str:
    """`for a mean of 0.01 in WER ... you need N = 40 [20, 90]; that is 12 s ...`, or that no N is enough."""
    head = f"for a mean of {needed.target:g} in {prediction.measure.title} "
    if not needed.reached:
        there = shown(prediction.at(FARTHEST))
        return f"{head}no N is enough by this curve: with N = {FARTHEST:,} it is at {there}"
    beyond = "" if needed.n <= prediction.drawn else " (beyond what was run: by the model)"
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


def _label(one: Measure) -> str:
    return f"{one.title} ({'higher' if one.higher else 'lower'} is better)"


def _cells(found: Analysis) -> Table:
    rows = []
    for line in found.lines:
        for point in line.points:
            cells = [
                shown(point.interval(one)) if point.values[one.column].notna().any() else ""
                for one in found.qualities
            ]
            rows.append((line.name, str(point.n), str(len(point.values)), *cells))
    headings = ("strategy", "N", "utterances", *map(_label, found.qualities))
    caption = "Quality: means over utterances with 95 % bootstrap intervals"
    return Table("quality", caption, headings, tuple(rows))


def _costs(found: Analysis) -> Table:
    rows = []
    for line in found.lines:
        for point in line.points:
            tokens, wall, flops = (
                point.values[name].mean() for name in ("tokens_generated", "wall", "flops")
            )
            counted = "in proportion" if point.sampled else "counted"
            rows.append(
                (line.name, str(point.n), f"{tokens:,.0f}", f"{wall:.2f}", f"{flops / 1e9:,.1f}", counted)
            )
    headings = ("strategy", "N", "tokens", "wall seconds", "GFLOPs", "how")
    caption = "Cost of one search, without its judges: means over utterances"
    return Table("cost", caption, headings, tuple(rows))


def _equal(found: Analysis) -> Table:
    rows: dict[tuple[str, int], list[str]] = {}
    for one in found.qualities:
        for row in found.equal[one][0]:
            cells = rows.setdefault((row.line, row.n), [row.line, str(row.n), f"{row.base_n:.3g}"])
            cells.append(shown(row.difference, sign=True))
    whole = [tuple(cells) for cells in rows.values() if len(cells) == 3 + len(found.qualities)]
    beyond = sorted({name for _, names in found.equal.values() for name in names})
    notes = (f"no best-of-N was run at the cost of {'; '.join(beyond)}",) if beyond else ()
    headings = ("strategy", "N", "best-of-N at equal FLOPs", *map(_label, found.qualities))
    caption = "Less best-of-N of the same FLOPs, paired by utterance"
    return Table("equal-compute", caption, headings, tuple(whole), notes)


def _hacking(found: Analysis) -> Table:
    rows = []
    for one in found.hacking:
        for gap in one.gaps:
            pair = f"{one.searched.metric} / {one.held_out.by}"
            values = (shown(value, sign=True) for value in (gap.searched, gap.held_out, gap.gap))
            rows.append((one.line, pair, f"{one.base} → {gap.n}", *values))
    headings = ("strategy", "search / ear", "N", "gain by the search", "gain by the ear", "difference")
    caption = "Reward hacking: the gain by the score that searched and by a held-out ear of its kind"
    return Table("hacking", caption, headings, tuple(rows), tuple(one.sentence for one in found.hacking))


def _failures(found: Analysis) -> Table:
    rows = []
    for line in found.lines:
        for point in line.points:
            cells = [
                shown(point.interval(one)) if point.values[one.column].notna().any() else ""
                for one in found.failures
            ]
            rows.append((line.name, str(point.n), *cells))
    caption = "Catastrophic failures: the share of utterances with 95 % Wilson intervals"
    headings = ("strategy", "N", *(one.title for one in found.failures))
    return Table("failures", caption, headings, tuple(rows) if found.failures else ())


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


def _power(found: Analysis) -> Table:
    rows = []
    for one in found.paired:
        needs: tuple[str, ...] = ("", "", "")
        if one.difference:
            several = one.spread.within is not None
            needed = (one.spread.utterances_for(one.difference, k) for k in (1, 3, 5))
            needs = (f"{next(needed):,}", *(f"{n:,}" if several else "" for n in needed))
        rows.append(
            (one.name, one.measure.title, f"{one.difference:+.4f}", f"{one.spread.found:.4f}", *needs)
        )
    notes = []
    for measure in found.qualities:
        noise = found.noise(measure)
        if noise is not None and noise.noise_floor is not None:
            notes.append(
                f"noise floor of {measure.title} with {noise.utterances} utterances: two runs of one seed "
                f"each, of the same search, are up to {noise.noise_floor:.3g} apart in 95 % of cases"
            )
    if found.qualities and not notes:
        notes.append("no noise floor: the sweep has one seed; give two or more")
    caption = (
        f"Power: less best-of-N of N={found.common_width}, and the utterances that this difference needs"
    )
    headings = ("strategy", "measure", "difference", "could find", "needs with 1 seed", "with 3", "with 5")
    return Table("power", caption, headings, tuple(rows), tuple(notes))


UNIT = {"words": "errors per word", "voice": "of cosine"}
