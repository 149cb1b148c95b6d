"""What an error says of a GPU: that this process has lost it, or that its memory does not suffice."""

from __future__ import annotations

from collections.abc import Iterator

import torch

LIBRARIES = ("CUDA", "cuDNN", "cuFFT")
"""What errors of a GPU are named after, those that Triton passes on too."""
LOST = (
    "illegal memory access",
    "illegal instruction",
    "device-side assert",
    "hardware stack error",
    "invalid program counter",
    "launch timed out",
    "unspecified launch failure",
    "misaligned address",
    "global/shared address space",
    "uncorrectable",
    "busy or unavailable",
    "context is destroyed",
    "unknown error",
    "EXECUTION_FAILED",
    "MAPPING_ERROR",
)
"""Texts of the errors that CUDA repeats at every later call of the process. The others, such as those of the
recording of a CUDA graph, are the result of one call alone."""
FULL = ("out of memory", "ALLOC_FAILED")
"""Texts of a GPU without memory, where torch's own allocator is not the one that says so."""


def device_failed(error: BaseException, device: str) -> bool:
    """Whether the process's device cannot be used any more: CUDA does not recover from a failed kernel.

    Running out of memory is not such a failure, nor is an error of the task itself: these are the result of
    the task.
    """
    return any(_says(one, LOST) for one in _with_causes(error) if device != "cpu" or _of_accelerator(one))


def out_of_memory(error: BaseException) -> bool:
    """Whether a GPU had no memory left: also where the end of what failed raised an error of its own on top,
    and where CUDA or one of its libraries says so in words of its own."""
    return any(isinstance(one, torch.OutOfMemoryError) or _says(one, FULL) for one in _with_causes(error))


def _says(error: BaseException, texts: tuple[str, ...]) -> bool:
    if not isinstance(error, RuntimeError):
        return False
    said = str(error)
    named = _of_accelerator(error) or any(name in said for name in LIBRARIES)
    return named and any(text in said for text in texts)


def _of_accelerator(error: BaseException) -> bool:
    # torch before 2.8 raises a RuntimeError
    return isinstance(error, getattr(torch, "AcceleratorError", ()))


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__context__
