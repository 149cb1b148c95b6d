"""`llasa-search rescore`: a sweep's candidates measured again, for what that tells of its verifiers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from experiments.cli import options
from experiments.cli.commands import Command
from experiments.cli.options import option
from experiments.cli.parameters import Decimal, FileType, Whole
from experiments.cli.report import progress_bars
from experiments.cli.search_options import MOST
from experiments.cli.surroundings import check_surroundings
from experiments.studies.rescore.work import SECONDS, Rescore, RescoreOptions
from experiments.terminal import say
from llasa_core.errors import UserError

EXAMPLES = """\
  both meters, then their tables; after Ctrl-C or a kill the same command goes on:
    llasa-search rescore study
    llasa-search study study --figures figures --report study.html
  only beginnings of 1 and 2 s, of the first eight candidates of each search:
    llasa-search rescore study --seconds 1 --seconds 2 --each 8 --draws 0
  only noise, with eight draws, in the first twenty searches:
    llasa-search rescore study --no-beginnings --draws 8 --limit 20
"""
NOTES = """\
Beginnings are scored as a process reward scores them: decoded behind the end of the voice prompt, and against
the best prefix of the text. A draw is white noise 60 dB below the speech, up to half a millisecond of delay
and up to 0.1 dB of gain. `study` says from when on beginnings can be trusted, how far inaudible changes move
a score, and how much of what best-of-N gained was luck.
"""
LONGEST = 1000
beginnings, noise = partial(option, group="beginnings"), partial(option, group="noise")


@click.command(cls=Command, examples=EXAMPLES, notes=lambda: NOTES)
@click.argument("folder", metavar="SWEEP", type=FileType(), help="of `sweep`, with its searches.jsonl")
@beginnings(
    "--seconds S",
    Decimal(0, LONGEST, above=True),
    f"length of the beginnings; repeatable (default {', '.join(f'{s:g}' for s in SECONDS)})",
    multiple=True,
)
@beginnings(
    "--each N",
    Whole(1, MOST),
    "so many candidates of each search (default 16)",
    default=16,
    into="candidates",
)
@beginnings("--no-beginnings", None, "leave them out")
@noise("--draws N", Whole(0, 1000), "inaudible changes of each recording (default 4); 0: none", default=4)
@noise("--losers N", Whole(0, MOST), "so many beside the winners of each search (default 2)", default=2)
@option("--limit N", Whole(1, 10**6), "only the first N searches of best-of-N", group="both")
@options.device(group="both")
def command(
    folder: Path,
    seconds: tuple[float, ...],
    candidates: int,
    no_beginnings: bool,
    draws: int,
    losers: int,
    limit: int | None,
    device: str,
) -> None:
    """Measure a sweep's candidates again: their beginnings, and with noise that nobody hears.

    Of the widest best-of-N of each series, by the verifiers that searched. The scores go to rescored.jsonl in
    SWEEP, where `study` finds them; nothing is measured twice.
    """
    if no_beginnings and (seconds or not draws):
        raise UserError("--no-beginnings leaves nothing to do here: drop it, --seconds or --draws 0")
    wanted = () if no_beginnings else seconds or SECONDS
    check_surroundings()
    work = Rescore.of(folder, RescoreOptions(wanted, candidates, draws, losers, limit, device))
    with progress_bars() as progress:
        made = work.run(progress)
    say(f"{made} calls of verifiers, into {folder / 'rescored.jsonl'}: `study` shows what they tell")
