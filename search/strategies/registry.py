"""Strategies by name, with their options: `partial-prm?beams=4&n=4&prm=sim&select=wer<=0,sim`.

The same as a mapping, as recipes in YAML and manifests have it: `{"name": "partial-prm", "beams": 4, "n":
4, ...}`. Names are those of the decorators in the files of this folder, and of entry points of other
packages (`plugins`).
"""

import pkgutil
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field
from functools import cache
from importlib import import_module
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import search.strategies
from llasa_core.errors import LlasaError, UserError, nearest
from search.bounds import shown
from search.strategies import plugins
from search.strategies.base import Strategy, default_selection, field_types, own_fields
from search.strategies.reading import Loaded, read_option, text_of
from verifiers.selection.parse import parse_selection

Directions: TypeAlias = Mapping[str, bool]
"""The metrics that the loaded verifiers measure, and whether higher is better."""
DEEPEST = 8
"""Strategies inside of strategies."""
SHARED = {
    "select": ("how complete utterances are ranked", default_selection(("wer", "sim"))),
    "verifiers": ("what complete utterances are measured by", "all that are loaded"),
}
"""The options that all strategies have, and their defaults as text."""

_SPEC = re.compile(r"(?P<name>[A-Za-z][\w.-]*)(?:\?(?P<options>.*))?", re.DOTALL)


def build(spec: str | Mapping[str, Any], directions: Directions, *, depth: int = 0) -> Strategy:
    """The strategy of a spec string or a mapping; what is not given, or None, has its default.

    `describe()` of a strategy is a mapping that builds an equal one. An option that is itself a strategy,
    such as `first` of repair, is a number of candidates or a strategy in either form, and has the verifiers
    and the selection of the outer one unless it names its own.

    Raises UserError for an unknown name or option (the nearest is named), a value that cannot be read or is
    out of range; VerifierError for a selection that cannot be read.
    """
    name, given = read(spec)
    kind = find(name)
    if depth > DEEPEST:
        raise UserError(
            f"{name}: strategies stand inside of each other more than {DEEPEST} deep: take some out"
        )
    own = {one.name: one for one in own_fields(kind)}
    known = (*own, *SHARED)
    for option in given:
        if option not in known:
            raise UserError(f"{name} has no option {option!r}{nearest(str(option), known)}")
    given = {option: value for option, value in given.items() if value is not None}
    verifiers = _verifiers(name, given, directions)
    select = text_of(f"select of {name}", given["select"]) if "select" in given else ""
    select = select or default_selection(verifiers)
    loaded = Loaded(
        directions,
        lambda inner: build(_inner(inner, select, verifiers), directions, depth=depth + 1),
    )
    types = field_types(kind)
    values = {}
    for option, one in own.items():
        value = given[option] if option in given else _unless_given(one, tuple(directions))
        if value is not MISSING:
            values[option] = read_option(f"{option}={shown(value)} of {name}", types[option], value, loaded)
    return kind(verifiers=verifiers, selection=parse_selection(select, directions), **values)


def read(spec: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and options as they were given. Raises UserError for anything else."""
    if isinstance(spec, Mapping):
        given = dict(spec)
        name = given.pop("name", None)
        if not isinstance(name, str):
            raise UserError(
                f"the strategy {shown(dict(spec))} has no name: give one{nearest('', known_names())}"
            )
        return name, given
    match = _SPEC.fullmatch(spec.strip()) if isinstance(spec, str) else None
    if match is not None:
        try:
            pairs = parse_qsl(
                match["options"] or "", keep_blank_values=True, strict_parsing=bool(match["options"])
            )
        except ValueError:
            pairs = [("", "")] * 2
        if len(dict(pairs)) == len(pairs):
            return match["name"], dict(pairs)
    raise UserError(
        f"cannot read the strategy {shown(spec)!r}: write name?option=value&option=value, each option once, "
        "as in 'beam?beams=4&n=4'"
    )


def find(name: str) -> type[Strategy]:
    """The strategy of that name. Raises UserError for an unknown one (the nearest is named) and for a wrong
    plugin."""
    if name in built_in():
        return built_in()[name]
    if name in plugins.names():
        return plugins.load(name)
    raise UserError(f"there is no strategy {name!r}{nearest(name, known_names())}")


def known_names() -> list[str]:
    """Those of this package, then those of others."""
    return [*built_in(), *(name for name in plugins.names() if name not in built_in())]


@cache
def built_in() -> dict[str, type[Strategy]]:
    """By name: every strategy in a file of this folder."""
    found = {}
    for module in pkgutil.iter_modules(search.strategies.__path__):
        for one in vars(import_module(f"search.strategies.{module.name}")).values():
            if isinstance(one, type) and issubclass(one, Strategy) and one.name:
                found[one.name] = one
    return dict(sorted(found.items()))


def explain() -> str:
    """All strategies with their options and defaults, for people. A plugin that is wrong is named, and
    why."""
    lines = []
    for name in known_names():
        try:
            kind = find(name)
        except LlasaError as error:
            lines.append(f"{name}: {error}")
            continue
        lines.append(f"{name}: {(kind.__doc__ or '').strip().splitlines()[0].rstrip('.')}")
        options = {one.name: (one.metadata.get("help", ""), default_text(one)) for one in own_fields(kind)}
        for option, (help, default) in {**options, **SHARED}.items():
            lines.append(f"  {f'{option}={default}':<30} {help}")
    return "\n".join(lines)


def default_text(one: Field[Any]) -> str:
    """An option's default for people; of one that depends on the verifiers, that with WER and similarity."""
    value = _unless_given(one, ("wer", "sim"))
    if value is MISSING:
        value = one.default
    return "none" if value is None else shown(value)


def _unless_given(one: Field[Any], metrics: tuple[str, ...]) -> Any:
    found = one.metadata.get("unless_given", MISSING)
    return found(metrics) if callable(found) else found


def _verifiers(name: str, given: Mapping[str, Any], directions: Directions) -> tuple[str, ...]:
    text = text_of(f"verifiers of {name}", given["verifiers"]) if "verifiers" in given else ""
    names = tuple(filter(None, (one.strip() for one in text.split(",")))) or tuple(directions)
    for verifier in names:
        if verifier not in directions:
            raise UserError(f"{name} asks for the verifier {verifier!r}{nearest(verifier, directions)}")
    return names


def _inner(given: Any, select: str, verifiers: tuple[str, ...]) -> dict[str, Any]:
    """A strategy inside of another: a number of candidates, a spec or a mapping, with what it takes over."""
    if (isinstance(given, str) and given.lstrip("-").isdigit()) or isinstance(given, int):
        name, options = "best-of-n", {"n": given}
    else:
        name, options = read(given)
    return {"name": name, "select": select, "verifiers": list(verifiers), **options}
