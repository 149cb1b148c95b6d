"""What the actors of a run did, now and then, beside its records."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from experiments.files import Log

NAME = "actors.jsonl"
EVERY = 30.0
"""Seconds between lines."""

Rows = Sequence[Mapping[str, Any]]


class ActorLog:
    """Appends a line with one row for each actor every EVERY seconds and at the end of the block, also after
    Ctrl-C. Without actors there is no file.

    Raises UserError if it cannot be written.
    """

    def __init__(self, folder: Path, session: int, workers: Callable[[], Rows]) -> None:
        """workers: as `RayBackend.workers`."""
        self.path = folder / NAME
        self.session = session
        self.workers = workers
        self._log: Log | None = None
        self._began = self._told = time.monotonic()

    def look(self) -> Rows:
        """The rows as they are now."""
        rows = self.workers()
        if rows and time.monotonic() - self._told >= EVERY:
            self._write(rows)
        return rows

    def _write(self, rows: Rows) -> None:
        self._told = time.monotonic()
        line = {"session": self.session, "elapsed": round(self._told - self._began, 1), "actors": rows}
        if self._log is None:
            self._log = Log(self.path)
        self._log.append(line)

    def __enter__(self) -> Self:
        self._began = self._told = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stopped = kind is None or issubclass(kind, KeyboardInterrupt | GeneratorExit)
        try:
            if stopped and (rows := self.workers()):
                self._write(rows)
        finally:
            if self._log is not None:
                self._log.close()
