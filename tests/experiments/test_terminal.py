"""Whatever ids and texts hold, a terminal is shown plain text, and a reader who has gone ends nothing."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator

import pytest
from rich.table import Table
from rich.text import Text

from experiments.cli.main import main
from experiments.terminal import Terminal, clean, flush, print_json, say

HOSTILE = {
    "escape": "\x1b[2J\x1b]0;title\x07",
    "eight bits": "\x9b31m",
    "cursor": "\rover\b\b\x0b\x0c",
    "direction": "\u202etxt.exe\u2066\u200f",
    "separators": "a\u2028b\u2029c",
    "surrogates": "\udcff and \ud800",
    "delete and NUL": "\x7f\x00",
}


def dangerous(text: str) -> list[str]:
    return [c for c in text if c not in "\n\t" and not c.isprintable()]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_terminal_would_obey_is_written_out(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = HOSTILE[name]
    assert not dangerous(clean(f"ä日{text}")) and clean("ä日\tplain") == "ä日\tplain"
    say(text)
    table = Table(text)
    table.add_row(text, style="bold")
    terminal = Terminal()
    terminal.print(table)
    terminal.print(Text(text))
    terminal.say(text)
    say(text, error=True)
    shown = capsys.readouterr()
    assert not dangerous(shown.out) and not dangerous(shown.err)
    assert clean(text) in shown.out and clean(text) in shown.err


def test_square_brackets_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().say("[bold]a[/bold] :smile: [link=x]")
    assert capsys.readouterr().out == "[bold]a[/bold] :smile: [link=x]\n"


@pytest.mark.processes
def test_names_in_a_pipe_are_not_wrapped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    for command in ("models", "verifiers"):
        assert main([command]) == 0
        shown = capsys.readouterr().out
        assert "dimensional:audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim " in shown


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
@pytest.mark.parametrize("name", HOSTILE)
def test_json_is_the_same_value_in_every_encoding(
    encoding: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding))
    value = {"text": f"naïve 日本 {HOSTILE[name]}"}
    print_json(value)
    printed = content.getvalue().decode(encoding)
    assert json.loads(printed) == value and not dangerous(printed)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """stdout is a pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    stream = os.fdopen(write, "w")
    monkeypatch.setattr(sys, "stdout", stream)
    yield
    stream.close()


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(
    "show", [lambda: say("line"), lambda: Terminal().say("line"), lambda: print_json([1]), flush]
)
def test_a_reader_who_has_gone_is_no_error(show: Callable[[], None]) -> None:
    for _ in range(3):
        show()
    flush()


def test_a_full_disk_behind_stdout_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    full = open("/dev/full", "w")  # noqa: SIM115 (what it still holds cannot be written when it is closed)
    monkeypatch.setattr(sys, "stdout", full)
    with pytest.raises(OSError, match="No space left"):
        say("line")
    with pytest.raises(OSError, match="No space left"):
        full.close()


def test_a_stream_that_was_closed_before_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    say("line")
    Terminal().say("line")
    print_json([1])
    flush()
