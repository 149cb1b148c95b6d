"""Options of strategies as command lines, recipes and manifests have them become the values of their
fields."""

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from llasa_core.errors import UserError
from search.bounds import shown
from search.strategies.base import Strategy
from verifiers.selection.parse import Cascade, Selection, parse_selection


@dataclass(frozen=True, slots=True)
class Loaded:
    """What options are read with: the metrics that there are, and how a strategy inside of another is
    built."""

    directions: Mapping[str, bool]
    strategy: Callable[[Any], Strategy]


def read_option(where: str, kind: Any, value: Any, loaded: Loaded) -> Any:
    """A value for a field of type `kind`. Raises UserError, which begins with `where`; a selection
    VerifierError."""
    if get_origin(kind) in (Union, types.UnionType):  # X | None
        kind = next(one for one in get_args(kind) if one is not type(None))
    if kind is Strategy:
        if not isinstance(value, str | int | Mapping):
            raise UserError(f"{where}: give a number of candidates, or a strategy")
        return loaded.strategy(value)
    if kind in (int, bool) and type(value) is kind:
        return value
    text = text_of(where, value)
    if kind is Selection:
        selection = parse_selection(text, loaded.directions)
        if isinstance(selection, Cascade):
            raise UserError(f"{where}: keep(...) is for select=, which ranks complete candidates")
        return selection
    if tuple in (kind, get_origin(kind)):
        return tuple(filter(None, (one.strip() for one in text.split(","))))
    readers: dict[Any, Callable[[str], Any]] = {int: _whole, float: _decimal, bool: _yes_or_no, str: str}
    kind = str if get_origin(kind) is Literal else kind
    if kind not in readers:
        raise UserError(
            f"{where}: an option cannot be {kind}: use int, float, str, bool or a Literal of texts"
        )
    try:
        return readers[kind](text)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None


def text_of(where: str, value: Any) -> str:
    """Recipes have numbers and lists. Raises UserError for anything that is neither these nor text."""
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return ",".join(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UserError(f"{where}: give a number or text")
    return value if isinstance(value, str) else shown(value) if isinstance(value, int) else repr(value)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("has to be a whole number") from None


def _decimal(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("has to be a number") from None


def _yes_or_no(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("has to be true or false")
    return text == "true"
