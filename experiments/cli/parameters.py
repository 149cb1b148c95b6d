"""The kinds of values of options, typed or in a recipe. Each value is checked as it is read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from llasa_core.paths import user_path
from llasa_core.text import no_character

LONGEST_SHOWN = 40
"""Characters of a value that an error repeats."""


class TextType(click.ParamType[str]):
    """Text that every encoding can hold. choices: what the shell completes it to."""

    name = "text"

    def __init__(self, choices: Callable[[], Iterable[str]] = tuple) -> None:
        self.choices = choices

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not isinstance(value, str):
            self.fail(f"{shown(value)}: give text (in a recipe, in quotes)", param, ctx)
        if code := no_character(value):
            self.fail(f"{shown(value)}: {code} is no character: write the text as UTF-8 again", param, ctx)
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(choice) for choice in self.choices() if choice.startswith(incomplete)]


class SpecType(TextType):
    """A spec, or the same as a mapping, which recipes have."""

    name = "spec"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, Mapping) and value and all(isinstance(key, str) for key in value):
            return dict(value)
        return super().convert(value, param, ctx)


class FileType(TextType):
    """A path, with `~` replaced. stdout: "-" is allowed and stays."""

    name = "file"

    def __init__(self, *, stdout: bool = False) -> None:
        super().__init__()
        self.stdout = stdout

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, Path):
            return value
        text = super().convert(value, param, ctx)
        if not text or (text == "-" and not self.stdout):
            self.fail(f"{text!r}: give a path", param, ctx)
        return user_path(text, param.opts[0] if isinstance(param, click.Option) else "the path")

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


@dataclass(eq=False)
class Whole(click.ParamType[int]):
    """A whole number from `least` to `most`."""

    least: int
    most: int
    name = "whole number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]+", value.strip()):
            # one of thousands of digits is not even read
            value = int(value) if len(value) < LONGEST_SHOWN else math.inf
        number = isinstance(value, int) and not isinstance(value, bool)
        if not number or not self.least <= value <= self.most:
            self.fail(
                f"{shown(value)}: give a whole number of at least {self.least} and at most {self.most}",
                param,
                ctx,
            )
        return int(value)


@dataclass(eq=False)
class Decimal(click.ParamType[float]):
    """A number from `least` to `most`; above: more than `least`."""

    least: float
    most: float
    above: bool = False
    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not self.least <= number <= self.most or (self.above and number == self.least):
            bound = "more than" if self.above else "at least"
            self.fail(
                f"{shown(value)}: give a number of {bound} {self.least:g} and at most {self.most:g}",
                param,
                ctx,
            )
        return number


class DeviceType(TextType):
    """Where models run."""

    name = "device"

    def __init__(self) -> None:
        super().__init__(lambda: ("cpu", "cuda", "cuda:0"))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = super().convert(value, param, ctx)
        if not re.fullmatch(r"cpu|cuda(:[0-9]{1,3})?", text):
            self.fail(f"{shown(text)}: give cpu, cuda, or one of several GPUs as cuda:N", param, ctx)
        return text


class ActorsType(TextType):
    """How many actors of Ray there are, or "auto"."""

    name = "actors"
    most = 4096

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value) if isinstance(value, int) else super().convert(value, param, ctx)
        if text != "auto" and not (re.fullmatch("[0-9]{1,9}", text) and 0 < int(text) <= self.most):
            self.fail(f"{shown(text)}: give a number of actors from 1 to {self.most}, or auto", param, ctx)
        return text


def shown(value: object) -> str:
    """A value in an error: as it was written, cut short."""
    text = value if isinstance(value, str) and value.isprintable() and value else repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
