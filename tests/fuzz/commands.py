"""Command lines: every command with options that are drawn from its parser."""

from __future__ import annotations

import random

import click

from experiments.cli.commands import COMMANDS, llasa_search
from tests.fuzz.values import NUMBERS, RIGHT, SPECS, WORDS

FILES = (
    "voice.wav",
    "list.txt",
    "list.csv",
    "recipe.yaml",
    "result.json",
    "run",
    "out",
    "fifo",
    "loop",
    "texts.txt",
)
REQUIRED = 0.95
"""How often a parameter that a command cannot do without is given; those are right more often than the
others.
"""


def command_line(draw: random.Random) -> list[str]:
    """Arguments behind `llasa-search`: any command, up to four options, each at random right or wrong."""
    name = draw.choice(list(COMMANDS))
    command = llasa_search.get_command(click.Context(llasa_search), name)
    assert command is not None
    words: list[str] = []
    optional = [param for param in command.params if isinstance(param, click.Option) and not param.required]
    chosen = draw.sample(optional, min(len(optional), draw.randrange(5)))
    for param in command.params:
        needed = param.required or isinstance(param, click.Argument)
        if (needed and draw.random() < REQUIRED) or param in chosen:
            words += _given(draw, param, right=0.8 if needed else 0.35)
    if draw.random() < 0.05:
        words.insert(draw.randrange(len(words) + 1), draw.choice(WORDS))
    return [name, *words]


def _given(draw: random.Random, param: click.Parameter, right: float) -> list[str]:
    if isinstance(param, click.Argument):
        return [_value(draw, param, right)]
    option = draw.choice(param.opts)
    return [option] if getattr(param, "is_flag", False) else [option, _value(draw, param, right)]


def _value(draw: random.Random, param: click.Parameter, right: float) -> str:
    if draw.random() < right:
        return draw.choice(RIGHT.get(param.name or "", NUMBERS))
    return draw.choice(draw.choice((WORDS, WORDS, SPECS, NUMBERS, FILES)))
