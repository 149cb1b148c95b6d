"""`llasa-search synth`: checks everything it is given, then loads, searches and writes."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from experiments.cli import options
from experiments.cli.commands import Command
from experiments.cli.parameters import TextType
from experiments.cli.recipes import recipe_path
from experiments.cli.search_options import search, search_notes
from experiments.cli.speak import Files, speak
from experiments.cli.surroundings import check_surroundings
from experiments.config import SearchOptions, Settings
from experiments.prompts import arms_of, prompts_of, suggest_style
from experiments.request_options import (
    RequestOptions,
    announce_spoken,
    announce_untrained_words,
    build_request,
    check_clip,
    choose_voice,
    inputs_of,
)
from experiments.terminal import say
from llasa_core.errors import UserError
from search.preflight import check_prompt, unread_letters

EXIT_UNMET = 3
LONGEST_TEXT = 100_000
"""Characters that are read from stdin: far more than any model can speak at once."""
EXAMPLES = """\
  the best of eight readings, with the shipped voice, in out.wav:
    llasa-search synth "The morning train is late again." -n 8
  in your own voice, every candidate kept, and a page to look at and listen to:
    llasa-search synth "The train is late." --prompt-audio me.wav --prompt-text "what I say in it" \\
        --candidates all --report page.html
  sadly, the words and the voice kept; or with whichever of the voice's recordings serves best:
    llasa-search synth "The train is late." --emotion sad -n 16
    llasa-search synth "The train is late." --emotion sad --emotion-strength 0.7 --voice-styles
  another search, with all scores and what makes the result again:
    llasa-search synth "The train is late." --strategy "beam?beams=4&n=4" -o late.wav --json late.json
"""


@click.command(cls=Command, examples=EXAMPLES, notes=search_notes)
@click.argument("text", type=TextType(), help="what to say, in quotes; - reads it from stdin")
@options.outputs(Path("out.wav"))
@options.request()
@search()
def command(
    text: str, files: Files, request: RequestOptions, search: SearchOptions, recipe: str | None
) -> int:
    """Speak a text: the strategy draws candidates, the verifiers choose the best.

    Exit codes: 0 spoken; 2 bad input; 3 spoken, but no candidate meets the bounds that were asked for
    (--select or select= with one, such as "wer<=0,sim", or a recipe with one), or the winner does not have
    the emotion that was asked for.
    """
    spoken = build_request(request, read_text(text))
    prompts = prompts_of(request, choose_voice(request))
    for warning in spoken.warnings:
        say(f"warning: {warning}", error=True)
    settings = Settings.from_options(search, spoken)
    settings.check_emotion(spoken)
    check_clip(spoken)
    if settings.note:
        say(f"note: {settings.note}", error=True)
    if suggestion := suggest_style(request):
        say(f"note: {suggestion}", error=True)
    files.check({**options.recordings(request), "--recipe": recipe_path(recipe) if recipe else None})
    check_surroundings()
    announce_spoken(spoken)
    announce_untrained_words(settings.generator_source, [spoken.spoken.spoken])
    settings.check_device()
    arms = arms_of(spoken, prompts) if prompts else []
    for arm in arms:
        check_prompt(settings.generator_source, arm.request, settings.models.max_seconds)
    check_prompt(settings.generator_source, spoken, settings.models.max_seconds)
    if unread := unread_letters(settings.generator_source, [spoken.spoken.spoken]):
        say(f"warning: {unread}", error=True)
    result = speak(settings, spoken, files, inputs_of(request), arms)
    unmet = settings.bounds and not result.constraints_met
    return EXIT_UNMET if unmet or result.missed_emotion else 0


def read_text(given: str) -> str:
    """The text itself, or that of stdin. Raises UserError for the name of a file, which would be spoken."""
    if given == "-":
        try:
            return sys.stdin.read(LONGEST_TEXT) if sys.stdin else ""
        except UnicodeDecodeError:
            raise UserError("stdin is not UTF-8 text: convert it") from None
    if len(given) < 256 and Path(given).suffix and Path(given).is_file():
        raise UserError(
            f"{given} is a file, and its name would be spoken: speak its lines with "
            f"`llasa-search run {given} -o FOLDER`, or all of it with `llasa-search synth - < {given}`"
        )
    return given
