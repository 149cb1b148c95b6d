"""`llasa-search narrate make`: files of what is spoken, and one line for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.cli.main import main
from tests.experiments.narration.production.narrations import SHORT, narration


def test_the_files_and_their_levels_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    narration(folder, SHORT[-2:])
    command = ["narrate", "make", str(folder), "--files", "flac,srt,certificate", "--aligner", "proportional"]
    assert main(command) == 0
    told = capsys.readouterr().out
    for name in ("02 Chapter 2.flac", "02 Chapter 2.srt", "02 Chapter 2.words.srt"):
        assert (folder / "book" / name).is_file() and name in told
    assert "words are timed by proportional (by their letters alone" in told
    assert "LUFS" in told and "certificate.html" in told


def test_files_of_an_earlier_title_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    narration(folder, SHORT[-1:])
    command = ["narrate", "make", str(folder), "--files", "flac", "--per", "book", "--title"]
    assert main([*command, "Old"]) == 0
    assert "made before" not in capsys.readouterr().err
    assert main([*command, "New"]) == 0
    (line,) = [one for one in capsys.readouterr().err.splitlines() if "made before" in one]
    assert line.startswith("note: ") and line.endswith("Old.flac were made before, and stay as they are")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--files", "mp5"], "nothing is called 'mp5'"),
        (["--loudness", "ebu:0"], "the target of ebu is from -31 to -9"),
        (["--cover", "COVER"], "is no picture"),
        (["--third-ear", "ge2e"], "hears no words"),
        (["--pauses", "sentence"], "give 0.2 to 10 seconds"),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    folder = tmp_path / "out"
    narration(folder, SHORT[-1:])
    cover = tmp_path / "cover.jpg"
    cover.write_bytes(b"no picture")
    given = [str(cover) if one == "COVER" else one for one in options]
    assert main(["narrate", "make", str(folder), *given]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert says in told[-1] and "Traceback" not in "".join(told)
    assert not (folder / "book").exists()


def test_a_folder_that_is_no_narration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["narrate", "make", str(tmp_path)]) == 2
    assert "holds no plan.json: give the folder of a narration" in capsys.readouterr().err
