"""A cluster of two nodes that loses one, in a process of its own: a process is in one cluster at a time."""

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.processes
def test_a_node_that_is_lost_in_the_middle_changes_nothing() -> None:
    command = [sys.executable, "-m", "tests.search.backends.ray.lose_a_node"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert any(line.startswith("same: 6 results") for line in done.stdout.splitlines()), done.stdout[-4000:]
