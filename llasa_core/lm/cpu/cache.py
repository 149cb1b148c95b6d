"""Compiled functions on disk: damaged files are replaced, and folders that others can write to are not used.

numba stores compiled functions as pickles in ``NUMBA_CACHE_DIR``, in ``__pycache__`` beside the source, or in
the user's cache folder. It fails on a file that was cut off, and it runs whatever code a pickle contains.

The process that compiles a function for several threads runs other code than those that load it: of the part
that runs on the threads there are two versions, optimised once and twice, and it finds the first. Where sums
may be reordered, as in attention, the two differ in the last bit. So such a function is compiled in a process
of its own, and loaded.
"""

from __future__ import annotations

import functools
import grp
import hashlib
import importlib
import logging
import os
import pickle
import pwd
import stat
import subprocess
import sys
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
    """The files of one function. If they cannot be read or written, the function is compiled again.

    elsewhere: in another process, if this one can start one that finds the function; if not, in this one,
    whose results may then differ in the last bit from those of later ones.
    """

    _impl_class = _Checksummed
    elsewhere = False

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        found = self._load(signature, target_context)
        if (
            found is None
            and self.elsewhere
            and not _compiling
            and _compile_elsewhere(self._py_func, signature)
        ):
            found = self._load(signature, target_context)
        return found

    def _load(self, signature: Any, target_context: Any) -> Any:
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


_compiling = False
"""Whether this process was started to compile a function."""


def _compile_elsewhere(function: Callable[..., Any], signature: Any) -> bool:
    """Compile a function of a module for the types of its arguments in a process that ends then, and say
    whether that worked."""
    module, name = function.__module__, function.__name__
    if module == "__main__" or module not in sys.modules or not sys.executable:
        return False
    done = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import compile_here; compile_here()"],
        input=pickle.dumps((module, name, signature)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


def compile_here() -> None:
    """What the other process does: compile and store what its standard input names."""
    global _compiling
    _compiling = True
    module, name, signature = pickle.load(sys.stdin.buffer)
    getattr(importlib.import_module(module), name).compile(signature)


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
