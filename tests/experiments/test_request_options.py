"""What is told of a text before it is spoken."""

from pathlib import Path

import pytest

from experiments.request_options import announce_untrained_words


def test_words_that_were_not_trained_are_told_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "trained_words.txt").write_text("café\nit's\nthe\n")
    announce_untrained_words(tmp_path, ["The café, it's Müller's 'tis", "the Müller's"])
    told = capsys.readouterr().err.strip()
    assert told == "not among the words that this model was trained on: müller's, tis"
