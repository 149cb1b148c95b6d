"""The group of commands `llasa-search`, and what its commands have in common.

Help has groups and examples, and a command is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib import import_module, metadata
from typing import Any

import click
from click.core import ParameterSource

PROGRAM = "llasa-search"
COMPLETION = "_LLASA_SEARCH_COMPLETE"
"""Variable that the scripts of `llasa-search completion` set: what the shell wants to be told."""
COMMANDS = {
    "synth": "speak a text: N candidates, the verifiers keep the best",
    "run": "speak many texts into a folder; goes on where it was stopped",
    "eval": "speak a public test set, or take another system's speech, and score it by its protocol",
    "replay": "make a result again: from --json, or from the folder of a run",
    "sweep": "search a grid of strategies and widths over many texts: one table of all candidates",
    "distil": "make training data of a sweep: what the search found, for SFT and preference training",
    "score": "judge audio files against a text, a voice or an emotion",
    "study": "what a sweep shows: tables, figures, a page with examples to listen to",
    "rescore": "measure a sweep's candidates again: their beginnings, and how noisy the verifiers are",
    "predict": "which N a target needs, from the candidates of a sweep",
    "compare": "two sweeps or two runs, paired by text, with intervals",
    "models": "what is installed, where models would come from, their licences",
    "verifiers": "what can judge, what each needs, what can run here now",
    "doctor": "check versions, devices and weights: what works here, and what each preset lacks",
    "narrate": "a book: its chapters, the text that will be spoken, and the speaking of it",
    "completion": "print the script that completes commands and options in a shell",
}
MODULES = {"eval": "evaluate"}
"""Of commands whose names Python has taken."""
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
EITHER = (({"voice"}, {"prompt_audio", "prompt_text"}, {"no_prompt"}), ({"judges"}, {"no_judge"}))
"""Options that exclude each other."""


class Option(click.Option):
    """An option that stands under a heading of the help."""

    def __init__(self, *names: Any, group: str = "other", **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.group = group


class Command(click.Command):
    """examples: a remark and a command below it, for each. notes: what else the help explains."""

    def __init__(
        self, *given: Any, examples: str = "", notes: Callable[[], str] = str, **attributes: Any
    ) -> None:
        super().__init__(*given, **{"context_settings": SETTINGS, **attributes})
        self.examples, self.notes = examples, notes

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if isinstance(param, click.Option) and (row := param.get_help_record(ctx)) is not None:
                groups.setdefault(getattr(param, "group", "other"), []).append(row)
        for name, rows in groups.items():
            with formatter.section(name):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(f"\nexamples:\n{self.examples}")
        if notes := self.notes():
            formatter.write(f"\n{notes}")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        for alternatives in EITHER:
            chosen = [names for names in alternatives if typed(ctx, *names)]
            for names in alternatives:
                if chosen and names not in chosen:
                    self._forget(ctx, names)
        return rest

    def _forget(self, ctx: click.Context, names: Collection[str]) -> None:
        """Drops what the recipe says of these options: the command line says otherwise."""
        for param in self.params:
            if param.name in names and ctx.get_parameter_source(param.name) is ParameterSource.DEFAULT_MAP:
                flag = isinstance(param, click.Option) and param.is_flag
                ctx.params[param.name] = () if param.multiple else False if flag else None


class Commands(click.Group):
    """The sub-commands, each in the module of its name as `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        found: click.Command = import_module(f"experiments.cli.{MODULES.get(name, name)}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(
            "\nexamples:\n"
            '  llasa-search synth "The morning train is late again." -n 8\n'
            "  llasa-search synth --help\n"
            '\nfor completion in bash: eval "$(llasa-search completion bash)"; others: completion --help\n'
        )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from llasa_core.errors import nearest

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no command {args[0]!r}{nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


def typed(ctx: click.Context, *names: str) -> bool:
    """Whether any of these parameters stands on the command line."""
    return any(ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in names)


def _show_version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted:
        try:
            version = metadata.version("llasa-search")
        except metadata.PackageNotFoundError:
            version = "(not installed)"
        click.echo(f"llasa-search {version}")
        ctx.exit()


@click.group(cls=Commands, context_settings=SETTINGS, help="Speak with Llasa, searched and judged.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="the version"
)
def llasa_search() -> None:
    """Everything is done by the sub-commands."""
