"""`llasa-search compare`: two sweeps or two runs, paired by utterance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.cli import options
from experiments.cli.commands import Command
from experiments.cli.options import option
from experiments.cli.parameters import FileType, TextType
from experiments.cli.report import write_json
from experiments.files import Destination, check_outputs
from experiments.terminal import STDOUT, UNWRAPPED, Terminal

if TYPE_CHECKING:
    from experiments.studies.compare import Comparison, Difference, Sentence

GIGA = 1e9
EXAMPLES = """\
  two runs over the same list, such as before and after a change of the model:
    llasa-search compare before after
  two strategies of one sweep, sentences sorted by the word errors of a judge:
    llasa-search compare sweep sweep --first "best-of-n?n=8&select=wer,sim" \\
        --second "beam?beams=2&n=4&prm=sim&select=wer,sim" --by whisper:base
"""
NOTES = """\
A and B are folders of `llasa-search run`, or of `llasa-search sweep`; of two sweeps every cell that both have
is compared. Texts are paired by id. "could find" is the smallest difference that so many utterances find with
80 % power: a difference below it that was not found says little.
"""


@click.command(cls=Command, examples=EXAMPLES, notes=lambda: NOTES)
@click.argument("a", metavar="A", type=FileType())
@click.argument("b", metavar="B", type=FileType())
@option("--first SPEC", TextType(), "the cell of A, by id or spec", group="what is compared")
@option("--second SPEC", TextType(), "the cell of B (default: that of --first)", group="what is compared")
@option(
    "--by METRIC",
    TextType(),
    "metric or judge that sentences are sorted by (default: the first judge of words)",
    group="what is compared",
)
@options.json_file("everything; - is stdout")
def command(
    a: Path, b: Path, first: str | None, second: str | None, by: str | None, json: Path | None
) -> None:
    """Compare two sweeps or two runs: differences with intervals, and the sentences that changed most."""
    if json is not None and json != STDOUT:
        check_outputs([Destination("--json", json)], {"A": a, "B": b})

    from dataclasses import asdict

    from experiments.studies.compare import compare, pairs, read_sides
    from search.results.candidate import plain

    chosen = pairs(read_sides(a), read_sides(b), (first, second))
    found = [compare(one, other, by) for one, other in chosen]
    if json is not None:
        write_json([plain(asdict(one)) for one in found], json)
        return
    terminal = Terminal(widest=UNWRAPPED)
    for one in found:
        show(one, terminal)
    if len(found) > 1:
        terminal.say(
            f"\n{len(found)} cells were compared: of 20 where nothing differs, one interval leaves out 0"
        )


def show(found: Comparison, terminal: Terminal) -> None:
    """A table, what it could find, and the sentences that changed."""
    from rich.table import Table

    from experiments.studies.power import statement
    from experiments.studies.report_cells import UNIT, shown

    alone = [
        f"{count} only in {side}"
        for count, side in ((found.only_first, "A"), (found.only_second, "B"))
        if count
    ]
    pairing = "by utterance and seed" if found.same_seeds else "by utterance (the seeds differ)"
    terminal.say(f"\nA: {found.first}\nB: {found.second}")
    terminal.say(f"{found.utterances} utterances in both, paired {pairing}{''.join(f'; {x}' for x in alone)}")
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "A", "B", "B - A", "could find", "B is"):
        grid.add_column(heading, justify="right" if heading else "left", overflow="fold")
    for one in map(_in_giga, found.differences):
        digits = 3 if abs(one.first.mean) < 100 else 0
        verdict = {True: "better", False: "worse", None: "no different beyond chance"}[one.better]
        cells = (shown(value, digits) for value in (one.first, one.second))
        grid.add_row(
            one.title,
            *cells,
            shown(one.change, digits, sign=True),
            f"{one.found:.{digits}f}" if one.found else "",
            verdict,
        )
    terminal.print(grid)
    change = next(one.change.mean for one in found.differences if one.title == found.measure.title)
    wanted = {"the difference found": abs(change)} if change else {}
    for line in statement(found.noise, found.floor, wanted, UNIT.get(found.measure.kind, "")):
        terminal.say(f"- {line}")
    by = found.measure.title
    for title, sentences in (("better in B", found.improved), ("worse in B", found.worsened)):
        if sentences:
            terminal.say(f"\n{title}, by {by}:")
        for sentence in sentences:
            terminal.say(shown_sentence(sentence))
    terminal.say(f"\n{found.unchanged} sentences are the same by {by}")


def _in_giga(one: Difference) -> Difference:
    """FLOPs as GFLOPs."""
    from experiments.studies.curves import COSTS

    if one.title != COSTS["flops"]:
        return one
    first, second, change = (
        replace(value, mean=value.mean / GIGA, low=value.low / GIGA, high=value.high / GIGA)
        for value in (one.first, one.second, one.change)
    )
    title, found = f"G{one.title}", one.found / GIGA
    return replace(one, title=title, first=first, second=second, change=change, found=found)


def shown_sentence(one: Sentence) -> str:
    """`  0.250 -> 0.000  the text  (A heard: ...; B heard: ...)`."""
    heard = f"  (A: {one.heard_first}; B: {one.heard_second})" if one.heard_first or one.heard_second else ""
    name = "" if one.utterance == one.text else f"{one.utterance}: "
    return f"  {one.first:.3f} -> {one.second:.3f}  {name}{one.text}{heard}"
