"""Two sweeps, or two folders of `llasa-search run`, paired by utterance: what changed, how surely, and where.

The difference is the second less the first, over the utterances that both spoke; seeds of one utterance are
averaged first. Beside it stands the smallest difference that so many utterances would have found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.runs.records import NAME as RECORDS
from experiments.runs.records import read_records
from experiments.runs.table import ERRORS, measured_by
from experiments.studies import table
from experiments.studies.curves import COSTS
from experiments.studies.measures import WORDS, Measure, measures, options
from experiments.studies.power import Spread, spread
from llasa_core.errors import UserError, nearest
from llasa_core.paths import shown
from search.results.failures import failures_in
from verifiers import registry
from verifiers.stats import Interval, bootstrap_mean, paired_difference

if TYPE_CHECKING:
    import pandas

SHOWN = 5
KEYS = ("utterance", "seed")


@dataclass(frozen=True, eq=False)
class Side:
    """One cell of a sweep, or one run: its winners, in the columns of a sweep's table."""

    name: str
    winners: pandas.DataFrame


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure or cost on both sides. change: the second less the first, paired. better: whether the
    second is better beyond chance, False if worse, None if neither (or a cost without a better). found: the
    smallest difference that these pairs find with 80 % power."""

    title: str
    first: Interval
    second: Interval
    change: Interval
    better: bool | None
    found: float


@dataclass(frozen=True, slots=True)
class Sentence:
    """An utterance whose value changed. change: positive is better. heard: by a recogniser alone."""

    utterance: str
    text: str
    first: float
    second: float
    change: float
    heard_first: str = ""
    heard_second: str = ""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Of two sides. same_seeds: whether values are paired by seed too. noise: of the paired differences of
    `measure`, the one that `improved` and `worsened` are sorted by, most changed first; floor: the larger
    noise floor of the two."""

    first: str
    second: str
    utterances: int
    only_first: int
    only_second: int
    same_seeds: bool
    differences: tuple[Difference, ...]
    measure: Measure
    noise: Spread
    floor: float | None
    improved: tuple[Sentence, ...]
    worsened: tuple[Sentence, ...]
    unchanged: int


def read_sides(folder: Path) -> list[Side]:
    """The cells of a sweep's folder, or the one side of a run's. Raises UserError for a folder of neither."""
    if folder.is_dir() and not (folder / table.NAME).exists() and (folder / RECORDS).exists():
        return [_run(folder)]
    if folder.is_dir() and not (folder / table.NAME).exists():
        raise UserError(
            f"{shown(folder)} holds neither {table.NAME} nor {RECORDS}: give the folder of a sweep or a run"
        )
    frame = table.read(folder)
    cells = table.winners(frame).groupby(["series", "n", "cell"])
    return [_side(str(cell), own, frame.attrs["directions"]) for (*_, cell), own in cells]


def pairs(
    first: Sequence[Side], second: Sequence[Side], wanted: tuple[str | None, str | None]
) -> list[tuple[Side, Side]]:
    """What is compared with what: the cells that are named (by id or spec), or the only cell of each, or all
    that both have. Raises UserError for a cell that is not there, and where it is not clear what to pair."""
    if any(wanted):
        a, b = wanted[0] or wanted[1], wanted[1] or wanted[0]
        assert a is not None and b is not None
        return [(_named(first, a, "the first"), _named(second, b, "the second"))]
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    others = {side.name: side for side in second}
    found = [(side, others[side.name]) for side in first if side.name in others]
    if not found:
        raise UserError(
            f"no cell is in both: say which, as in --first {first[0].name!r} --second {second[0].name!r}"
        )
    return found


