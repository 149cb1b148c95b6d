"""Output files that appear whole or not at all."""

import os
import shutil
import signal
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from llasa_core.errors import UserError


class Outputs:
    """Stages files next to their destinations; `publish` renames all of them, leaving the block removes the rest.

    A destination is checked when it is registered, before any work: UserError if it cannot be written.
    """

    def __init__(self) -> None:
        self._staged: list[tuple[Path, Path]] = []
        self._scratch: dict[Path, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for folder in self._scratch.values():
            shutil.rmtree(folder, ignore_errors=True)

    def stage(self, destination: Path) -> Path:
        """A path to write to now, on the same file system, that `publish` moves to `destination`."""
        anchor = nearest_folder(destination)
        if anchor not in self._scratch:
            self._scratch[anchor] = Path(tempfile.mkdtemp(prefix=".llasa-search-", dir=anchor))
        staged = self._scratch[anchor] / f"{len(self._staged)}{destination.suffix}"
        self._staged.append((staged, destination))
        return staged

    def publish(self) -> None:
        """Moves every staged file to its place, making folders as needed; an interrupt waits for all of them."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for staged, destination in self._staged:
                destination.parent.mkdir(parents=True, exist_ok=True)
                os.replace(staged, destination)
            self._staged.clear()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def check_file(path: Path, option: str) -> None:
    """Raises UserError unless a file can be written at `path`."""
    if path.is_dir():
        raise UserError(f"{option} {path} is a folder: give the name of a file in it")
    check_folder(path.parent, option)


def check_folder(path: Path, option: str) -> None:
    """Raises UserError unless files can be written in `path`, which may have to be made first."""
    anchor = nearest_folder(path / "file")
    cure = "choose a folder that you may write to"
    if not anchor.is_dir():
        raise UserError(f"{option}: {anchor} is no folder, so nothing can be written below it; {cure}")
    try:
        with tempfile.TemporaryFile(dir=anchor):
            pass
    except OSError as error:
        raise UserError(f"{option}: cannot write in {anchor} ({error.strerror}); {cure}") from None


def nearest_folder(path: Path) -> Path:
    """The first thing above `path` that exists: a folder, unless a file stands in the way."""
    for parent in path.absolute().parents:
        if parent.exists() or parent.is_symlink():
            return parent
    return Path(path.anchor)
