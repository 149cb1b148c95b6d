"""`llasa-search predict`: what more candidates would bring, without drawing them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import options
from experiments.cli.commands import Command
from experiments.cli.options import option
from experiments.cli.parameters import Decimal, FileType, TextType
from experiments.cli.report import write_json
from experiments.files import Destination, check_outputs
from experiments.terminal import STDOUT, say

if TYPE_CHECKING:
    from experiments.studies.predict import Needed, Prediction

EXAMPLES = """\
  how many candidates a mean WER of 0.01 needs, and how many seconds that is:
    llasa-search predict sweep --target 0.01
  the same by an ear that did not search:
    llasa-search predict sweep --measure whisper:base --target 0.05
"""
NOTES = """\
Up to the N that was run values are observed, by sub-sampling; beyond, a model of correlated draws is fitted.
It is checked where candidates were held out: fitted on half of each search's candidates, it predicts what
all reached. A prediction holds for texts like those of the sweep, with the same models and the same machine.
"""
MOST = 1e9


@click.command(cls=Command, examples=EXAMPLES, notes=lambda: NOTES)
@click.argument("folder", metavar="SWEEP", type=FileType())
@option(
    "--measure NAME",
    TextType(),
    "a metric of the search or a judge (default: what best-of-N selects by)",
    group="prediction",
)
@option(
    "--target VALUE",
    Decimal(-MOST, MOST),
    "the N for this mean value; repeatable",
    group="prediction",
    into="targets",
    multiple=True,
)
@option("--preset NAME", TextType(), "of a sweep with several", group="prediction")
@options.json_file("curve, check and targets; - is stdout")
def command(
    folder: Path, measure: str | None, targets: tuple[float, ...], preset: str | None, json: Path | None
) -> None:
    """Say what best-of-N would reach at any N, and which N a target needs."""
    if json is not None and json != STDOUT:
        check_outputs([Destination("--json", json)], {"SWEEP": folder})

    from experiments.studies import table
    from experiments.studies.draws import widest
    from experiments.studies.measures import find
    from experiments.studies.predict import predict
    from experiments.studies.report_cells import shown
    from experiments.studies.report_meters import needed_sentence
    from llasa_core.errors import UserError, nearest

    frame = table.read(folder)
    if preset is not None:
        known = sorted(frame["preset"].unique())
        if preset not in known:
            raise UserError(f"--preset {preset}: the sweep has none of that name{nearest(preset, known)}")
        frame = frame[frame["preset"] == preset]
    one = widest(frame).searched if measure is None else find(frame, measure)
    found = predict(frame, one)
    needed = [found.needed(target) for target in targets]
    if json is not None:
        write_json(as_dict(found, needed), json)
        return
    say(f"{one.title}, {found.spec}: {found.utterances} utterances, {found.searches} searches")
    for n in curve_widths(found):
        how = "observed" if found.observed(n) else f"model ({found.kind})"
        say(f"  N = {n:>5,}   {shown(found.at(n))}   {how}")
    check = found.checks[0]
    say(
        f"check: fitted on the first {check.fitted} candidates it says {check.predicted:.3f} for "
        f"N = {check.n}, where {check.observed:.3f} was reached; error {shown(check.error, sign=True)}"
    )
    for each in needed:
        say(needed_sentence(each, found))


def curve_widths(found: Prediction) -> list[int]:
    """1, 2, 4 ... to eight times what was run."""
    from experiments.studies.curves import widths

    return widths(8 * found.drawn)


def as_dict(found: Prediction, needed: list[Needed]) -> dict[str, Any]:
    """Plain JSON values; an N that is not reached is null."""
    from dataclasses import asdict

    from search.results.candidate import plain

    return {
        "measure": found.measure.column,
        "spec": found.spec,
        "utterances": found.utterances,
        "searches": found.searches,
        "model": found.kind,
        "run": found.drawn,
        "seconds_per_candidate": found.seconds_per_candidate,
        "curve": [{"n": n, **plain(asdict(found.at(n)))} for n in curve_widths(found)],
        "checks": [plain(asdict(check)) for check in found.checks],
        "targets": [{**plain(asdict(one)), "reached": one.reached} for one in needed],
    }
