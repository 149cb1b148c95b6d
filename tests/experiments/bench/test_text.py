import subprocess
import sys
from pathlib import Path

import pytest

from experiments.bench.text import main


@pytest.mark.processes
def test_no_model_library_is_needed():
    """In a process of its own: this one has imported them."""
    command = [sys.executable, "-m", "experiments.bench.text", "--count", "20"]
    root = Path(__file__).parents[3]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout
    header, normalised, compared, libraries = found.splitlines()
    assert "seed 1, 5 runs of n = 20" in header
    assert all("sentences a minute" in line for line in (normalised, compared))
    assert libraries == "model libraries imported: none"


def test_a_file_without_sentences_is_refused(tmp_path, capsys):
    empty = tmp_path / "empty.txt"
    empty.write_text("# a comment\n\n")
    assert main(["--file", str(empty)]) == 2
    assert "holds no sentence" in capsys.readouterr().err
