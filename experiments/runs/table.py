"""What a run came to: the mean of every measure with its interval, and the sums over all texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.runs.leak import LeakSummary, leak_summary
from llasa_core.errors import LlasaError
from search.results.ends import CUT_OFF, ENDS, UNMET
from search.results.failures import EMPTY, FAILURES, failures_in
from verifiers import registry
from verifiers.stats import bootstrap_mean, wilson

if TYPE_CHECKING:
    import pandas

NAME = "table.csv"
FAILED = "catastrophic "
HIDDEN = ("unusable ", "errors ", "words ", FAILED)
"""First words of columns that are no measures by themselves."""
ERRORS = ("substitutions", "deletions", "insertions")
DECIMALS = {"tokens": 0, "candidates": 1, "seconds": 2}
"""Of the mean of what is no score and can be summed."""


@dataclass(frozen=True)
class Summary:
    """measures: one row each, with n, mean, low and high (95 % bootstrap), unusable, the total of what can be
    summed, and the spec of the verifier or judge that it is by; of catastrophic failures, by each recogniser,
    the share of the texts with its Wilson interval and the count. corpus: figures of the run as a whole.
    failed: error by id. ends: how many texts ended in each way of `search.results.ends.ENDS`. leak: what an
    emotion was bought with, if the texts asked for any."""

    measures: pandas.DataFrame
    corpus: Mapping[str, float]
    failed: Mapping[str, str]
    ends: Mapping[str, int]
    leak: LeakSummary | None = None

    def as_csv(self) -> bytes:
        """The measures, the gains of a leak check, then one line for each figure of the corpus."""
        import pandas

        gains = [] if self.leak is None else [pandas.DataFrame(self.leak.rows())]
        corpus = pandas.DataFrame({"measure": list(self.corpus), "total": list(self.corpus.values())})
        whole = pandas.concat([self.measures, *gains, corpus]) if len(self.measures) else corpus
        return bytes(whole.round(6).to_csv(index=False).encode())


def summarize(records: Iterable[Mapping[str, Any]], wall: float) -> Summary:
    """wall: seconds that all processes worked. Of an id that has several records the last one counts."""
    import pandas

    rows: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    ends: dict[str, Sequence[str]] = {}
    leaks: dict[str, list[Mapping[str, Any]]] = {}
    by: dict[str, str] = {}
    for record in records:
        for found in (rows, failed, ends, leaks):
            found.pop(record["id"], None)
        if record["status"] == "done":
            rows[record["id"]] = _row(record)
            ends[record["id"]] = _ends(record)
            by |= measured_by(record)
            if leak := record.get("leak"):
                leaks[record["id"]] = leak["lines"]
        else:
            failed[record["id"]] = record["error"]
    # by id: the intervals shall not depend on which text was done first
    frame = pandas.DataFrame([rows[id] for id in sorted(rows)])
    measures = pandas.DataFrame(
        [
            {**_measure(frame, name), "by": by.get(name, "")}
            for name in frame.columns
            if not name.startswith(HIDDEN)
        ]
        + [{**_rate(frame, name), "by": ""} for name in frame.columns if name.startswith(FAILED)],
        columns=["measure", "n", "mean", "low", "high", "unusable", "total", "by"],
    ).astype({"n": "Int64", "unusable": "Int64"})
    counted = {name: sum(name in found for found in ends.values()) for name in ENDS}
    corpus: dict[str, float] = {"utterances": len(rows), "failed": len(failed), **counted}
    for name in frame.columns:
        if name.startswith("errors "):
            # a long text weighs more in it than in the mean
            words = frame[name.replace("errors ", "words ", 1)].sum()
            corpus[f"corpus {name.removeprefix('errors ')}"] = float(frame[name].sum() / max(words, 1))
    for name in frame.columns:
        if name.startswith(FAILED):
            kinds = [kind for found in _failures(frame, name) for kind in found]
            corpus |= {f"{name}: {kind}": kinds.count(kind) for kind in FAILURES}
    spoken = float(frame["seconds"].sum()) if rows else 0.0
    corpus |= {"audio seconds": spoken, "wall seconds": wall}
    if spoken:
        corpus["real-time factor"] = wall / spoken
    return Summary(measures, corpus, failed, counted, leak_summary(leaks[id] for id in sorted(leaks)))


def print_summary(summary: Summary, console: Console) -> None:
    """The table, then the figures of the corpus in a line or two."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "n", "mean", "95 % interval", "total"):
        table.add_column(heading, justify="right" if heading else "left", overflow="fold")
    for row in summary.measures.itertuples():
        digits = DECIMALS.get(str(row.measure), 3)
        cells = [str(row.n), f"{row.mean:.{digits}f}", f"[{row.low:.{digits}f}, {row.high:.{digits}f}]"]
        summed = row.measure in DECIMALS or str(row.measure).startswith(FAILED)
        total = f"{row.total:,.0f}" if summed else ""
        note = f" ({row.unusable} could not be judged)" if row.unusable else ""
        name = f"{row.measure} by {row.by}" if row.by and not row.measure.endswith(row.by) else row.measure
        table.add_row(Text(f"{name}{note}"), *cells, total)
    if summary.measures.shape[0]:
        console.print(table)
    if summary.leak is not None:
        console.print(summary.leak.table())
        if summary.leak.sentence:
            _line(console, summary.leak.sentence)
    corpus = summary.corpus
    for name, value in corpus.items():
        if name.startswith("corpus "):
            _line(console, f"{name}: {value:.4f} (all errors over all words of what could be judged)")
    for name in summary.measures["measure"]:
        found = {kind: corpus.get(f"{name}: {kind}", 0) for kind in FAILURES}
        if any(found.values()):
            kinds = ", ".join(f"{count:.0f} {kind}" for kind, count in found.items() if count)
            _line(console, f"{name}: {kinds} (a text may fail in several ways)")
    line = f"{corpus['audio seconds']:.1f} s of speech in {corpus['wall seconds']:.1f} s"
    if "real-time factor" in corpus:
        line += f" (real-time factor {corpus['real-time factor']:.3f})"
    _line(console, line)


