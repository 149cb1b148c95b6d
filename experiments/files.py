"""Output files: whole or not at all, alone or as a set, and logs that only grow."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import mmap
import os
import re
import shutil
import stat
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from experiments.documents import LINE_BYTES, parse_json
from experiments.interrupts import held
from llasa_core.errors import UserError
from llasa_core.paths import regular_file, shown, user_path
from llasa_core.paths import write_whole as write_whole_file

SCHEMA = 1
"""Version of the files that are read again: the lines of logs, and run.json."""
LEFTOVER = re.compile(r"\.llasa-search-\w+\.part")
"""Names of files that were being written when their process was killed."""
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""What a disk that is full or broken answers."""


def write_whole(path: Path, content: bytes) -> None:
    """A file that is there whole, on the disk when this returns, or as it was before. Raises UserError."""
    try:
        write_whole_file(path, content)
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> UserError:
    """What the user is told when a disk is full, or worse, during a run."""
    return UserError(
        f"cannot write {shown(path)} ({error.strerror or error}): "
        "what is finished is kept; make room, then go on with --resume"
    )


def prepare_audio(audio: Path, stale: Callable[[Path], bool] = lambda path: False) -> None:
    """Makes a folder for the audio of a log beside it, and removes what a kill left half written in both.

    stale: files of the folder that are to go, too. Raises UserError.
    """
    try:
        audio.mkdir(exist_ok=True)
        for path in (*audio.parent.iterdir(), *audio.iterdir()):
            if LEFTOVER.fullmatch(path.name) or (path.parent == audio and stale(path)):
                path.unlink()
    except OSError as error:
        raise UserError(f"cannot write {shown(audio)} ({error.strerror}): choose another folder") from None


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, remembered while the file does not change.

    Raises UserError if it cannot be read.
    """
    found = regular_file(path, "file")
    status = found.stat()
    return _hash(found, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)
def _hash(path: Path, changed: int, size: int) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {shown(path)}: {error.strerror or error}") from None


class Outputs:
    """Stages files next to their destinations. `publish` moves all of them or none; leaving the block removes
    what was not published.

    Raises UserError, also as the block is left, if the disk is full: no destination has changed then.
    """

    def __init__(self) -> None:
        self._staged: list[tuple[Path, Path]] = []
        self._scratch: dict[Path, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with held():
            for folder in self._scratch.values():
                shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in DISK:
            raise self._refused(error) from None

    def stage(self, destination: Path) -> Path:
        """A path to write to now, on the same file system, that `publish` moves to `destination`."""
        anchor = nearest_folder(destination)
        if anchor not in self._scratch:
            with held():
                try:
                    folder = tempfile.mkdtemp(prefix=".llasa-search-", dir=anchor)
                except OSError as error:
                    raise self._refused(error, destination) from None
                self._scratch[anchor] = Path(folder)
        staged = self._scratch[anchor] / f"{len(self._staged)}{destination.suffix}"
        self._staged.append((staged, destination))
        return staged

    def publish(self) -> None:
        """Moves every staged file to its place, making folders as needed; if one cannot be moved, none is."""
        undo: list[tuple[Path, Path | None]] = []
        with held():
            try:
                for staged, destination in self._staged:
                    destination.parent.mkdir(parents=True, exist_ok=True)
                    if destination.is_dir():
                        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(destination))
                    before = (
                        staged.with_name(f"{staged.name}.before") if os.path.lexists(destination) else None
                    )
                    if before is not None:
                        os.replace(destination, before)
                    undo.append((destination, before))
                    os.replace(staged, destination)
            except OSError as error:
                for place, before in reversed(undo):
                    place.unlink(missing_ok=True)
                    if before is not None:
                        os.replace(before, place)
                raise self._refused(error, destination) from None
            self._staged.clear()

    def _refused(self, error: OSError, destination: Path | None = None) -> UserError:
        place = destination or (self._staged[-1][1] if self._staged else "the output")
        reason = error.strerror or error
        return UserError(
            f"cannot write {shown(place)} ({reason}): nothing was written; make room, or write elsewhere"
        )


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an option writes: the file `path`; with `names`, files of such names in the folder `path`."""

    option: str
    path: Path
    names: re.Pattern[str] | None = None

    def covers(self, path: Path) -> bool:
        """Whether the option may write to this path, in whatever way both are written."""
        own, other = Path(os.path.realpath(self.path)), Path(os.path.realpath(path))
        if self.names is None:
            return own == other or own in other.parents
        return own == other.parent and self.names.fullmatch(other.name) is not None


def check_outputs(outputs: Sequence[Destination], inputs: Mapping[str, Path | None]) -> None:
    """Raises UserError unless everything can be written, each to a place of its own, and over no input.

    inputs: what is read, by the option or the words that name it.
    """
    for output in outputs:
        (check_file if output.names is None else check_folder)(output.path, output.option)
    for number, output in enumerate(outputs):
        for other in outputs[number + 1 :]:
            if os.path.realpath(output.path) == os.path.realpath(other.path):
                raise UserError(
                    f"{output.option} and {other.option} name the same place, {shown(output.path)}: give two"
                )
            for folder, file in ((output, other), (other, output)):
                if folder.covers(file.path):
                    raise UserError(
                        f"{file.option} {shown(file.path)} is where {folder.option} writes: give another name"
                    )
        for name, path in inputs.items():
            if path is not None and output.covers(path):
                raise UserError(
                    f"{output.option} would write over {name} {shown(path)}: write to another place"
                )