def compare(first: Side, second: Side, by: str | None = None) -> Comparison:
    """by: the measure that sentences are sorted by; a held-out ear's word errors if nothing is said, else the
    first measure. Raises UserError if the two have no utterance or no measure in common."""
    import pandas

    frames = [side.winners.set_index(list(KEYS)).sort_index() for side in (first, second)]
    shared = frames[0].index.intersection(frames[1].index)
    if same_seeds := len(shared) > 0:  # seeds that only one of them has tell nothing of the difference
        spoken = shared.get_level_values("utterance").unique()
        frames = [
            frame[frame.index.isin(shared) | ~frame.index.get_level_values("utterance").isin(spoken)]
            for frame in frames
        ]
    means = [frame.groupby(level="utterance") for frame in frames]
    both = sorted(set(means[0].groups) & set(means[1].groups))
    if not both:
        raise UserError("the two have no utterance in common: compare runs over the same list")
    there = {one.column for one in measures(second.winners)}
    common = [one for one in measures(first.winners) if one.column in there]
    if not common:
        raise UserError("the two have no measure in common: search or judge both by the same verifier")
    chosen = _chosen(common, by)
    differences = [_difference(one.title, one, frames, both, same_seeds) for one in common]
    differences += [
        _difference(title, column, frames, both, same_seeds)
        for column, title in COSTS.items()
        if all(column in frame.columns for frame in frames)
    ]
    sentences = _sentences(chosen, frames, both)
    changed = [one for one in sentences if one.change]
    changed.sort(key=lambda one: (-abs(one.change), one.utterance))
    spreads = [spread(pandas.Series(chosen.of(frame), index=frame.index)) for frame in frames]
    floors = [one.noise_floor for one in spreads if one.noise_floor is not None]
    return Comparison(
        first.name,
        second.name,
        len(both),
        len(means[0].groups) - len(both),
        len(means[1].groups) - len(both),
        same_seeds,
        tuple(one for one in differences if one is not None),
        chosen,
        spread(_paired(chosen.of, frames, both, same_seeds)),
        max(floors, default=None),
        tuple(one for one in changed if one.change > 0)[:SHOWN],
        tuple(one for one in changed if one.change < 0)[:SHOWN],
        len(sentences) - len(changed),
    )


def _run(folder: Path) -> Side:
    """A run's last record of each text that was spoken."""
    import pandas

    spoken: dict[str, dict[str, Any]] = {}
    directions: dict[str, bool] = {}
    for record in read_records(folder):
        spoken.pop(record["id"], None)
        if record["status"] != "done":
            continue
        spoken[record["id"]] = record
        for measure, spec in measured_by(record).items():
            name = measure.removeprefix("judge ")
            found = registry.directions(spec)
            directions[name] = found.get(name, next(iter(found.values())))
    if not spoken:
        raise UserError(f"{shown(folder)} holds no text that was spoken: go on with the run first")
    recognisers = {
        name for record in spoken.values() for _, name, score in _scores(record) if _counts_words(score)
    }
    rows = [_row(record, recognisers) for record in spoken.values()]
    return _side(folder.name, pandas.DataFrame(rows), directions)


def _side(name: str, winners: pandas.DataFrame, directions: Mapping[str, bool]) -> Side:
    winners = winners.reset_index(drop=True)
    winners.attrs["directions"] = dict(directions)
    return Side(name, winners)


