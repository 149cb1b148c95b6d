"""Whatever is given to a command: no traceback, no hang, one line of error, nothing written outside of its
outputs.
"""

import random
from pathlib import Path

import click
import pytest

from experiments.cli.commands import COMMANDS, llasa_search
from tests.fuzz.__main__ import fuzz
from tests.fuzz.commands import command_line
from tests.fuzz.runner import verdict
from tests.fuzz.values import mutated


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_five_hundred_draws(tmp_path: Path) -> None:
    found = fuzz(500, 0, tmp_path)
    assert [(draw.seed, draw.fault) for draw in found if draw.fault] == []
    assert sum(draw.loads for draw in found) >= 20, "too few draws get past the checks"
    assert sum(draw.code == 2 for draw in found) >= 250


def test_every_command_and_option_is_drawn() -> None:
    drawn = [command_line(random.Random(seed)) for seed in range(4000)]
    for name in COMMANDS:
        command = llasa_search.get_command(click.Context(llasa_search), name)
        assert command is not None
        given = {word for line in drawn if line[0] == name for word in line}
        for param in command.params:
            assert isinstance(param, click.Argument) or given & set(param.opts), (name, param.name)


def test_a_draw_is_the_same_each_time() -> None:
    assert [command_line(random.Random(7)) for _ in range(3)] == [command_line(random.Random(7))] * 3


def test_a_mutation_changes_something_and_leaves_the_original() -> None:
    value = {"a": [1, {"b": "c"}], "d": None}
    found = [mutated(random.Random(seed), value) for seed in range(200)]
    assert value == {"a": [1, {"b": "c"}], "d": None}
    assert sum(each != value for each in found) > 150
    assert any(isinstance(each, dict) and "a" not in each for each in found)


@pytest.mark.parametrize(
    ("code", "stderr", "fault"),
    [
        (0, "", ""),
        (2, "warning: odd\nerror: no such voice: give one of these\n", ""),
        (2, "", "0 lines of error"),
        (2, "error: one thing or so\nerror: another thing\n", "2 lines of error"),
        (2, f"error: {'a' * 3000}\n", "an error of 3007 characters"),
        (4, "", "exit code 4"),
        (None, "", "exit code None"),
        (1, "Traceback (most recent call last):\n", "a traceback"),
    ],
)
def test_what_counts_as_a_fault(code: int | None, stderr: str, fault: str) -> None:
    assert verdict(code, stderr) == fault
