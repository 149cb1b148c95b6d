"""`llasa-search sweep`: every cell of a grid over many texts, and one table of all candidates."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from experiments.cli import options
from experiments.cli.commands import Command
from experiments.cli.options import bundled, option
from experiments.cli.parameters import FileType, TextType, Whole
from experiments.cli.search_options import MOST, ray_options, ray_parameters
from experiments.cli.surroundings import check_surroundings
from experiments.studies.sweep_grid import FIELDS_HELP, grid_path, shipped
from llasa_core.errors import UserError
from search.backends.ray.options import RayOptions

EXAMPLES = """\
  the shipped study on its first five texts; after Ctrl-C or a kill the same command goes on:
    llasa-search sweep study --limit 5 --out study
  the table of what there is by now, from another terminal:
    llasa-search sweep --table --out study
  the paper's searches with Llasa-1B on a GPU, on a list of seed-tts-eval:
    llasa-search sweep paper-1b --texts seedtts_testset/en/meta.lst --device cuda --out paper-1b
  a grid of your own (as below), with two actors of Ray:
    llasa-search sweep grid.yaml --ray 2 --out mine
"""

outputs, texts = partial(option, group="outputs"), partial(option, group="in place of what the grid says")


@click.command(cls=Command, examples=EXAMPLES, notes=lambda: notes())
@click.argument(
    "grid", type=TextType(shipped), metavar="[GRID]", required=False, help="a YAML file, or a shipped grid"
)
@outputs("--out DIR", FileType(), "where all of it goes (default sweep)", default=Path("sweep"))
@outputs("--table", None, "search nothing: write candidates.parquet of what DIR has, and print it")
@texts("--texts FILE", FileType(), "a list as `run` reads it")
@texts("--limit N", Whole(1, MOST), "only the first N texts")
@texts("--preset NAME", TextType(), "whose models")
@option(
    "--in-flight N",
    Whole(1, MOST),
    "texts searched at once (default 8, for each actor); changes no result",
    group="machine",
)
@options.device(group="machine")
@bundled("ray", ray_options, ray_parameters())
def command(
    grid: str | None,
    out: Path,
    table: bool,
    in_flight: int | None,
    device: str,
    ray: RayOptions | None,
    **own: Any,
) -> int:
    """Search with every combination that a grid names, over all of its texts and seeds.

    DIR gets the grid, searches.jsonl (a line for each search, the moment it is done) and candidates.parquet:
    one row for each candidate, with scores, judges, tokens, seconds and FLOPs (docs/sweeps.md has its
    columns). Best-of-N is run once, at its largest N: every smaller N, and every other selection among the
    same candidates, is taken from that run.

    Exit codes: 0 all done; 1 some searches failed; 2 bad input or a full disk.
    """
    from experiments.studies.sweep import sweep
    from experiments.studies.sweep_plan import SweepOptions
    from experiments.studies.sweep_table import conclude

    if table:
        conclude(out)
        return 0
    if grid is None:
        raise UserError(f"GRID is missing: give a YAML file, or one of the shipped {', '.join(shipped())}")
    check_surroundings()
    return sweep(grid_path(grid), SweepOptions(out, in_flight=in_flight, device=device, ray=ray, **own))


def notes() -> str:
    """What a grid may say, and the grids that are shipped."""
    grids = "\n".join(f"  {name:<12}{line}" for name, line in shipped().items())
    return f"{FIELDS_HELP}\nshipped grids:\n{grids}\n"
