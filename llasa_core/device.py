"""Errors by which a device is known to be lost for this process."""

from __future__ import annotations

import torch

DEVICE_ERRORS = (
    "CUDA error",
    "CUDA driver error",
    "cuBLAS",
    "CUBLAS_STATUS",
    "cuDNN error",
    "CUDNN_STATUS",
    "cuFFT error",
)
"""Texts by which errors of a device are known."""


def device_failed(error: BaseException, device: str) -> bool:
    """Whether the process's device cannot be used any more: CUDA does not recover from a failed kernel.

    Running out of memory is not such a failure, nor is an error of the task itself: these are the result of
    the task.
    """
    accelerator = getattr(torch, "AcceleratorError", ())
    if isinstance(error, accelerator):
        return True
    if device == "cpu" or not isinstance(error, RuntimeError) or isinstance(error, torch.OutOfMemoryError):
        return False
    # errors of torch before it had AcceleratorError, and of the libraries below it
    return any(name in str(error) for name in DEVICE_ERRORS)
