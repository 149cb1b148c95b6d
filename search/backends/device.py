"""A device as a backend uses it: a stream for each thread, and the error of one that is lost."""

from __future__ import annotations

import torch

from llasa_core.errors import UserError, first_line


class DeviceLost(UserError):
    """The device of this process cannot be used any more."""

    def __init__(self, device: str, error: BaseException) -> None:
        super().__init__(
            f"the device {device} has failed ({first_line(error)}), and this process cannot use it any more: "
            "start again; a run goes on with --resume"
        )


def use_own_stream(device: torch.device) -> None:
    """What this thread gives a GPU runs beside the work of other threads, not in line with it."""
    if device.type == "cuda":
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        # weights may still be on their way
        stream.wait_stream(torch.cuda.default_stream(device))
        torch.cuda.set_stream(stream)
