"""Model libraries without side effects: the caller's random state, threads, log handlers and stdout stay."""

import contextlib
import io
import logging
import random
import threading
from collections.abc import Iterator

import numpy as np

_ONE_AT_A_TIME = threading.RLock()
"""What is put back belongs to the whole process, so two blocks must not overlap."""


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """Puts back what the block changes of: random states (Python, numpy, torch), torch's number of threads,
    the root logger's handlers and level. What it prints to stdout is dropped.

    One block at a time in a process: other threads wait, the same thread may nest.
    """
    with _ONE_AT_A_TIME, _put_back(), contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def _put_back() -> Iterator[None]:
    import torch

    python, legacy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    started = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    cuda = torch.cuda.get_rng_state_all() if started else []
    threads = torch.get_num_threads()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        root.handlers[:] = handlers
        root.setLevel(level)
