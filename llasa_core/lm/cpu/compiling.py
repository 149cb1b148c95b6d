"""Compilation of functions over arrays for a CPU, and the threads that they run on."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from llasa_core.lm.cpu.cache import find_files

Array = NDArray[np.float32]
Integers = NDArray[np.int64]
Function = Callable[..., Any]
FASTMATH = {"reassoc", "contract", "arcp", "nsz"}
"""How the compiler may reorder sums, so that it can vectorise them. Not-a-number is still propagated."""


def _openmp() -> bool:
    """Whether numba can use the OpenMP threads of torch; threads of its own would compete with them.

    Without libgomp on the machine, one thread is as fast as torch with two.
    """
    try:
        importlib.import_module("numba.np.ufunc.omppool")
    except ImportError:
        return False
    if numba.config.THREADING_LAYER == "default":
        numba.config.THREADING_LAYER = "omp"
    return True


OPENMP = _openmp()


def use_threads_of_torch() -> None:
    """Compiled functions that this thread calls next use as many threads as torch."""
    if not OPENMP:
        return
    threads = torch.get_num_threads()
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    if torch.get_num_threads() != threads:
        # when numba starts its threads, it tells OpenMP, and so torch, to use every core
        torch.set_num_threads(threads)


def compiled(function: Function) -> Function:
    """Decorator: compile when first called, for several threads if possible, and keep the result on disk."""
    return _compiled(function, fastmath=FASTMATH)


def _compiled(function: Function, fastmath: set[str] | bool) -> Function:
    if not OPENMP:
        # a name of its own on disk: code for several threads is not code for one
        function.__qualname__ += "_alone"
    dispatcher: Any = numba.njit(fastmath=fastmath, nogil=True, parallel=OPENMP)(function)
    files = find_files(function)
    if files is not None:
        files.elsewhere = bool(fastmath)
        dispatcher._cache = files
    return dispatcher  # type: ignore[no-any-return]


def compiled_exactly(function: Function) -> Function:
    """As `compiled`, with every operation rounded as it is written."""
    return _compiled(function, fastmath=False)


def inlined(function: Function) -> Function:
    """Decorator: a part of compiled functions in the same file, whose changes recompile them."""
    return numba.njit(fastmath=FASTMATH, nogil=True, inline="always")(function)  # type: ignore[no-any-return]


def inlined_exactly(function: Function) -> Function:
    """As `inlined`, for functions that are compiled exactly."""
    return numba.njit(nogil=True, inline="always")(function)  # type: ignore[no-any-return]
