"""What the terminal shows: progress on stderr, a short table on stdout."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from search.backends.base import Progress as Report
from search.results.result import Candidate, SearchResult
from verifiers.base import Score


@contextmanager
def progress_bars() -> Iterator[Report]:
    """Yields a callback (stage, done, total) that draws one bar a stage on stderr."""
    columns = (TextColumn("{task.description:<24}"), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report


def print_result(result: SearchResult, output: Path) -> None:
    """The candidates from best to worst, the winner, and what it cost."""
    console = Console(soft_wrap=False)
    console.print(candidate_table(result))
    winner = result.winner
    heard = [str(text) for score in winner.scores.values() if (text := score.evidence.get("transcript"))]
    console.print(f"winner: candidate {winner.number}, {winner.seconds:.2f} s, in {output}", highlight=False)
    if heard:
        console.print(f"heard:  {heard[0].strip()}", highlight=False, markup=False)
    if result.stopped:
        console.print(f"stopped: {result.stopped}", highlight=False)
    if not result.satisfied:
        console.print("no candidate met all constraints: this one misses them least", highlight=False)
    console.print(cost_line(result), highlight=False, soft_wrap=True)


def candidate_table(result: SearchResult) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("candidate", justify="right")
    for name in result.winner.scores:
        table.add_column(name.upper(), justify="right")
    for spec in result.winner.judged:
        table.add_column(f"judge {spec.split('?')[0]}", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("tokens", justify="right")
    for candidate in sorted(result.candidates, key=lambda candidate: candidate.rank):
        table.add_row(*_cells(candidate), style="bold" if candidate.rank == 0 else "")
    return table


def cost_line(result: SearchResult) -> str:
    ledger = result.ledger
    parts = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in ledger.wall.items())
    return (
        f"cost:   {ledger.tokens_generated} tokens generated, {ledger.tokens_prefilled} prefilled, "
        f"{ledger.seconds_decoded:.1f} s of audio decoded; {parts}"
    )


def _cells(candidate: Candidate) -> list[str]:
    scores = [*candidate.scores.values(), *candidate.judged.values()]
    return [
        "*" if candidate.rank == 0 else "",
        str(candidate.number),
        *map(format_score, scores),
        f"{candidate.seconds:.2f}{' (cut off)' if candidate.cut_off else ''}",
        str(len(candidate.tokens)),
    ]


def format_score(score: Score) -> str:
    return f"{score.value:.3f}" if score.usable else f"- ({score.reason})"
