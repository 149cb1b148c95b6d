"""`llasa-search run`: speaks every text of a file into a folder, and goes on where it was stopped."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from experiments.cli import options
from experiments.cli.commands import Command
from experiments.cli.options import bundled, option
from experiments.cli.parameters import FileType, TextType, Whole
from experiments.cli.recipes import recipe_path
from experiments.cli.search_options import MOST, search, search_notes
from experiments.cli.surroundings import check_surroundings
from experiments.config import SearchOptions
from experiments.request_options import RequestOptions
from experiments.runs.run import RunOptions, run
from experiments.runs.tables import KINDS
from search.bounds import LARGEST

EXAMPLES = """\
  the best of 16 for every line, with the shipped voice:
    llasa-search run sentences.txt -o spoken -n 16
  go on after Ctrl-C, a kill or a full disk; then try those again that failed:
    llasa-search run sentences.txt -o spoken -n 16 --resume
    llasa-search run sentences.txt -o spoken -n 16 --resume --retry-failed
  seed-tts-eval by the paper's best search, 16 texts at once; first ten of them to see that it works:
    llasa-search run meta.lst -o zero-shot --preset llasa-1b --device cuda --recipe paper-partial-prm \\
        --in-flight 16 --limit 10
  the seventh of them again, sample for sample:
    llasa-search replay spoken --id 7 -o again.wav
"""


output, texts = partial(option, group="outputs"), partial(option, group="texts")
FOLDER = [
    output("-o, --output DIR", FileType(), "audio/ID.wav, records.jsonl, table.csv", required=True),
    output("--resume", None, "go on with what DIR holds: nothing is done twice"),
    output("--retry-failed", None, "with --resume: try those again that failed"),
    texts("--text-column NAME", TextType(), "the column that holds the text (default text)"),
    texts("--id-column NAME", TextType(), "the column that holds the id (default id)"),
    texts("--limit N", Whole(1, LARGEST), "only the first N texts"),
    texts(
        "--in-flight N",
        Whole(1, MOST),
        "texts searched at once (default 8, for each actor); changes no result",
    ),
]


@click.command(cls=Command, examples=EXAMPLES, notes=search_notes)
@click.argument("input", type=FileType(), metavar="INPUT", help=KINDS)
@bundled("folder", RunOptions, FOLDER)
@options.request()
@search()
def command(
    input: Path, folder: RunOptions, request: RequestOptions, search: SearchOptions, recipe: str | None
) -> int:
    """Speak every text of a file, with the options of synth for all of them.

    A row says what differs for it: text (required), id, prompt_audio with prompt_text, or voice (a shipped
    one), language, emotion, emotion_audio, seed; paths are relative to INPUT. A .txt file has one text a
    line, a .lst file is a meta.lst of seed-tts-eval (id|prompt_text|prompt_audio|text). The id (without one,
    the row's number) names the file and, with the seed, decides the randomness: a result depends on no other
    row.

    Exit codes: 0 all done; 1 some failed; 2 bad input or a full disk; 3 all spoken, but some do not meet the
    bounds that were asked for (--select or select= with one, such as "wer<=0,sim", or a recipe with one), or
    do not have the emotion that was asked for.
    """
    check_surroundings()
    return run(input, folder, request, search, recipe=recipe_path(recipe) if recipe else None)
