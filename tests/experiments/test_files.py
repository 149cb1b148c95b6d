"""Files appear whole or not at all."""

import hashlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.files import Destination, Outputs, check_file, check_folder, check_outputs, file_hash
from experiments.interrupts import guarded
from llasa_core.errors import UserError
from tests.experiments.runs.test_records import largest_file


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


CANDIDATES = re.compile(r"candidate-\d{3,}\.wav")


def destinations(folder: Path, **given: str) -> list[Destination]:
    names = {"candidates": CANDIDATES}
    return [Destination(f"--{option}", folder / path, names.get(option)) for option, path in given.items()]


@pytest.mark.parametrize(
    ("outputs", "inputs"),
    [
        ({"output": "c/candidate-005.wav", "candidates": "c"}, {}),
        ({"candidates": "c", "output": "c/../c/candidate-1234.wav"}, {}),
        ({"trace": "c", "candidates": "c"}, {}),
        ({"json": "a.json", "trace": "./a.json"}, {}),
        ({"json": "a.json", "trace": "link"}, {}),
        ({"output": "c/a.wav", "trace": "c"}, {}),
        ({"output": "out.wav"}, {"--prompt-audio": "out.wav"}),
        ({"output": "out.wav"}, {"--prompt-audio": "sub/../out.wav"}),
        ({"json": "recipe.yaml"}, {"--recipe": "recipe.yaml"}),
        ({"candidates": "c"}, {"--prompt-audio": "c/candidate-000.wav"}),
        ({"trace": "linked/a"}, {"--prompt-audio": "sub/a"}),
        ({"output": "fifo"}, {}),
        ({"json": "null"}, {}),
        ({"json": "x" * 300}, {}),
        ({"json": "a\0b"}, {}),
        ({"json": "loop"}, {}),
    ],
)
def test_no_output_is_an_input_another_output_or_a_device(
    tmp_path: Path, outputs: dict[str, str], inputs: dict[str, str]
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a.json")
    (tmp_path / "linked").symlink_to(tmp_path / "sub")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "fifo")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError) as caught:
        check_outputs(
            destinations(tmp_path, **outputs), {name: tmp_path / path for name, path in inputs.items()}
        )
    assert str(caught.value).isprintable() and "--" in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_outputs_beside_each_other_are_fine(tmp_path: Path) -> None:
    outputs = destinations(tmp_path, output="c/out.wav", candidates="c", json="c/a.json", trace="new/a")
    check_outputs(outputs, {"--prompt-audio": tmp_path / "c/voice.wav", "--recipe": None})


def test_if_one_file_cannot_be_moved_none_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(UserError, match="nothing was written"), Outputs() as outputs:
        for name in ("a", "new/b", "c"):
            outputs.stage(tmp_path / name).write_text("new")
        (tmp_path / "c").mkdir()  # came to be while the work was done
        outputs.publish()
    assert (tmp_path / "a").read_text() == "old"
    assert not (tmp_path / "new/b").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a file system with these options."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
        mounted = subprocess.run(command, capture_output=True, check=False)
        if mounted.returncode:
            pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
        return disk

    yield mount
    if disk.is_mount():
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.processes
@pytest.mark.parametrize("options", ["size=64k", "size=64k,nr_inodes=4", "size=64k,nr_inodes=2"])
@pytest.mark.parametrize("sizes", [(100, 100_000), (100_000,), (40_000, 40_000), (1, 1, 1, 1)])
@pytest.mark.processes
def test_a_full_disk_is_one_line_and_leaves_nothing(
    small_disk: Callable[[str], Path], options: str, sizes: tuple[int, ...]
) -> None:
    disk = small_disk(options)
    if sizes == (1, 1, 1, 1) and "nr_inodes" not in options:
        pytest.skip("these files fit")
    with pytest.raises(UserError) as caught, Outputs() as outputs:
        for number, size in enumerate(sizes):
            outputs.stage(disk / f"{number}.html").write_bytes(b"x" * size)
        outputs.publish()
    said = str(caught.value)
    assert said.isprintable() and "cannot write" in said and "No space left" in said
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize("room", [0, 1, 5_000])
def test_a_file_that_may_not_grow_is_one_line(tmp_path: Path, room: int) -> None:
    with largest_file(room), pytest.raises(UserError, match="cannot write"), Outputs() as outputs:
        outputs.stage(tmp_path / "a.json").write_text("x" * 10_000)
        outputs.publish()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("moment", ["stage", "write", "publish"])
def test_a_signal_leaves_all_files_or_none(
    tmp_path: Path, number: signal.Signals, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`publish` is done to its end; before it nothing is seen; no scratch folder is left."""

    def interrupted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            os.kill(os.getpid(), number)
            return function(*given, **named)

        return call

    with pytest.raises(KeyboardInterrupt), guarded(), Outputs() as outputs:
        if moment == "stage":
            monkeypatch.setattr(tempfile, "mkdtemp", interrupted(tempfile.mkdtemp))
        outputs.stage(tmp_path / "a").write_text("a")
        outputs.stage(tmp_path / "b").write_text("b")
        if moment == "write":
            os.kill(os.getpid(), number)
        monkeypatch.setattr(os, "replace", interrupted(os.replace))
        outputs.publish()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == (["a", "b"] if moment == "publish" else [])


def test_a_hash_follows_the_file(tmp_path: Path) -> None:
    found = set()
    for content in (b"a", b"b", b"longer"):
        (tmp_path / "a").write_bytes(content)
        os.utime(tmp_path / "a", ns=(0, len(found)))
        assert file_hash(tmp_path / "a") == hashlib.sha256(content).hexdigest()
        found.add(file_hash(tmp_path / "a"))
    assert len(found) == 3
    with pytest.raises(UserError, match="does not exist"):
        file_hash(tmp_path / "b")
