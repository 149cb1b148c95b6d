"""Documents of others: whatever is in them, they are read or refused in one line, never waited for."""

import json
import os
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from experiments.cli.recipes import read_recipe, shipped
from experiments.documents import Schema, checked, parse_json, read_json, read_lines, read_yaml
from experiments.files import read_log
from experiments.runs.description import Description
from experiments.runs.records import Done, Failed, Records, read_records
from experiments.runs.table import summarize
from llasa_core.errors import UserError
from tests.experiments.runs.test_records import record


def refusal(read: Callable[[], object]) -> str:
    """What the user is told: one printable line of a moderate length."""
    with pytest.raises(UserError) as caught:
        read()
    said = str(caught.value)
    assert said.isprintable() and 20 < len(said) < 600
    return said


READERS: dict[str, Callable[[Path], object]] = {
    "json": lambda path: read_json(path, "the manifest"),
    "yaml": lambda path: read_yaml(path, "--recipe"),
    "lines": lambda path: list(read_lines(path, "--texts")),
    "log": lambda path: list(read_log(path, "the records")),
}
ODD = ["pipe", "zero", "loop", "folder", "missing", "x" * 300, "a\0b", "latin", "~nosuchuser/x", "caf\udce9"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("kind", READERS)
def test_what_is_no_regular_file_of_text_is_refused_at_once(kind: str, name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin").write_bytes(b"caf\xe9\n")
    path = Path(name) if name.startswith("~") else tmp_path / name
    refusal(lambda: READERS[kind](path))


BAD_JSON = [
    ("", "no JSON"),
    ("{", "no JSON"),
    ("[" * 100_000, "deeper than 64"),
    ('{"a": ' * 70 + "1" + "}" * 70, "deeper than 64"),
    ("9" * 5000, "5000 digits"),
    ('{"a": -' + "9" * 41 + "}", "digits"),
    ("{'a': 1}", "no JSON"),
]


@pytest.mark.parametrize(("text", "says"), BAD_JSON)
def test_json_that_is_none_or_too_much_is_refused(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    assert says in refusal(lambda: READERS["json"](tmp_path / "a.json"))


BAD_YAML = [
    ("first: &a\n  second: *a\n", "line 2: \\*a refers to another value"),
    ("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "line 2: \\*a"),
    ("[" * 60_000, "deeper than 64"),
    ("a:\n  - !!python/object/apply:os.system [ls]\n", "line 2: the tag .*os.system"),
    ("a: !own 5\n", "line 1: the tag '!own'"),
    ("seed: " + "9" * 5000, "line 1: a number of 5000 digits"),
    ("seed: 0x" + "f" * 5000, "digits"),
    ("a: [1, 2\nb: 3", "line 2 is no YAML"),
    ("a: 'x", "is no YAML"),
    ("{a: b}: c", "is no YAML"),
    ("a: \0", "is no YAML"),
    ("- " * 33_000, "longer than 65,536 bytes"),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("text", "says"), BAD_YAML)
def test_yaml_that_is_none_or_too_much_is_refused(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match=says):
        READERS["yaml"](tmp_path / "a.yaml")
    refusal(lambda: READERS["yaml"](tmp_path / "a.yaml"))


def test_yaml_is_read_as_json_would_have_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "\ufeffday: 2020-99-99\nn: 16\nx: 0.5\nno: [yes, null]\n<<: {a: b}\n", "utf-8"
    )
    found = {"day": "2020-99-99", "n": 16, "x": 0.5, False: [True, None], "<<": {"a": "b"}}
    assert read_yaml(tmp_path / "a.yaml", "--recipe") == found


@pytest.mark.parametrize("text", ["", "5", "[a]", "5: 6", "null: a", "- a: b", "a: b\n2020: c"])
def test_recipes_are_options_by_name(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    refusal(lambda: read_recipe(str(tmp_path / "a.yaml")))


def test_shipped_recipes_are_read() -> None:
    assert all(read_recipe(name) for name in shipped())
    assert "did you mean 'narration'" in refusal(lambda: read_recipe("naration"))


def test_lines_end_at_line_ends_alone(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("\ufeffa.wav|one\u2028two\x0b\x85\r\nb.wav|\n\rlast".encode())
    lines = ["a.wav|one\u2028two\x0b\x85", "b.wav|", "", "last"]
    assert list(read_lines(tmp_path / "a", "--texts")) == list(enumerate(lines, start=1))


class Inner(Schema):
    count: int = 0


class Outer(Schema):
    name: str
    size: float = 1.0
    either: str | Inner | None = None
    many: list[Inner] = Field(default_factory=list)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({}, "name is missing"),
        ([], "it is an empty list: give a mapping"),
        ({"name": 5}, "name is 5: give text"),
        ({"name": "a", "size": "1"}, "size is '1': give a number"),
        ({"name": "a", "size": True}, "size is true: give a number"),
        ({"name": "a", "size": float("nan")}, "size is nan: give a finite number"),
        ({"name": "a", "sise": 1}, "there is no key 'sise': did you mean 'size'?"),
        ({"name": "a", "either": 5}, "either is 5: give text or a mapping"),
        ({"name": "a", "either": {"count": 1.5}}, "either.count is 1.5: give a whole number"),
        ({"name": "a", "either": {"cuont": 1}}, "there is no key 'cuont' in either: did you mean 'count'?"),
        ({"name": "a", "many": [{"count": 1}, {"count": None}]}, "many.1.count is null: give a whole number"),
        ({"name": "a", 5: 6}, "a key is 5: give text"),
    ],
)
def test_an_error_names_place_content_and_cure(value: Any, says: str) -> None:
    said = refusal(lambda: checked(Outer, value, "the file a.json"))
    assert said.startswith(f"the file a.json: {says}")


def test_json_and_what_is_read_from_it_are_the_same() -> None:
    value = {"name": "a", "size": 1, "either": {"count": 3}, "many": []}
    assert checked(Outer, parse_json(json.dumps(value), "it"), "it").model_dump() == value


# Whatever a key of a document that the project wrote holds instead, it is taken, or refused by a line.

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**39),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
DESCRIPTION = {
    "schema": 1,
    "input": {"file": "in.txt", "texts": 6},
    "options": {"seed": 0},
    "strategy": {"name": "beam"},
    "budget": {},
    "models": {"preset": "nano"},
    "versions": {"python": "3.11"},
    "threads": 2,
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every key of a document, however deep."""
    if not isinstance(value, dict):
        return [path]
    return [path, *(place for key, item in value.items() for place in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    return {**value, path[0]: replaced(value[path[0]], path[1:], other)}


@pytest.mark.parametrize("schema", [Done, Failed, Description])
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_a_key_holds_there_is_no_traceback(schema: type[Schema], data: st.DataObject) -> None:
    documents = {
        Done: {"schema": 1, **record("a")},
        Failed: {"schema": 1, **record("a", "failed")},
        Description: DESCRIPTION,
    }
    document = documents[schema]
    checked(schema, document, "it")
    path = data.draw(st.sampled_from(places(document)))
    changed = replaced(document, path, data.draw(anything))
    extra = data.draw(st.none() | st.text(string.ascii_letters, min_size=1, max_size=9))
    if extra and isinstance(changed, dict):
        changed = changed | {extra: None}
    try:
        checked(schema, changed, "it")
    except UserError as error:
        assert str(error).isprintable() and len(str(error)) < 600


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_records_that_are_taken_can_be_summed(tmp_path: Path, data: st.DataObject) -> None:
    """The table at the end of a run meets no value that it cannot count."""
    entry: Any = {"schema": 1, **record("a")}
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from([path for path in places(entry) if path]))
        entry = replaced(entry, place, data.draw(anything))
    (tmp_path / "records.jsonl").write_text(json.dumps(entry) + "\n")
    try:
        with Records(tmp_path):
            summarize(read_records(tmp_path), 1.0)
    except UserError as error:
        assert str(error).isprintable()
