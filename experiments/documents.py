"""Documents that someone else may have written: bounded in size and depth, then held against a schema.

Whatever is wrong is one UserError of one line: the file, the place in it, what was found, and what is wanted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from llasa_core.errors import UserError, first_line, nearest
from llasa_core.paths import regular_file, shown

DOCUMENT_BYTES = 64 * 2**20
"""Longest JSON document. The longest that the project writes, a result with its trace, has some megabytes."""
RECIPE_BYTES = 64 * 2**10
LINE_BYTES = 4 * 2**20
"""Longest line of a list, and longest record."""
DEPTH = 64
"""Deepest nesting of lists and mappings."""
DIGITS = 40
"""Most digits of a whole number. Python itself refuses 4,300, without a word about the place."""
LONGEST_FOUND = 40
_LONG_NUMBER = re.compile(rf"[-+]?(0[bx])?[0-9a-fA-F_:]{{{DIGITS},}}")


class Schema(BaseModel):
    """The base of all schemas: no other keys, no conversions ("5" is no number), no NaN, no infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


S = TypeVar("S", bound=BaseModel)


def checked(schema: type[S], value: Any, place: str) -> S:
    """A value from JSON or YAML as an instance of the schema. place: of the value, for the UserError."""
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        raise UserError(f"{place}: {_explained(error, schema, value)}") from None


def read_json(path: Path, what: str) -> Any:
    """The content of a JSON file. what: names the file in the UserError ("the manifest")."""
    return parse_json(_bounded_text(path, what, DOCUMENT_BYTES), f"{what} {shown(path)}")


def parse_json(text: str | bytes, place: str) -> Any:
    """Raises UserError for what is no JSON, nested deeper than DEPTH, or has longer numbers than DIGITS."""
    try:
        found = json.loads(text, parse_int=_whole_number)
    except RecursionError:
        raise UserError(f"{place} is nested deeper than {DEPTH} levels: nothing that we write is") from None
    except ValueError as error:
        raise UserError(f"{place} is no JSON ({first_line(error)}): repair it") from None
    _check_depth(found, place)
    return found


def read_yaml(path: Path, what: str) -> Any:
    """The content of a YAML file without aliases, tags and dates. Raises UserError."""
    import yaml

    text, place = _bounded_text(path, what, RECIPE_BYTES), f"{what} {shown(path)}"
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            where = f"{place}, line {event.start_mark.line + 1}"
            if isinstance(event, yaml.AliasEvent):
                raise UserError(f"{where}: *{event.anchor} refers to another value: write the value itself")
            if getattr(event, "tag", None) is not None:
                raise UserError(f"{where}: the tag {event.tag!r} is not read: write the plain value")
            if isinstance(event, yaml.ScalarEvent) and _LONG_NUMBER.fullmatch(event.value):
                raise UserError(f"{where}: a number of {len(event.value)} digits: at most {DIGITS} are read")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEPTH:
                raise UserError(f"{where} is nested deeper than {DEPTH} levels: write it flatter")
        return yaml.load(text, Loader=_plain_loader())  # a SafeLoader that reads less
    except UserError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = place if mark is None else f"{place}, line {mark.line + 1}"
        reason = getattr(error, "problem", None) or first_line(error)
        raise UserError(f"{where} is no YAML ({reason}): repair it") from None


def read_lines(path: Path, what: str) -> Iterator[tuple[int, str]]:
    """Number and text of every line of a UTF-8 file, with or without a byte order mark, as it is read.

    Lines end at a line feed or a carriage return and at nothing else: U+2028 is a character of its line.
    Raises UserError for what is no regular file of UTF-8 text, and a line longer than LINE_BYTES characters.
    """
    file = regular_file(path, what)
    number = 0
    try:
        with file.open(encoding="utf-8-sig") as lines:
            while line := lines.readline(LINE_BYTES + 1):
                number += 1
                if len(line) > LINE_BYTES:
                    raise UserError(
                        f"line {number} of {what} {shown(path)} is longer than {LINE_BYTES:,} characters"
                    )
                yield number, line.removesuffix("\n")
    except UnicodeDecodeError as error:
        raise UserError(_not_utf8(what, path, error)) from None
    except OSError as error:
        raise UserError(f"cannot read {what} {shown(path)}: {error.strerror or error}") from None


