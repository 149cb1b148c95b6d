"""`llasa-search narrate make`: the files of a book, of what is spoken of it already."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.cli.commands import Command
from experiments.cli.narrate_options import check_extra
from experiments.cli.parameters import FileType
from experiments.cli.production_options import making as making_options
from experiments.cli.production_options import tell_made
from experiments.terminal import say

if TYPE_CHECKING:
    from experiments.narration.production.making import Making
    from experiments.narration.production.options import MakingOptions

EXAMPLES = """\
  again, after a chunk was spoken again:
    llasa-search narrate make spoken
  one MP3 a chapter at the levels of ACX, and no captions:
    llasa-search narrate make spoken --files mp3,certificate --loudness acx
"""


@click.command(cls=Command, examples=EXAMPLES)
@click.argument("folder", type=FileType(), help="what `narrate -o` has spoken into")
@making_options()
def command(folder: Path, making: MakingOptions) -> int:
    """Make the files of a spoken book: audio, captions, EPUB with media overlays, certificate.

    Nothing is spoken, and what was spoken stays as it is. The same takes give the same files, byte by byte.
    """
    check_extra()
    from experiments.narration.production.making import read_making

    make_files(folder, read_making(making))
    return 0


def make_files(folder: Path, making: Making) -> None:
    """Raises UserError for a folder that holds no narration, or one that is not spoken to its end."""
    from experiments.narration.production.make import make
    from experiments.narration.takes import read_narration

    narration = read_narration(folder)
    tell_made(narration, make(narration, making, partial(say, error=True)))
