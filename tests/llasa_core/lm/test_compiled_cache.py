"""Compiled functions on disk: damaged files, folders that cannot be used, and folders of other users."""

import importlib.util
import logging
import os
import pickle
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest

from llasa_core.lm.cpu import cache, compiling

SOURCE = """
import numba
from llasa_core.lm.cpu.compiling import compiled, inlined

@inlined
def doubled(x):
    return 2 * x

@compiled
def twice(x):
    total = 0.0
    for _ in numba.prange(3):
        total += doubled(x)
    return total / 3
"""
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "a byte": lambda data: data[:1],
    "half": lambda data: data[: len(data) // 2],
    "all but the last byte": lambda data: data[:-1],
    "zeros": lambda data: bytes(len(data)),
    "zeros behind the first third": lambda data: data[: len(data) // 3].ljust(len(data), b"\0"),
    "a page of zeros": lambda data: data[: len(data) // 2] + bytes(64) + data[len(data) // 2 + 64 :],
    "text": lambda data: b"no space left on device\n" * 40,
    "another pickle": lambda data: pickle.dumps({"neither": "index nor code"}),
    "other bytes": lambda data: bytes(byte ^ 0x55 for byte in data),
}
SCRIPT = """
import sys
from pathlib import Path
from tests.llasa_core.lm.test_compiled_cache import DAMAGE, load

source, folder = Path(sys.argv[1]), Path(sys.argv[2])
assert load(source).twice(4.0) == 8.0
for ending in ("nbi", "nbc"):
    for name, damage in DAMAGE.items():
        for file in folder.rglob(f"*.{ending}"):
            file.write_bytes(damage(file.read_bytes()))
        damaged, after = load(source).twice, load(source).twice
        assert damaged(4.0) == 8.0, name
        hits = sum(damaged.stats.cache_hits.values())
        assert after(4.0) == 8.0, name
        print(ending, name, hits, sum(after.stats.cache_hits.values()), sep="|")
"""


def load(source: Path) -> Any:
    """The module, as a new process has it."""
    spec = importlib.util.spec_from_file_location("doubling", source)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "source" / "doubling.py"
    file.parent.mkdir()
    file.write_text(SOURCE)
    return file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What NUMBA_CACHE_DIR names."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def hits(function: Any) -> int:
    """How often a function was loaded from disk."""
    return sum(function.stats.cache_hits.values())


def test_damaged_files_are_compiled_again_and_replaced(source: Path, tmp_path: Path) -> None:
    """In a process of its own, which machine code that is damaged would end."""
    folder = tmp_path / "cache"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(source), str(folder)],
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [line.split("|") for line in done.stdout.splitlines()]
    assert [line[:2] for line in found] == [[ending, name] for ending in ("nbi", "nbc") for name in DAMAGE]
    # the damaged files are not used, and those that replace them are
    assert {tuple(line[2:]) for line in found} == {("0", "1")}


def test_an_undamaged_function_is_loaded(source: Path, folder: Path) -> None:
    assert [(load(source).twice(4.0)) for _ in range(2)] == [8.0, 8.0]
    loaded = load(source).twice
    assert loaded(4.0) == 8.0 and hits(loaded) == 1


ATTEND = """
import hashlib
import numpy as np
from llasa_core.lm.cpu.attention import _attend

generator = np.random.default_rng(0)
states, block = (generator.standard_normal(s, np.float32) for s in ((130, 12, 64), (1, 2, 4, 256, 64)))
tables = [generator.standard_normal((512, 64), np.float32) for _ in range(2)]
prefix = generator.standard_normal((2, 4, 40, 64), np.float32)
mixed = np.empty((130, 4, 64), np.float32)
positions, slots = np.stack([np.arange(130)] * 2), np.zeros(130, np.int64)
_attend(states, positions, slots, *tables, prefix, block, 0, 130, mixed)
print(hashlib.sha256(mixed.tobytes()).hexdigest(), sum(_attend.stats.cache_hits.values()))
"""


def test_attention_is_the_same_to_the_bit_in_the_first_process_and_in_later_ones(tmp_path: Path) -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", ATTEND],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert told[0] == told[1] and told[0][1] == "1"


def test_a_full_disk_costs_only_the_next_compilation(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def full(old: str, new: str) -> None:
        raise OSError(28, "No space left on device", old)

    monkeypatch.setattr(os, "replace", full)
    assert load(source).twice(4.0) == 8.0
    monkeypatch.setattr(os, "replace", real)
    assert not list(folder.rglob("*.nb[ic]"))
    assert load(source).twice(4.0) == 8.0
    assert len(list(folder.rglob("*.nb[ic]"))) == 2


def test_without_a_folder_that_can_be_written_it_is_compiled_each_time(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(function: object) -> None:
        raise RuntimeError("cannot cache function: no locator available for file")

    monkeypatch.setattr(cache, "FunctionFiles", nowhere)
    assert load(source).twice(4.0) == 8.0


class Touch:
    """A pickle of this makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def world_writable(path: Path) -> None:
    path.chmod(path.stat().st_mode | stat.S_IWOTH)


def group_writable(path: Path) -> None:
    path.chmod(path.stat().st_mode | stat.S_IWGRP)


def foreign(path: Path) -> None:
    if os.getuid():
        pytest.skip("only root can give files away")
    os.chown(path, 4242, -1)


@pytest.mark.parametrize("share", [world_writable, group_writable, foreign])
@pytest.mark.parametrize("what", ["folder", "index", "data"])
def test_code_that_others_can_replace_is_not_loaded(
    source: Path,
    folder: Path,
    tmp_path: Path,
    share: Callable[[Path], None],
    what: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert load(source).twice(4.0) == 8.0
    (index,), (data,) = folder.rglob("*.nbi"), folder.rglob("*.nbc")
    marker = tmp_path / "code was run"
    for file in (index, data):
        file.write_bytes(pickle.dumps(Touch(marker)))
    share({"folder": index.parent, "index": index, "data": data}[what])
    monkeypatch.setattr(cache, "_is_private", lambda group: False)
    cache._refused.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert load(source).twice(4.0) == 8.0
    assert not marker.exists()
    (told,) = [record.getMessage() for record in caplog.records]
    assert str(index.parent) in told and "NUMBA_CACHE_DIR" in told and "\n" not in told
    cache._refused.cache_clear()


def test_the_group_that_a_user_has_alone_is_no_one_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on systems where files are made writable for it."""

    class Group:
        gr_name, gr_mem = "ada", ["ada"]

    class User:
        pw_name = "ada"

    monkeypatch.setattr("grp.getgrgid", lambda group: Group)
    monkeypatch.setattr("pwd.getpwuid", lambda user: User)
    assert cache._is_private(100)
    Group.gr_mem = ["ada", "bob"]
    assert not cache._is_private(100)
    Group.gr_name, Group.gr_mem = "staff", []
    assert not cache._is_private(100)


def test_functions_of_the_engine_are_kept() -> None:
    from llasa_core.lm.cpu import attention, copies

    for function in (attention._attend, copies._copy):
        assert isinstance(function._cache, cache.FunctionFiles)  # type: ignore[attr-defined]
    assert compiling.find_files(attention._attend.py_func) is not None  # type: ignore[attr-defined]