def check_file(path: Path, option: str) -> None:
    """Raises UserError unless a file can be written at `path`."""
    found = user_path(path, option)
    if found.is_dir():
        raise UserError(f"{option} {shown(path)} is a folder: give the name of a file in it")
    if found.exists() and not stat.S_ISREG(found.stat().st_mode):
        raise UserError(f"{option} {shown(path)} is a device or a pipe, which would be replaced: name a file")
    check_folder(found.parent, option)


def check_folder(path: Path, option: str) -> None:
    """Raises UserError unless files can be written in `path`, which may have to be made first."""
    anchor = nearest_folder(user_path(path, option) / "file")
    cure = "choose a folder that you may write to"
    if not anchor.is_dir():
        raise UserError(f"{option}: {shown(anchor)} is no folder, so nothing can be written below it; {cure}")
    try:
        with tempfile.TemporaryFile(dir=anchor):
            pass
    except OSError as error:
        raise UserError(f"{option}: cannot write in {shown(anchor)} ({error.strerror}); {cure}") from None


def nearest_folder(path: Path) -> Path:
    """The first thing above `path` that exists: a folder, unless a file stands in the way."""
    for parent in path.absolute().parents:
        if parent.exists() or parent.is_symlink():
            return parent
    return Path(path.anchor)


class Closing(ABC):
    """Is closed as its block is left."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Log(Closing):
    """A file of JSON lines that only grows, each `{"schema": 1, ...}`; locked for one writer until closed.

    Opening makes the file, and cuts off the start of a line that a kill or a full disk left at its end.

    Raises UserError if it cannot be written or another process writes to it, and for a file that is not ours.
    """

    _START = f'{{"schema": {SCHEMA}, '.encode()

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if path.exists() and not path.is_file():
                raise UserError(f"{shown(path)} is no regular file: choose another folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o666)
        except OSError as error:
            place = shown(error.filename or path)
            raise UserError(f"cannot write {place} ({error.strerror}): choose another folder") from None
        try:
            self._lock()
            self._cut_torn_line()
        except BaseException:
            os.close(self._file)
            raise

    def append(self, entry: Mapping[str, Any]) -> None:
        """One more line, on the disk when this returns.

        Raises UserError if that fails; the file is then as it was before.
        """
        text = json.dumps({"schema": SCHEMA, **entry}, ensure_ascii=False, allow_nan=False)
        size = os.fstat(self._file).st_size
        try:
            line = text.encode() + b"\n"
            while line:  # a full disk takes a part of a line first, and says so at the next call
                line = line[os.write(self._file, line) :]
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, size)
            raise unwritable(self.path, error) from None

    def close(self) -> None:
        os.close(self._file)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another process is writing to {shown(self.path)}: "
                "wait until it ends, or choose another folder"
            ) from None
        except OSError as error:
            raise UserError(
                f"{shown(self.path)} cannot be locked ({error.strerror}): "
                "choose a folder on another file system"
            ) from None

    def _cut_torn_line(self) -> None:
        if not os.fstat(self._file).st_size:
            return
        with mmap.mmap(self._file, 0, access=mmap.ACCESS_READ) as content:
            end = content.rfind(b"\n") + 1
            start = content[end : end + len(self._START)]
        if not (self._START.startswith(start) or start.startswith(self._START) or not start.strip(b"\0")):
            raise UserError(
                f"the last line of {shown(self.path)} is none of ours: "
                "move the file away, or choose another folder"
            )
        os.ftruncate(self._file, end)


def read_log(path: Path, what: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each whole line of a log with its place (`line 3 of records.jsonl`).

    Raises UserError for a line that is no JSON object of this version.
    """
    file = regular_file(path, what)
    try:
        with file.open("rb") as lines:
            number = 0
            while line := lines.readline(LINE_BYTES + 1):
                number += 1
                place = f"line {number} of {shown(path)}"
                if not line.endswith(b"\n"):
                    if len(line) > LINE_BYTES:
                        raise UserError(f"{place} is longer than {LINE_BYTES:,} bytes: this is no such file")
                    return
                yield place, check_version(parse_json(line, place), place)
    except OSError as error:
        raise UserError(f"cannot read {what} {shown(path)}: {error.strerror or error}") from None


def check_version(found: Any, place: str) -> dict[str, Any]:
    """The mapping, if it says that it is of this version. Raises UserError that names another version."""
    if not isinstance(found, dict):
        raise UserError(f"{place} is no JSON object: this file is none of ours")
    version = found.get("schema")
    if isinstance(version, bool) or version != SCHEMA:
        old = "it has no schema: an older version wrote it, or another program"
        other = f"its schema is {str(version)[:20]!r}, and this version reads {SCHEMA}"
        raise UserError(f"{place}: {old if 'schema' not in found else other}; begin anew in another folder")
    return found
