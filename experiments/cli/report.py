"""What the terminal shows: progress on stderr, a short table on stdout."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from experiments.files import Outputs
from experiments.terminal import STDOUT, Terminal, print_json
from search.backends.base import Progress as Report
from search.results.candidate import shown_scores
from search.results.ends import ENDS, NOT_REACHED, UNMET
from search.results.leak import Leak
from search.results.result import SearchResult
from verifiers.base import Score

MOST_DECIMALS = 6
"""Of a score: models differ by less from machine to machine."""


def write_json(value: Any, file: Path) -> None:
    """To a file, whole or not at all, or to stdout. Raises UserError if it cannot be written."""
    if file == STDOUT:
        print_json(value)
        return
    with Outputs() as outputs:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
        outputs.stage(file).write_text(text + "\n", encoding="utf-8")
        outputs.publish()


@contextmanager
def progress_bars() -> Iterator[Report]:
    """Yields a callback (stage, done, total) that draws one bar a stage on stderr."""
    columns = (
        TextColumn("{task.description:<24}", markup=False),
        BarColumn(24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Terminal(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report


def print_result(result: SearchResult, output: Path, *, replaced: bool = False, stderr: bool = False) -> None:
    """The candidates from best to worst, the winner, and the cost. replaced: `output` was there before."""
    terminal = Terminal(stderr=stderr)
    terminal.print(candidate_table(result))
    if result.ears:
        terminal.say(result.ears)
    if result.arms:
        tried = "; ".join(f"{arm.name} ({arm.candidates}): {shown_scores(arm.scores)}" for arm in result.arms)
        terminal.say(f"prompt: {result.arm}, of {tried}")
    winner = result.winner
    heard = [str(text) for score in winner.scores.values() if (text := score.evidence.get("transcript"))]
    note = " (replaced what was there)" if replaced else ""
    terminal.say(f"winner: candidate {winner.number}, {winner.seconds:.2f} s, in {output}{note}")
    if heard:
        terminal.say(f"heard:  {heard[0].strip()}")
    if result.stopped:
        terminal.say(f"stopped: {result.stopped}")
    for end in result.ends:
        terminal.say(_told(end, result))
    for name, failures in winner.failures.items():
        if failures:
            terminal.say(f"catastrophic by {name}: {', '.join(failures)}")
    if result.stepped_back:
        terminal.say(
            f"too short to be judged, so left to the other metrics: {', '.join(result.stepped_back)}"
        )
    if result.leak is not None:
        terminal.print(leak_table(result.leak))
        if result.leak.sentence:
            terminal.say(result.leak.sentence)
    terminal.say(cost_line(result))


def _told(end: str, result: SearchResult) -> str:
    if end == UNMET:
        return "no candidate met all constraints: this one misses them least"
    return f"not reached: {result.missed_emotion}" if end == NOT_REACHED else ENDS[end]


def candidate_table(result: SearchResult) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("candidate", justify="right")
    for name in result.winner.scores:
        table.add_column(name.upper(), justify="right")
    for spec in result.winner.judged:
        table.add_column(f"judge {spec.split('?')[0]}", justify="right", overflow="fold")
    table.add_column("seconds", justify="right")
    table.add_column("tokens", justify="right")
    candidates = sorted(result.candidates, key=lambda candidate: candidate.rank)
    scores = [format_scores([c.scores[name] for c in candidates]) for name in result.winner.scores]
    scores += [format_scores([c.judged[spec] for c in candidates]) for spec in result.winner.judged]
    for candidate, *cells in zip(candidates, *scores, strict=True):
        table.add_row(
            "*" if candidate.rank == 0 else "",
            str(candidate.number),
            *cells,
            f"{candidate.seconds:.2f}{' (cut off)' if candidate.cut_off else ''}",
            str(len(candidate.tokens)),
            style="bold" if candidate.rank == 0 else "",
        )
    return table


def leak_table(leak: Leak) -> Table:
    """What the emotion was bought with."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("leak check", "by", "winner", "mean", "gain"):
        table.add_column(heading, justify="left" if heading in ("leak check", "by") else "right")
    for line in leak.lines:
        table.add_row(line.role, line.by, f"{line.winner:.3f}", f"{line.mean:.3f}", f"{line.gain:+.3f}")
    return table


def cost_line(result: SearchResult) -> str:
    ledger = result.ledger
    asked = {f"verifier {name}": count for name, count in ledger.waveforms_scored.items()}
    asked |= {f"judge {name}": count for name, count in ledger.waveforms_judged.items()}
    parts = ", ".join(
        f"{part} {seconds:.1f} s" + (f" for {asked[part]}" if part in asked else "")
        for part, seconds in ledger.wall.items()
    )
    return (
        f"cost:   {ledger.tokens_generated} tokens generated, {ledger.tokens_prefilled} prefilled, "
        f"{ledger.seconds_decoded:.1f} s of audio decoded; {parts}"
    )


def format_scores(scores: Sequence[Score]) -> list[str]:
    """A column of scores, with as many decimals as tell values apart that differ: three to six."""
    values = [score.value for score in scores if score.usable]
    apart = len({f"{value:.{MOST_DECIMALS}f}" for value in values})
    digits = next(
        n
        for n in range(3, MOST_DECIMALS + 1)
        if len({f"{value:.{n}f}" for value in values}) == apart or n == MOST_DECIMALS
    )
    return [
        f"{score.value:.{digits}f}"
        if score.usable
        else "- (too short)"
        if score.short
        else f"- ({score.reason})"
        for score in scores
    ]
