"""`llasa-search verifiers`: what can judge, what each needs, and what of it can run here now."""

from pathlib import Path

import click
from rich.table import Table

from experiments.cli import options
from experiments.cli.commands import Command
from experiments.cli.report import write_json
from experiments.files import Destination, check_outputs
from experiments.terminal import STDOUT, UNWRAPPED, Terminal
from verifiers import catalogue
from verifiers.catalogue import Kind

EXAMPLES = """\
  everything that can judge, and the command that installs what is missing:
    llasa-search verifiers
  the same for a program:
    llasa-search verifiers --json - | jq '.[].kind'
"""


@click.command(cls=Command, examples=EXAMPLES)
@options.json_file("all of it, instead of tables; - is stdout")
def command(json: Path | None) -> None:
    """List what can judge, what each kind needs, and what of it can run here now."""
    if json is not None and json != STDOUT:
        check_outputs([Destination("--json", json)], {})
    kinds = catalogue.describe()
    if json is not None:
        write_json([kind.as_dict() for kind in kinds], json)
        return
    terminal = Terminal(widest=UNWRAPPED)
    terminal.print(kind_table(kinds))
    terminal.print()
    terminal.print(release_table(kinds))
    for kind in kinds:
        if kind.install:
            terminal.say(f"{kind.kind} needs {', '.join(kind.missing)}: {kind.install}")
        if kind.problem:
            terminal.say(f"{kind.kind} ({kind.target}): {kind.problem}")


def kind_table(kinds: list[Kind]) -> Table:
    """What each kind measures."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("kind", "metric", "better", "needs", "shortest", "measures"):
        table.add_column(heading, overflow="fold")
    for kind in kinds:
        if kind.about is None:
            table.add_row(kind.kind, "", "", "", "", "unknown: see below")
            continue
        table.add_row(
            kind.kind,
            kind.metric,
            "higher" if kind.higher_is_better else "lower",
            ", ".join(need.replace("_", " ") for need in kind.about.needs) or "nothing",
            f"{kind.about.min_seconds:g} s",
            kind.about.measures,
        )
    return table


def release_table(kinds: list[Kind]) -> Table:
    """The weights that each kind can be loaded with."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("weights", "here", "licence"):
        table.add_column(heading, overflow="fold")
    for release in (release for kind in kinds for release in kind.releases):
        table.add_row(release.spec, release.state, release.licence)
    return table