def measured_by(record: Mapping[str, Any]) -> dict[str, str]:
    """By measure, the spec of the verifier that searched by it, or of the judge."""
    found = {f"judge {spec}": spec for spec in record["judged"]}
    for one in record.get("manifest", {}).get("models", {}).get("verifiers", ()):
        with suppress(LlasaError):  # a kind that is not installed any more
            found |= {name: one["spec"] for name in registry.directions(one["spec"])}
    return found


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    """One text's figures; of each score also whether it was unusable, and of a recogniser its errors."""
    row: dict[str, Any] = {}
    scores = {**record["scores"], **{f"judge {spec}": score for spec, score in record["judged"].items()}}
    for name, score in scores.items():
        row[name], row[f"unusable {name}"] = score["value"], not score["usable"]
        evidence = score["evidence"]
        if {"words", *ERRORS} <= evidence.keys():
            row[f"errors {name}"] = sum(evidence[kind] for kind in ERRORS)
            row[f"words {name}"] = evidence["words"]
            failures = failures_in(evidence, usable=True, cut_off=record["cut_off"])
            if failures is not None:
                row[f"{FAILED}{name}"] = failures
    return row | {
        "tokens": record["ledger"]["tokens_generated"],
        "candidates": record["candidates"],
        "seconds": record["seconds"],
    }


def _ends(record: Mapping[str, Any]) -> Sequence[str]:
    """The ends that the record names. A record of an older version only tells two of them."""
    if (ends := record.get("ends")) is not None:
        return list(ends)
    return [name for name, so in ((CUT_OFF, record["cut_off"]), (UNMET, not record["satisfied"])) if so]


def _measure(frame: pandas.DataFrame, name: str) -> dict[str, Any]:
    """Unusable scores count with the worst value, so that nothing gets better by being unusable."""
    values = frame[name].dropna().astype(float)
    if values.empty:
        return {"measure": name, "n": 0, "unusable": len(frame)}
    mean = bootstrap_mean(values.to_numpy())
    unusable = f"unusable {name}"
    return {
        "measure": name,
        "n": mean.n,
        "mean": mean.mean,
        "low": mean.low,
        "high": mean.high,
        "unusable": int(frame[unusable].sum()) if unusable in frame else 0,
        "total": float(values.sum()) if name in DECIMALS else float("nan"),
    }


def _rate(frame: pandas.DataFrame, name: str) -> dict[str, Any]:
    """The share of the texts with any catastrophic failure, by one recogniser."""
    found = _failures(frame, name)
    rate = wilson(sum(map(bool, found)), len(found))
    return {
        "measure": name,
        "n": rate.n,
        "mean": rate.mean,
        "low": rate.low,
        "high": rate.high,
        "unusable": 0,
        "total": float(sum(map(bool, found))),
    }


def _failures(frame: pandas.DataFrame, name: str) -> list[tuple[str, ...]]:
    """Of each text that the recogniser was asked about; one that it could not judge is empty."""
    unusable = frame[name.replace(FAILED, "unusable ", 1)]
    pairs = zip(frame[name], unusable, strict=True)
    found = [(EMPTY,) if bad is True else kinds for kinds, bad in pairs]
    return [kinds for kinds in found if isinstance(kinds, tuple)]


def _line(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
