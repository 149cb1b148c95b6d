"""`llasa-search study`: what a sweep shows, as tables, figures and a page with sound."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.cli import options
from experiments.cli.commands import Command
from experiments.cli.options import option
from experiments.cli.parameters import FileType
from experiments.files import Destination, check_outputs
from experiments.terminal import Terminal, say

if TYPE_CHECKING:
    from experiments.studies.analysis import Analysis
    from experiments.studies.report_cells import Table
    from experiments.studies.report_examples import Decode

EXAMPLES = """\
  its tables: quality, cost, equal compute, reward hacking, failures, diversity, predictions, noise floor:
    llasa-search study sweep
  the same, all figures as PNG and SVG, and one page that plays examples:
    llasa-search study sweep --figures figures --report study.html
"""
NOTES = """\
Means are over utterances with 95 % intervals; seeds of one utterance are averaged first. Best-of-N of every
N comes from the candidates of the widest run. A held-out judge is one that the search did not use: where the
gain by the searching score is larger than by the judge, the rest is the verifier's own liking.
"""


@click.command(cls=Command, examples=EXAMPLES, notes=lambda: NOTES)
@click.argument("folder", metavar="SWEEP", type=FileType())
@option("--figures DIR", FileType(), "every figure as PNG and SVG", group="outputs")
@option("--report HTML", FileType(), "one page with all of it, and examples to listen to", group="outputs")
@options.device(group="outputs")
def command(folder: Path, figures: Path | None, report: Path | None, device: str) -> None:
    """Show what a sweep found: tables here, figures and a page in files.

    SWEEP is the folder of `llasa-search sweep`, or its table candidates.parquet.
    """
    outputs = []
    if report is not None:
        outputs.append(Destination("--report", report))
    if figures is not None:
        outputs.append(Destination("--figures", figures, re.compile(r"[\w-]+\.(png|svg)")))
    check_outputs(outputs, {"SWEEP": folder, "the table": folder / "candidates.parquet"})

    from experiments.studies import plots, report_tables
    from experiments.studies.analysis import Analysis
    from experiments.studies.figures import figures as drawn
    from experiments.studies.report import write_report

    found = Analysis.read(folder)
    terminal = Terminal()
    for one in report_tables.tables(found):
        print_table(one, terminal)
    if figures is not None:
        paths = plots.save(drawn(found), figures)
        say(f"{len(paths)} files in {figures}")
    if report is not None:
        write_report(report, found, folder if folder.is_dir() else folder.parent, decoder(found, device))
        say(f"wrote {report}")


def decoder(found: Analysis, device: str) -> Decode | None:
    """The codec of the sweep's preset; None where it is not on this machine, or for several presets."""
    from llasa_core.errors import UserError
    from llasa_core.presets import find_preset, source_status

    presets = sorted(found.frame["preset"].unique())
    try:
        source = find_preset(presets[0]).codec
    except UserError:
        return None
    if len(presets) > 1 or not source_status(source).installed:
        say("note: no codec here for what was not kept: the page has the kept recordings alone", error=True)
        return None
    from llasa_core.codec.codec import Codec

    return Codec.from_source(source, device).decode


def print_table(one: Table, terminal: Terminal) -> None:
    """The caption, the rows, and the notes below."""
    from rich.table import Table as Grid

    terminal.say(f"\n{one.caption}")
    if one.rows:
        grid = Grid(box=None, pad_edge=False, header_style="bold")
        for number, heading in enumerate(one.headings):
            grid.add_column(heading, justify="right" if number else "left", overflow="fold")
        for row in one.rows:
            grid.add_row(*row)
        terminal.print(grid)
    for note in one.notes:
        terminal.say(f"- {note}")
