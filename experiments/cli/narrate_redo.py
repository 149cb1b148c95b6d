"""`llasa-search narrate redo`: one chunk of a narration is spoken again; nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from experiments.cli.commands import Command
from experiments.cli.narrate_options import EXIT_FLAGGED, check_extra
from experiments.cli.options import Decorator, bundled, option, voices
from experiments.cli.parameters import FileType, TextType, Whole
from experiments.cli.search_options import ray_options, ray_parameters
from experiments.cli.surroundings import check_surroundings
from experiments.terminal import say
from llasa_core.paths import shown
from llasa_core.request import MAX_SEED
from search.backends.ray.options import RayOptions
from search.bounds import MOST_CANDIDATES

EXAMPLES = """\
  a chunk that is listed as doubtful, with a seed of its own:
    llasa-search narrate redo spoken 3f2a91c05d4e --seed 7
  other words, in another voice, the best of 32:
    llasa-search narrate redo spoken 3f2a91c05d4e --text "He said: Shivawn." --voice slt -n 32
"""


def ray() -> Decorator[Any]:
    """How actors of Ray do the work, as `ray: RayOptions | None`."""
    return bundled("ray", ray_options, ray_parameters())


@click.command(cls=Command, examples=EXAMPLES)
@click.argument("folder", type=FileType(), help="what `narrate -o` has spoken into")
@click.argument("chunk", metavar="ID", help="of the chunk, or the beginning of it")
@option("--seed N", Whole(0, MAX_SEED), "of the search (default: one that was not tried)", group="search")
@option(
    "-n N",
    Whole(1, MOST_CANDIDATES),
    "most candidates; it stops when one passes (default 16)",
    group="search",
    default=16,
)
@option("--text TEXT", TextType(), "say this in place of what is written", group="text")
@option("--voice NAME", TextType(voices), "a shipped voice prompt", group="voice")
@option("--prompt-audio WAV", FileType(), "a recording of the voice", group="voice")
@option("--prompt-text TEXT", TextType(), "what is said in it", group="voice")
@ray()
def command(
    folder: Path,
    chunk: str,
    seed: int | None,
    n: int,
    text: str | None,
    voice: str | None,
    prompt_audio: Path | None,
    prompt_text: str | None,
    ray: RayOptions | None,
) -> int:
    """Speak one chunk of a narration again: with another seed, text or voice. What it comes to replaces the
    chunk's take, passed or not; every other file of the folder stays as it is, byte by byte.

    Exit codes: 0 it passed; 2 bad input; 3 it did not pass.
    """
    check_extra()
    from experiments.narration.production.names import files_of
    from experiments.narration.speaking.redo import Again, redo

    check_surroundings()
    take = redo(folder, chunk, Again(seed, n, text, voice, prompt_audio, prompt_text), ray)
    for doubt in take.doubts:
        say(doubt.says)
    attempt = take.attempts[-1]
    say(f"{take.id}: {'passed' if take.passed else 'did not pass'}, of {attempt.candidates} candidates")
    if files_of(folder):
        say(f"the files of the book are older now: llasa-search narrate make {shown(folder)}", error=True)
    return 0 if take.passed else EXIT_FLAGGED
