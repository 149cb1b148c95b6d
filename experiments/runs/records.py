"""The folder of a run: records that are only ever appended, files that are there whole or not at all, one writer."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from llasa_core.errors import UserError

NAME = "records.jsonl"
AUDIO = "audio"
PART = ".part"
"""Files that are being written are `.NAME.*.part` until they are whole."""


class Records:
    """records.jsonl, locked for this process until the block is left or the process ends, however it ends.

    Opening makes the folder, cuts off a last line that a kill or a full disk tore, and reads what became of each id:
    `status` ("done" or "failed") by id, of the last record that it has. `wall` is the seconds that earlier processes
    worked, `sessions` how many there were.

    Raises UserError if another process holds the folder, if it cannot be written, and for a file that is no such list.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / NAME
        self.status: dict[str, str] = {}
        self._elapsed: dict[int, float] = {}
        try:
            (folder / AUDIO).mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise UserError(
                f"cannot write {error.filename} ({error.strerror}): choose another folder with -o"
            ) from None
        try:
            self._lock()
            self._size = self._read()
            os.ftruncate(self._file, self._size)
            for leftover in (*folder.glob(f".*{PART}"), *(folder / AUDIO).glob(f".*{PART}")):
                leftover.unlink()
        except BaseException:
            os.close(self._file)
            raise

    @property
    def wall(self) -> float:
        return sum(self._elapsed.values())

    @property
    def sessions(self) -> int:
        return max(self._elapsed, default=0)

    def append(self, record: Mapping[str, Any]) -> None:
        """One more record, on the disk when this returns. Raises UserError if it could not be written; it then left
        no trace."""
        line = json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        try:
            if os.write(self._file, line) < len(line):
                # a full disk takes a part of a line first and says so at the next
                os.write(self._file, b"\n")
                raise OSError("it was cut short")
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, self._size)
            raise unwritable(self.path, error) from None
        self._size += len(line)
        self._note(record)

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another process is writing to {self.folder}: wait until it ends, or choose another folder with -o"
            ) from None
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be locked ({error.strerror}): choose a folder on another file system"
            ) from None

    def _read(self) -> int:
        """Takes in every record; the size of what is whole, in bytes."""
        size = 0
        for record, end in _lines(self.path):
            self._note(record)
            size = end
        return size

    def _note(self, record: Mapping[str, Any]) -> None:
        self.status[record["id"]] = record["status"]
        session = record["session"]
        self._elapsed[session] = max(self._elapsed.get(session, 0.0), record["elapsed"])


def read_records(folder: Path) -> Iterator[dict[str, Any]]:
    """Every record, in the order in which they were written; of an id that has several the last one counts.

    Raises UserError if there are none to read, and for a line in their midst that is no record.
    """
    path = folder / NAME
    if not path.is_file():
        raise UserError(f"{folder} holds no {NAME}: give the folder of a run")
    for record, _ in _lines(path):
        yield record


def write_whole(path: Path, content: bytes) -> None:
    """A file that is there whole, on the disk when this returns, or as it was before. Raises UserError."""
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PART, dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o666 & ~_umask())
            file.write(content)
            file.flush()
            os.fsync(handle)
        os.replace(temporary, path)
        temporary = None
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        if temporary is not None:
            os.unlink(temporary)


def _lines(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Each record and where it ends, in bytes. A last line that is not whole is left out."""
    end, broken = 0, 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if broken:
                raise UserError(
                    f"line {broken} of {path} is no record: repair the file, or choose another -o"
                )
            record = _parse(line)
            if record is None:
                broken = number
                continue
            end += len(line)
            yield record, end


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    whole = isinstance(record, dict) and {"id", "status", "session", "elapsed"} <= record.keys()
    return record if whole else None


def unwritable(path: Path, error: OSError) -> UserError:
    """What the user is told when a disk is full, or worse."""
    return UserError(
        f"cannot write {path} ({error.strerror or error}): what is finished is kept; make room, then go on with --resume"
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
