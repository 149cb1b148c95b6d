"""The error of a device that is lost for this process."""

from __future__ import annotations

from llasa_core.errors import UserError, first_line


class DeviceLost(UserError):
    """The device of this process cannot be used any more."""

    def __init__(self, device: str, error: BaseException) -> None:
        super().__init__(
            f"the device {device} has failed ({first_line(error)}), and this process cannot use it any more: "
            "start again; a run goes on with --resume"
        )
