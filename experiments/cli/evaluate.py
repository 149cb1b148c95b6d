"""`llasa-search eval`: speech for a public test set, scored as its protocol says; or that of others."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from experiments.cli import options
from experiments.cli.commands import Command, Option, typed
from experiments.cli.options import option
from experiments.cli.parameters import FileType, TextType, Whole
from experiments.cli.recipes import recipe_path
from experiments.cli.report import progress_bars, write_json
from experiments.cli.search_options import GROUPS, MOST, search, search_notes
from experiments.cli.surroundings import check_surroundings
from experiments.config import SearchOptions
from experiments.runs.run import RunOptions
from experiments.studies.protocols.ears import EarOptions
from experiments.studies.protocols.evaluate import EvalOptions, evaluate
from experiments.studies.protocols.generate import Generation
from experiments.studies.protocols.protocol import VARIANTS
from experiments.studies.protocols.registry import PROTOCOLS, explain, find
from experiments.studies.protocols.report import print_report
from experiments.terminal import STDOUT
from llasa_core.errors import UserError
from llasa_core.request import MAX_SEED
from search.bounds import LARGEST

EXAMPLES = """\
  try it without data and hub: ten shipped sentences, best of four:
    llasa-search eval nano-eval -o tried -n 4 --limit 10
  seed-tts-eval in English by the paper's best search; go on after an interruption with --resume:
    llasa-search eval seed-tts-en --data seedtts_testset -o en --preset llasa-1b --device cuda \\
        --recipe paper-partial-prm --sim wavlm-large-sv:wavlm_large_finetune.pth
  score what another system made (made/ID.wav), as F5-TTS does, and write the counts as VERSA has them:
    llasa-search eval seed-tts-en --data seedtts_testset --audio made --variant f5 --versa counts.jsonl
  the human recordings of the list, by the ears that are here:
    llasa-search eval librispeech-continuation --data . --truth --ear whisper:base --sim ge2e
"""

data = partial(option, group="what is evaluated")
scoring, output = partial(option, group="scoring"), partial(option, group="outputs")
EARS = [
    scoring(
        "--ear SPEC", TextType(options.kinds), "transcribes (default: the protocol's); none leaves it out"
    ),
    scoring("--sim SPEC", TextType(options.kinds), "compares voices (default: the protocol's); or none"),
    scoring("--emo SPEC", TextType(options.kinds), "judges emotion (default: the protocol's); or none"),
    scoring(
        "--variant NAME",
        TextType(lambda: VARIANTS),
        f"normalisation of words: {', '.join(VARIANTS)} (default: the protocol's)",
    ),
]


def notes() -> str:
    return f"protocols:\n{explain()}\n\n{search_notes()}"


@click.command(cls=Command, name="eval", examples=EXAMPLES, notes=notes)
@click.argument("protocol", type=TextType(lambda: PROTOCOLS), metavar="PROTOCOL", help="see below")
@data("--data DIR", FileType(), "the protocol's data, as its makers serve it")
@data("--audio DIR", FileType(), "score the ID.wav that another system made; nothing is generated")
@data("--truth", None, "score the recordings of humans that the list names; nothing is generated")
@data("--limit N", Whole(1, LARGEST), "only the first N texts")
@output("-o, --output DIR", FileType(), "audio/ID.wav, records.jsonl, scores.jsonl; needed to generate")
@output("--resume", None, "go on with what DIR holds: nothing is done twice")
@output("--retry-failed", None, "with --resume: try those again that failed")
@output("--versa FILE", FileType(), "a JSON line for each utterance, with VERSA's keys and counts")
@options.json_file("figures and evidence; - is stdout")
@options.bundled("ears", EarOptions, EARS)
@option("--seed N", Whole(0, MAX_SEED), "same seed, same speech (default 0)", group="search", default=0)
@option(
    "--in-flight N",
    Whole(1, MOST),
    "texts searched at once (default 8, for each actor); changes no result",
    group="search",
)
@search()
def command(
    protocol: str,
    data: Path | None,
    audio: Path | None,
    truth: bool,
    limit: int | None,
    output: Path | None,
    resume: bool,
    retry_failed: bool,
    versa: Path | None,
    json: Path | None,
    ears: EarOptions,
    seed: int,
    in_flight: int | None,
    search: SearchOptions,
    recipe: str | None,
) -> int:
    """Generate speech for a public test set and score it exactly as its protocol says.

    The table names the protocol, its variant and the ears, and has the protocol's own mean first. A figure by
    other ears than the protocol's is another figure, and the table says so.

    Exit codes: 0 scored; 1 some utterances failed; 2 bad input, or data and ears that are not here; 3 scored,
    but some do not meet the bounds that were asked for (as in run). The ears judge what the search has
    chosen, so that the preset's own judge is left out unless --judge names one.
    """
    found = find(protocol)
    generation = None
    if audio is not None or truth:
        if audio is not None and truth:
            raise UserError("--audio contradicts --truth: leave one out")
        refuse_search_options()
    elif output is None:
        raise UserError("-o DIR is missing: where the speech goes; or give --audio DIR or --truth")
    else:
        generation = Generation(
            RunOptions(output, resume, retry_failed, None, in_flight),
            search,
            seed,
            data or output,
            recipe_path(recipe) if recipe else None,
        )
    check_surroundings()
    wanted = EvalOptions(data, output, audio, truth, limit, search.device, ears, versa, json, generation)
    code, report = evaluate(found, wanted, progress_bars)
    if report is not None:
        print_report(report, stderr=json == STDOUT)
        if json is not None:
            write_json(report.as_dict(), json)
    return code


def refuse_search_options() -> None:
    """Raises UserError for an option of the search that is typed where nothing is searched."""
    context = click.get_current_context()
    for param in context.command.params:
        group = param.group if isinstance(param, Option) else ""
        if param.name and group in GROUPS and param.name != "device" and typed(context, param.name):
            raise UserError(f"{param.opts[0]} is of a search, and nothing is generated here: leave it out")
    for name in ("resume", "retry_failed"):
        if typed(context, name):
            raise UserError(f"--{name.replace('_', '-')} is of a run, and nothing is generated: leave it out")