def _scores(record: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(kind, name, score) of all who measured it."""
    for kind, scores in (("score", record["scores"]), ("judge", record["judged"])):
        for name, score in scores.items():
            yield kind, name, score


def _counts_words(score: Mapping[str, Any]) -> bool:
    return {"words", *ERRORS} <= set(score["evidence"])


def _row(record: Mapping[str, Any], recognisers: Collection[str]) -> dict[str, Any]:
    """One record of a run in the columns of a sweep's table. recognisers: those of the run, which tell of
    failures also where they could not judge."""
    ledger = record["ledger"]
    row: dict[str, Any] = {
        "utterance": record["id"],
        "text": record["text"],
        "seed": record["asked"]["seed"],
        "tokens_generated": ledger["tokens_generated"],
    }
    for column, key in (("wall", "wall_seconds"), ("flops", "flops")):
        if key in ledger:
            row[column] = sum(v for part, v in ledger[key].items() if not part.startswith("judge "))
    for kind, name, score in _scores(record):
        row[f"{kind}:{name}"] = score["value"]
        evidence = score["evidence"]
        if _counts_words(score):
            row[f"words:{name}"] = evidence["words"]
            row[f"transcript:{name}"] = evidence.get("transcript", "")
        if name in recognisers:
            failed = failures_in(evidence, usable=score["usable"], cut_off=record["cut_off"])
            row[f"failures:{name}"] = None if failed is None else ",".join(failed)
    return row


def _named(sides: Sequence[Side], name: str, which: str) -> Side:
    # The spec itself goes before one with other words for the same, and that before one of the same N.
    for given, same in ((name, str.__eq__), (name, _same_search), (f"{name}&wide=1", _same_search)):
        for side in sides:
            if given == side.name or any(same(given, spec) for spec in _specs(side)):
                return side
    known = [own for side in sides for own in (side.name, *_specs(side))]
    raise UserError(f"{which} has no cell {name!r}{nearest(name, known)}")


def _specs(side: Side) -> list[str]:
    return sorted(set(side.winners["spec"])) if "spec" in side.winners else []


def _same_search(given: str, spec: str) -> bool:
    """In whatever order the options are."""
    return given.partition("?")[0] == spec.partition("?")[0] and options(given) == options(spec)


def _chosen(common: Sequence[Measure], by: str | None) -> Measure:
    if by is None:
        ears = [one for one in common if one.held_out and one.kind == WORDS]
        return (ears or list(common))[0]
    for one in common:
        if by == one.column or (by == one.by and not one.failures):
            return one
    raise UserError(f"--by {by}: the two have no such measure{nearest(by, [one.by for one in common])}")


def _paired(
    of: Any, frames: Sequence[pandas.DataFrame], both: Sequence[str], same_seeds: bool
) -> pandas.Series:
    """Second less first by utterance and seed, or by utterance where the seeds differ."""
    import pandas

    series = [pandas.Series(of(frame), index=frame.index).loc[list(both)] for frame in frames]
    if not same_seeds:
        series = [one.groupby(level="utterance").mean() for one in series]
    return (series[1] - series[0]).dropna()


def _difference(
    title: str,
    one: Measure | str,
    frames: Sequence[pandas.DataFrame],
    both: Sequence[str],
    same_seeds: bool,
) -> Difference | None:
    """one: a measure, or the column of a cost, of which less is better. None if no utterance has values on
    both sides."""
    import pandas

    of = one.of if isinstance(one, Measure) else lambda frame: frame[one].to_numpy(np.float64)
    series = [
        pandas.Series(of(frame), index=frame.index).loc[list(both)].groupby(level="utterance").mean()
        for frame in frames
    ]
    paired = pandas.concat(series, axis=1).dropna()
    if paired.empty:
        return None
    a, b = (paired.iloc[:, side].to_numpy() for side in (0, 1))
    change = paired_difference(b, a)
    higher = one.higher if isinstance(one, Measure) else False
    sure = change.low > 0 or change.high < 0
    interval = one.interval if isinstance(one, Measure) else bootstrap_mean
    noise = spread(_paired(of, frames, both, same_seeds))
    return Difference(
        title, interval(a), interval(b), change, (change.mean > 0) == higher if sure else None, noise.found
    )


def _sentences(one: Measure, frames: Sequence[pandas.DataFrame], both: Sequence[str]) -> list[Sentence]:
    found = []
    heard = f"transcript:{one.by}"
    for utterance in both:
        own = [frame.loc[[utterance]] for frame in frames]
        a, b = (float(np.nanmean(one.of(side))) if len(side) else float("nan") for side in own)
        if not np.isfinite([a, b]).all():
            continue
        words = [
            " / ".join(dict.fromkeys(side[heard].fillna(""))) if heard in side.columns else "" for side in own
        ]
        text = str(own[0]["text"].iloc[0])
        found.append(Sentence(str(utterance), text, a, b, float(one.gain(a, b)), *words))
    return found
