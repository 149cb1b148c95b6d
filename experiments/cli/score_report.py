"""What `llasa-search score` prints: a table with means, or everything as JSON."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from experiments.cli.report import format_scores
from experiments.terminal import Terminal
from llasa_core.audio import Waveform, seconds
from search.results.candidate import score_as_dict
from search.results.failures import FAILURES, failures_of
from verifiers.base import Score
from verifiers.selection.rules import Ranking, Selection
from verifiers.stats import Interval, bootstrap_mean, wilson


@dataclass(frozen=True, eq=False)
class Report:
    """files: path, audio and text of each. metrics: names by spec. scores: by spec, in order of the files.
    ranking: by the selection, if there is one."""

    files: Sequence[tuple[Path, Waveform, str | None]]
    metrics: Mapping[str, str]
    scores: Mapping[str, Sequence[Score]]
    selection: Selection | None = None
    ranking: Ranking | None = None

    @property
    def order(self) -> Sequence[int]:
        """Rows as they are shown: best first if there is a ranking, else as given."""
        return self.ranking.order if self.ranking else range(len(self.files))

    @property
    def means(self) -> dict[str, Interval]:
        """By spec: the mean over all files and its 95 % bootstrap interval. What could not be judged counts
        with the worst value, so that nothing gets better by being unusable."""
        values = {spec: [s.value for s in own if math.isfinite(s.value)] for spec, own in self.scores.items()}
        return {spec: bootstrap_mean(own) for spec, own in values.items() if own}

    @property
    def failures(self) -> dict[str, list[tuple[str, ...]]]:
        """By spec of each verifier that says something of words: the catastrophic failures of every file."""
        found = {spec: [failures_of(score) for score in own] for spec, own in self.scores.items()}
        words = {spec for spec, own in self.scores.items() if any("words" in score.evidence for score in own)}
        return {spec: [one or () for one in own] for spec, own in found.items() if spec in words}

    def heading(self, spec: str) -> str:
        """The metric, or the spec where two verifiers measure the same."""
        shared = Counter(self.metrics.values())[self.metrics[spec]] > 1
        return spec if shared else self.metrics[spec].upper()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values: all of it, files in the order of the table."""
        means, failures = self.means, self.failures
        rates = {spec: wilson(sum(map(bool, own)), len(own)) for spec, own in failures.items()}
        found: dict[str, Any] = {
            "files": [
                {
                    "file": str(self.files[row][0]),
                    "seconds": round(seconds(self.files[row][1]), 4),
                    "text": self.files[row][2],
                    "scores": {spec: score_as_dict(own[row]) for spec, own in self.scores.items()},
                    "failures": {spec: list(own[row]) for spec, own in failures.items()},
                }
                for row in self.order
            ],
            "verifiers": [
                {
                    "spec": spec,
                    "metric": metric,
                    "mean": asdict(means[spec]) if spec in means else None,
                    "catastrophic": asdict(rates[spec]) if spec in rates else None,
                    "unusable": sum(not score.usable for score in self.scores[spec]),
                }
                for spec, metric in self.metrics.items()
            ],
        }
        if self.selection is not None and self.ranking is not None:
            found["selection"] = {
                "select": self.selection.spec,
                "satisfied": self.ranking.satisfied,
                "front": [str(self.files[row][0]) for row in self.ranking.front],
            }
        return found


def print_report(report: Report) -> None:
    terminal = Terminal()
    terminal.print(score_table(report))
    lines = mean_lines(report) if len(report.files) > 1 else heard_lines(report)
    if report.ranking is not None:
        if not report.ranking.satisfied:
            lines.append("no file meets all constraints: the first misses them least")
        if report.ranking.front:
            lines.append(f"front: {', '.join(str(report.files[row][0]) for row in report.ranking.front)}")
    for line in lines:
        terminal.say(line)


def score_table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("file", overflow="fold")
    for spec in report.metrics:
        table.add_column(report.heading(spec), justify="right", overflow="fold")
    table.add_column("seconds", justify="right")
    columns = [format_scores([own[row] for row in report.order]) for own in report.scores.values()]
    for row, *cells in zip(report.order, *columns, strict=True):
        file, waveform, _ = report.files[row]
        table.add_row(str(file), *cells, f"{seconds(waveform):.2f}")
    return table


def mean_lines(report: Report) -> list[str]:
    """`mean WER 0.031 [0.012, 0.055] (n=100)`"""
    lines = []
    for spec, mean in report.means.items():
        unusable = sum(not score.usable for score in report.scores[spec])
        note = f", {unusable} of them could not be judged and count as the worst" if unusable else ""
        lines.append(f"mean {report.heading(spec)} {mean}{note}")
    for spec, failures in report.failures.items():
        rate = wilson(sum(map(bool, failures)), len(failures))
        kinds = Counter(kind for found in failures for kind in found)
        named = f": {', '.join(f'{kinds[kind]} {kind}' for kind in FAILURES if kinds[kind])}" if kinds else ""
        lines.append(f"catastrophic by {report.heading(spec)} {rate}{named}")
    return lines


def heard_lines(report: Report) -> list[str]:
    """Of a single file: what each recogniser heard."""
    found = {spec: own[0].evidence.get("transcript") for spec, own in report.scores.items()}
    lines = [f"heard by {spec}: {str(text).strip()}" for spec, text in found.items() if text is not None]
    failed = {spec: own[0] for spec, own in report.failures.items() if own[0]}
    return lines + [f"catastrophic by {spec}: {', '.join(kinds)}" for spec, kinds in failed.items()]
