import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from llasa_core.errors import LlasaError, UserError
from llasa_core.paths import regular_file, shown, user_path, write_whole


class OtherError(LlasaError):
    pass


def _loop(folder: Path) -> str:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    return str(folder / "a")


def _fifo(folder: Path) -> str:
    os.mkfifo(folder / "pipe")
    return str(folder / "pipe")


def _socket(folder: Path) -> str:
    held = socket.socket(socket.AF_UNIX)
    held.bind(str(folder / "socket"))
    held.close()
    return str(folder / "socket")


def _dangling(folder: Path) -> str:
    (folder / "link").symlink_to("nowhere")
    return str(folder / "link")


NOT_FOUND: dict[str, tuple[Callable[[Path], str], str]] = {
    "long": (lambda folder: str(folder / ("x" * 256)), "too long"),
    "long path": (lambda folder: "/".join(["x" * 200] * 30), "too long"),
    "no user": (lambda folder: "~nosuchuser/x.wav", "a user that this machine does not have"),
    "nul": (lambda folder: str(folder / "a\0b"), "characters that no file name has"),
    "surrogate": (lambda folder: str(folder / "a\ud800b"), "characters that no file name has"),
    "loop": (_loop, "leads back to itself"),
}
NOT_REGULAR: dict[str, tuple[Callable[[Path], str], str]] = {
    "missing": (lambda folder: str(folder / "none.wav"), "does not exist"),
    "empty": (lambda folder: "", "is a folder"),
    "below a file": (lambda folder: f"{__file__}/x", "does not exist"),
    "dangling": (_dangling, "does not exist"),
    "bytes": (lambda folder: os.fsdecode(bytes(folder) + b"/\xff\xfe.wav"), "does not exist"),
    "folder": (str, "is a folder"),
    "fifo": (_fifo, "no regular file"),
    "link to a fifo": (lambda folder: _link(folder, _fifo(folder)), "no regular file"),
    "socket": (_socket, "no regular file"),
    "null": (lambda folder: "/dev/null", "no regular file"),
    "zero": (lambda folder: "/dev/zero", "no regular file"),
}


def _link(folder: Path, target: str) -> str:
    (folder / "to").symlink_to(target)
    return str(folder / "to")


@pytest.mark.parametrize("case", NOT_FOUND)
def test_a_path_that_cannot_be_looked_up_is_one_line(tmp_path: Path, case: str) -> None:
    make, reason = NOT_FOUND[case]
    path = make(tmp_path)
    for look in (user_path, regular_file):
        with pytest.raises(OtherError, match=reason) as raised:
            look(path, "audio file", error=OtherError)
        line = str(raised.value)
        assert line.startswith("audio file ") and line.isprintable() and len(line) < 400
        line.encode("utf-8")


@pytest.mark.parametrize("case", NOT_REGULAR)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, case: str) -> None:
    make, reason = NOT_REGULAR[case]
    path = make(tmp_path)
    user_path(path)
    with pytest.raises(UserError, match=reason) as raised:
        regular_file(path, "list")
    assert str(raised.value).isprintable()


def test_a_file_is_found_through_links_odd_names_and_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("plain", "with space\n", "Grüße", os.fsdecode(b"\xff"), "x" * 255):
        (tmp_path / name).write_bytes(b"content")
        assert regular_file(tmp_path / name, "file").read_bytes() == b"content"
        assert regular_file(f"~/{name}", "file") == tmp_path / name
    (tmp_path / "link").symlink_to("plain")
    assert regular_file(tmp_path / "link", "file").read_bytes() == b"content"


def test_a_shown_path_is_one_printable_line() -> None:
    assert shown("a/b c.wav") == "a/b c.wav"
    assert shown("a\n\x1b[2J\udcff") == r"a\n\x1b[2J\udcff"
    assert len(shown("x" * 5000)) == 203


def test_a_file_is_written_whole_with_the_usual_rights_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ("n" * 255)
    write_whole(file, b"first")
    assert file.read_bytes() == b"first"
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        write_whole(file, b"second")
    assert file.read_bytes() == b"first"
    assert sorted(found.name for found in tmp_path.iterdir()) == [file.name, "plain"]
