"""Compiled functions on disk: damaged files are replaced, and folders that others can write to are not used.

numba stores compiled functions as pickles in ``NUMBA_CACHE_DIR``, in ``__pycache__`` beside the source, or in
the user's cache folder. It fails on a file that was cut off, and it runs whatever code a pickle contains.
"""

from __future__ import annotations

import functools
import grp
import hashlib
import logging
import os
import pickle
import pwd
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.serialize import dumps

LOG = logging.getLogger(__name__)


class _Checksummed(CompileResultCacheImpl):  # type: ignore[misc]
    """Stores compiled functions with a checksum, since damaged machine code would crash the process."""

    def reduce(self, result: Any) -> tuple[bytes, bytes]:
        data = dumps(super().reduce(result))
        return hashlib.sha256(data).digest(), data

    def rebuild(self, target_context: Any, payload: tuple[bytes, bytes]) -> Any:
        digest, data = payload
        if hashlib.sha256(data).digest() != digest:
            raise ValueError("the checksum does not match")
        return super().rebuild(target_context, pickle.loads(data))


class FunctionFiles(FunctionCache):  # type: ignore[misc]
    """The files of one function. If they cannot be read or written, the function is compiled again."""

    _impl_class = _Checksummed

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(signature, target_context)
        except Exception:  # noqa: BLE001 (unpickling damaged bytes raises any kind of error)
            self._discard()
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        try:
            super().save_overload(signature, result)
        except Exception:  # noqa: BLE001 (no space left, or the index is damaged)
            self._discard()

    def _discard(self) -> None:
        """Write an empty index over the damaged one."""
        with suppress(OSError):
            self.flush()


def find_files(function: Callable[..., Any]) -> FunctionFiles | None:
    """Where numba stores a function. None if no folder can be written or others can write to the folder."""
    try:
        files = FunctionFiles(function)
    except RuntimeError:
        return None
    return None if _refused(Path(files.cache_path)) else files


@functools.cache
def _refused(folder: Path) -> bool:
    """Whether another user may have written to the folder; if so, says so once."""
    shared = any(map(others_can_write, [folder, *folder.glob("*.nb[ic]")]))
    if shared:
        LOG.warning(
            "Compiled functions in %s are not used, since other users can write to it: each process compiles "
            "them for some ten seconds; set NUMBA_CACHE_DIR to a folder of your own.",
            folder,
        )
    return shared


def others_can_write(path: Path) -> bool:
    """Whether a user besides this one and root can write to a file or folder, or owns it."""
    found = path.stat()
    by_group = bool(found.st_mode & stat.S_IWGRP) and not _is_private(found.st_gid)
    return found.st_uid not in (0, os.getuid()) or bool(found.st_mode & stat.S_IWOTH) or by_group


def _is_private(group: int) -> bool:
    """Whether the group is the one that many systems make for this user alone."""
    try:
        entry, user = grp.getgrgid(group), pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return entry.gr_name == user.pw_name and set(entry.gr_mem) <= {user.pw_name}
