"""The tables of a study, as words: the same in the terminal and in the report."""

from __future__ import annotations

from experiments.studies.analysis import Analysis
from experiments.studies.measures import WORDS
from experiments.studies.report_cells import Table, label, shown
from experiments.studies.report_meters import meters


def tables(found: Analysis) -> list[Table]:
    """All that have rows."""
    made = [_cells(found), _pooled(found), _costs(found), _equal(found), _failures(found)]
    made += [*meters(found), _power(found)]
    return [table for table in made if table.rows or table.notes]


def _cells(found: Analysis) -> Table:
    rows = []
    for line in found.lines:
        for point in line.points:
            cells = [shown(point.interval(one)) if point.has(one) else "" for one in found.qualities]
            rows.append((line.name, str(point.n), str(len(point.values)), *cells))
    headings = ("strategy", "N", "utterances", *map(label, found.qualities))
    caption = "Quality: means over utterances with 95 % bootstrap intervals"
    return Table("quality", caption, headings, tuple(rows))


def _pooled(found: Analysis) -> Table:
    own = [one for one in found.qualities if one.kind == WORDS]
    rows = []
    for line in found.lines:
        for point in line.points:
            both = [(point.interval(one), point.pooled(one)) for one in own if point.has(one)]
            cells = (cell for mean, pooled in both for cell in (f"{mean.mean:.3f}", shown(pooled)))
            rows.append((line.name, str(point.n), *cells))
    whole = [row for row in rows if len(row) == 2 + 2 * len(own)]
    headings = (text for one in own for text in (f"{one.title}, mean", f"{one.title}, pooled"))
    caption = "Error rates pooled: all errors over all words, beside the mean of utterances"
    return Table("pooled", caption, ("strategy", "N", *headings), tuple(whole) if own else ())


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
    headings = ("strategy", "N", "best-of-N at equal FLOPs", *map(label, found.qualities))
    caption = "Less best-of-N of the same FLOPs, paired by utterance"
    return Table("equal-compute", caption, headings, tuple(whole), notes)


def _failures(found: Analysis) -> Table:
    rows = []
    for line in found.lines:
        for point in line.points:
            cells = [shown(point.interval(one)) if point.has(one) else "" for one in found.failures]
            rows.append((line.name, str(point.n), *cells))
    caption = "Catastrophic failures: the share of utterances with 95 % Wilson intervals"
    headings = ("strategy", "N", *(one.title for one in found.failures))
    return Table("failures", caption, headings, tuple(rows) if found.failures else ())


def _power(found: Analysis) -> Table:
    rows = []
    for one in found.paired:
        needs: tuple[str, ...] = ("", "", "")
        if one.difference:
            several = one.spread.within is not None
            needed = (one.spread.utterances_for(one.difference, k) for k in (1, 3, 5))
            needs = (f"{next(needed):,}", *(f"{n:,}" if several else "" for n in needed))
        could = f"{one.spread.found:.4f}" if one.spread.found else ""
        rows.append((one.name, one.measure.title, f"{one.difference:+.4f}", could, *needs))
    notes = []
    for measure in found.qualities:
        noise = found.noise(measure)
        if noise is not None and noise.noise_floor is not None:
            notes.append(
                f"noise floor of {measure.title} with {noise.utterances} utterances: two runs of one seed "
                f"each, of the same search, are up to {noise.noise_floor:.3g} apart in 95 % of cases"
            )
    if found.qualities and not notes:
        one_seed = found.frame["seed"].nunique() == 1
        why = "the sweep has one seed" if one_seed else "no text was spoken with two seeds there"
        notes.append(f"no noise floor: {why}; give two or more")
    caption = (
        f"Power: less best-of-N of N={found.common_width}, and the utterances that this difference needs"
    )
    headings = ("strategy", "measure", "difference", "could find", "needs with 1 seed", "with 3", "with 5")
    return Table("power", caption, headings, tuple(rows), tuple(notes))
