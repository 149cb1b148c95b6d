"""Files appear whole or not at all."""

from pathlib import Path

import pytest

from experiments.files import Outputs, check_file, check_folder
from llasa_core.errors import UserError


def test_nothing_is_seen_before_publish_and_nothing_else_after(tmp_path: Path) -> None:
    with Outputs() as outputs:
        for name in ("a.txt", "new/folder/b.txt"):
            outputs.stage(tmp_path / name).write_text(name)
        assert not (tmp_path / "a.txt").exists()
        outputs.publish()
    found = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert found == ["a.txt", "new/folder/b.txt"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "new"]
    assert (tmp_path / "new/folder/b.txt").read_text() == "new/folder/b.txt"


def test_an_interrupted_block_leaves_the_old_file_and_no_scratch(tmp_path: Path) -> None:
    old = tmp_path / "out.wav"
    old.write_text("old")
    with pytest.raises(KeyboardInterrupt), Outputs() as outputs:
        outputs.stage(old).write_text("new")
        raise KeyboardInterrupt
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


def test_a_folder_cannot_be_a_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder"):
        check_file(tmp_path, "-o")


@pytest.mark.parametrize("below", ["out.wav", "deeper/out.wav"])
def test_nothing_can_be_written_below_a_file(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="no folder"):
        check_file(tmp_path / "file" / below, "-o")


def test_a_folder_that_refuses_files_is_found_out_by_trying() -> None:
    with pytest.raises(UserError, match="cannot write in /proc"):
        check_folder(Path("/proc/llasa-search"), "--candidates")


def test_checking_leaves_no_trace(tmp_path: Path) -> None:
    check_file(tmp_path / "a/b/out.wav", "-o")
    check_folder(tmp_path / "c", "--candidates")
    assert list(tmp_path.iterdir()) == []
