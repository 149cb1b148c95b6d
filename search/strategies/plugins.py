"""Strategies of other packages, named by entry points of the group `llasa_search.strategies`.

    [project.entry-points."llasa_search.strategies"]
    my-search = "my_package.my_module:my_search"

The value is a class under the decorator `strategy`, or a generator function whose parameters have defaults:
those are its options. It yields asks and returns a `Choice`, or complete beams, which are then measured and
ranked as by any other. A parameter called `verifiers` or `selection` is given those of the strategy.
Nothing is imported before it is named.
"""

import inspect
from abc import ABCMeta
from collections.abc import Callable
from functools import cache
from importlib import metadata
from typing import Any, cast, get_type_hints

from llasa_core.errors import LlasaError, UserError, first_line
from search.asks import Beam, Choice, Work
from search.strategies.base import Strategy, option, strategy

ENTRY_POINTS = "llasa_search.strategies"
GIVEN = ("verifiers", "selection")
"""Parameters of a function that are no options of its own."""


def names() -> list[str]:
    """Those of all entry points."""
    return sorted({point.name for point in metadata.entry_points(group=ENTRY_POINTS)})


def load(name: str) -> type[Strategy]:
    """The strategy of an entry point. Raises UserError, which names it, for whatever is wrong with it."""
    return _loaded(next(point for point in metadata.entry_points(group=ENTRY_POINTS) if point.name == name))


@cache
def _loaded(point: metadata.EntryPoint) -> type[Strategy]:
    who = f"the strategy {point.name!r} of {point.value}"
    try:
        return as_strategy(point.name, point.load())
    except LlasaError as error:
        raise UserError(f"{who} {first_line(error)}") from error
    except Exception as error:
        raise UserError(f"{who} cannot be used: {type(error).__name__}: {first_line(error)}") from error


def as_strategy(name: str, found: Any) -> type[Strategy]:
    """A class or a generator function as the strategy of that name. Raises UserError: what it is or lacks."""
    if inspect.isgeneratorfunction(found):
        return from_function(name, found)
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise UserError("is neither a subclass of search.strategies.base.Strategy nor a generator function")
    if inspect.isabstract(found) or not inspect.isgeneratorfunction(found.plan):
        raise UserError("lacks plan: a generator function that yields asks and returns a Choice")
    if "name" not in vars(found):
        raise UserError(f"lacks the decorator: write @strategy({name!r}) above the class")
    if found.name != name:
        raise UserError(f"calls itself {found.name!r}: give its decorator the name of the entry point")
    return found


def from_function(name: str, function: Callable[..., Work[Any]]) -> type[Strategy]:
    """A strategy whose plan is this generator function, and whose options are its parameters."""
    types = get_type_hints(function)
    parameters = inspect.signature(function).parameters.values()
    options = [one for one in parameters if one.name not in GIVEN]
    for one in options:
        if one.default is one.empty:
            raise UserError(f"has the parameter {one.name} without a default: give it one")

    def plan(self: Strategy) -> Work[Choice]:
        found = yield from function(**{one.name: getattr(self, one.name) for one in parameters})
        if isinstance(found, tuple) and all(isinstance(one, Beam) for one in found):
            found = yield from self.conclude(found)
        return found  # type: ignore[no-any-return]  # whoever carries out the plan looks at what it returned

    namespace = {
        "__doc__": function.__doc__ or f"{function.__name__} of {function.__module__}",
        "__module__": function.__module__,
        "__annotations__": {one.name: types.get(one.name, type(one.default)) for one in options},
        **{one.name: option("", default=one.default) for one in options},
        "plan": plan,
    }
    made = cast(type[Strategy], ABCMeta(function.__name__, (Strategy,), namespace))
    return strategy(name)(made)
