"""What the programs `python -m experiments.…` share: errors that a user can act on are one line, and the exit
codes.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any, Protocol, cast

import click

from llasa_core.audio import AudioError
from llasa_core.errors import LlasaError
from verifiers.errors import VerifierError


class Positive(click.FloatRange):
    """More than 0 and at most `most`; "nan" is no number."""

    def __init__(self, most: float) -> None:
        super().__init__(0, most, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        return found if math.isfinite(found) else self.fail(f"{value} is no number", param, ctx)


COUNT = click.IntRange(min=1)
THREADS = click.IntRange(min=0)


class Main(Protocol):
    """`argv`: the arguments behind the program's name; None: those of this process. Returns the exit code."""

    command: click.Command

    def __call__(self, argv: Sequence[str] | None = None) -> int: ...


def numbers(context: click.Context, option: click.Parameter, text: str) -> list[int]:
    """For `callback=`: "1,4,16" as numbers of at least 1."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and len(part) < 7 and int(part) > 0 for part in parts):
        raise click.BadParameter(
            f"{text!r}: give whole numbers of at least 1 with commas between, such as 1,4,16"
        )
    return [int(part) for part in parts]


def guarded(command: click.Command) -> Main:
    """The command as a main function.

    Exit codes: 0 or what the command returns; 2 for bad input, a model that cannot be loaded and a file that
    cannot be written (one line on stderr); 130 interrupted.
    """

    def main(argv: Sequence[str] | None = None) -> int:
        try:
            code = command.main(argv, standalone_mode=False)
        except click.Abort:
            print("interrupted", file=sys.stderr)
            return 130
        except click.BadParameter as error:
            option = error.param.opts[0] if isinstance(error.param, click.Option) else ""
            return _bad_input(f"{option} {error.message}" if error.message else error.format_message())
        except click.ClickException as error:
            return _bad_input(error.format_message())
        except (LlasaError, AudioError, VerifierError, OSError) as error:
            return _bad_input(str(error))
        return code if isinstance(code, int) else 0

    main.command = command  # type: ignore[attr-defined]
    return cast(Main, main)


def _bad_input(message: str) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return 2
