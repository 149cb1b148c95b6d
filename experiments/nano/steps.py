"""The steps of a recipe by name, carried out one after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from llasa_core.errors import UserError, nearest

T = TypeVar("T")


def check_steps(wanted: Sequence[str], known: Mapping[str, object]) -> None:
    """Raises UserError with the nearest name for a step that is not known."""
    for step in wanted:
        if step not in known:
            raise UserError(f"unknown step {step!r}{nearest(step, known)}")


def run_steps(steps: Sequence[str], known: Mapping[str, tuple[Callable[[T], None], str]], options: T) -> None:
    """known: by name what a step does with the options, and its description for stderr."""
    for name in steps:
        work, description = known[name]
        print(f"== {name}: {description}", file=sys.stderr, flush=True)
        work(options)
