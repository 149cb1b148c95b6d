"""How functions over arrays are compiled for a CPU, and on which threads they run."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float32]
Numbers = NDArray[np.int64]
Function = Callable[..., Any]
FREEDOM = {"reassoc", "contract", "arcp", "nsz"}
"""How the compiler may reorder sums, so that it can vectorise them. Not-a-number stays what it is."""


def _openmp() -> bool:
    """Whether numba can run on the threads of OpenMP, which it shares with torch; any others would fight with those.

    Where it cannot (no libgomp on the machine), one thread is as fast as torch with two.
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
    """What this thread runs next is shared among as many threads as torch uses."""
    if not OPENMP:
        return
    threads = torch.get_num_threads()
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    if torch.get_num_threads() != threads:
        # when numba sets up its threads, it tells OpenMP, and so torch, to use every core
        torch.set_num_threads(threads)


def compiled(**options: Any) -> Callable[[Function], Function]:
    """Compiles a function when it is first called, and keeps that for the next process if it can be written anywhere."""

    def decorated(function: Function) -> Function:
        if not OPENMP:
            # the name of what is kept: numba would take what is for threads for what is not, and the reverse
            function.__qualname__ += "_alone"
        try:
            return numba.njit(fastmath=FREEDOM, nogil=True, cache=True, **options)(function)  # type: ignore[no-any-return]
        except RuntimeError:
            return numba.njit(fastmath=FREEDOM, nogil=True, **options)(function)  # type: ignore[no-any-return]

    return decorated