def _bounded_text(path: Path, what: str, most: int) -> str:
    """A UTF-8 file as text, without its byte order mark."""
    file = regular_file(path, what)
    try:
        with file.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise UserError(f"cannot read {what} {shown(path)}: {error.strerror or error}") from None
    if len(content) > most:
        raise UserError(f"{what} {shown(path)} is longer than {most:,} bytes: this is no such file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(_not_utf8(what, path, error)) from None


def _not_utf8(what: str, path: Path, error: UnicodeDecodeError) -> str:
    return f"{what} {shown(path)} is not UTF-8 ({error.reason} at byte {error.start}): convert it"


def _whole_number(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"a number of {len(digits)} digits: at most {DIGITS} are read")
    return int(digits)


def _check_depth(value: Any, place: str) -> None:
    level = [value]
    for _ in range(DEPTH + 1):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise UserError(f"{place} is nested deeper than {DEPTH} levels: nothing that we write is")


def _plain_loader() -> Any:
    """A safe loader to which a date is text, as it is in JSON."""
    import yaml

    class PlainLoader(yaml.SafeLoader):  # type: ignore[misc]
        pass

    PlainLoader.yaml_implicit_resolvers = {
        first: [
            (tag, pattern) for tag, pattern in found if not tag.endswith((":timestamp", ":merge", ":value"))
        ]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return PlainLoader


def _explained(error: ValidationError, schema: type[BaseModel], value: Any) -> str:
    """`strategy.n is 'four': give a whole number`: the innermost problem, and all that may stand there."""
    found = [(_path(problem["loc"], value), problem) for problem in error.errors(include_url=False)]
    path, problem = max(found, key=lambda pair: len(pair[0]))
    name = _dotted(path) or "it"
    if problem["type"] == "missing":
        return f"{_dotted((*path, problem['loc'][-1]))} is missing"
    if problem["type"] == "extra_forbidden":
        inside = f" in {_dotted(path[:-1])}" if path[1:] else ""
        known = _keys(schema, path[:-1])
        return f"there is no key {_found(path[-1])}{inside}{nearest(str(path[-1]), known)}"
    wanted = dict.fromkeys(_wanted(other) for place, other in found if place == path)
    if problem["type"] == "invalid_key" or problem["loc"][-1:] == ("[key]",):
        return f"a key is {_found(path[-1])}: give text"
    return f"{name} is {_found(problem['input'])}: give {' or '.join(wanted)}"


def _dotted(path: tuple[int | str, ...]) -> str:
    return shown(".".join(map(str, path)))


def _path(location: tuple[int | str, ...], value: Any) -> tuple[int | str, ...]:
    """The keys of a place, without the marks that pydantic puts there for kinds and for keys themselves."""
    path: list[int | str] = []
    for key in location:
        inside = (
            value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}
        )
        if key in inside:
            path.append(key)
            value = inside[key]
        else:
            # a key that is no text is given as text
            same = [own for own in inside if not isinstance(own, str) and str(own) == key]
            if same:
                path.append(same[0])
                value = inside[same[0]]
    return tuple(path)


def _keys(schema: Any, path: tuple[int | str, ...]) -> list[str]:
    """The keys that the schema has at a place."""
    for key in path:
        field = {field.alias or name: field for name, field in schema.model_fields.items()}.get(key)
        kind = None if field is None else field.annotation
        schema = next(
            (part for part in _parts(kind) if isinstance(part, type) and issubclass(part, BaseModel)), schema
        )
    return sorted(field.alias or name for name, field in schema.model_fields.items())


def _parts(kind: Any) -> Iterator[Any]:
    """A type and all that it is made of: `list[A | B]`, `A | B`, A, B."""
    yield kind
    for part in getattr(kind, "__args__", ()):
        yield from _parts(part)


def _wanted(problem: Any) -> str:
    context = problem.get("ctx", {})
    kinds = {
        "string_type": "text",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "bool_type": "true or false",
        "dict_type": "a mapping",
        "model_type": "a mapping",
        "list_type": "a list",
        "none_required": "null",
        "finite_number": "a finite number",
        "literal_error": context.get("expected", ""),
        "greater_than": f"more than {context.get('gt')}",
        "greater_than_equal": f"at least {context.get('ge')}",
        "less_than_equal": f"at most {context.get('le')}",
        "string_too_short": "text that is not empty",
        "string_too_long": f"at most {context.get('max_length')} characters",
        "string_pattern_mismatch": f"text of the form {context.get('pattern')}",
    }
    message = str(problem["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")
    return kinds.get(problem["type"]) or message


def _found(value: Any) -> str:
    """A value in a few words, on one line."""
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = repr(value)
    return text if len(text) <= LONGEST_FOUND else f"{text[:LONGEST_FOUND]}..."
