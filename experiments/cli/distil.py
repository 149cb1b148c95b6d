"""`llasa-search distil`: what a sweep found as data to train the model with."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from experiments.cli.commands import Command
from experiments.cli.options import option
from experiments.cli.parameters import Decimal, FileType, TextType, Whole

EXAMPLES = """\
  the winners for SFT, and each with its worst loser for preference training (DPO and the like):
    llasa-search distil study --out training
  only winners without a wrong word, against up to four losers that are at least a tenth of the words worse:
    llasa-search distil study --out training --met --by wer --margin 0.1 --losers 4
  as Parquet, of one strategy:
    llasa-search distil study --out training --format parquet --series "nano repair (wer)"
"""

rows = partial(option, group="which rows")


@click.command(cls=Command, examples=EXAMPLES)
@click.argument("folder", type=FileType(), metavar="DIR", help="of a sweep, with its candidates.parquet")
@option("--out DIR", FileType(), "sft and preference go there", group="outputs", into="output", required=True)
@option(
    "--format FORMAT",
    click.Choice(["jsonl", "parquet"]),
    "jsonl or parquet (default jsonl)",
    group="outputs",
    default="jsonl",
)
@rows("--by METRIC", TextType(), "losers are worse by it (default wer, or the sweep's first metric)")
@rows("--margin X", Decimal(0, 1000), "by so much at least, in its unit (default: by anything)", default=0.0)
@rows("--losers N", Whole(1, 512), "pairs of each search, the worst loser first (default 1)", default=1)
@rows("--met", None, "only winners that meet the bounds of their selection, such as wer<=0")
@rows("--series NAME", TextType(), "only searches of this series of the table (default: all)")
def command(folder: Path, **values: Any) -> int:
    """Make training data of a sweep, so that the model learns what the search found.

    sft has prompt and completion, preference has prompt, chosen and rejected: the columns of TRL's standard
    format. Prompts are what the model continues, completions are its speech tokens and the end token; further
    columns hold text, voice, scores and the codes as numbers. No row is there twice; speech that is cut off
    or could not be judged never wins.
    """
    from experiments.studies.distil import DistilOptions, distil

    return distil(folder, DistilOptions(**values))
