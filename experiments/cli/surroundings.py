"""What a command has to know of the process that it runs in before it begins."""

from __future__ import annotations

import os
import resource
import sys

from llasa_core.errors import UserError

LEAST_ADDRESS_SPACE = 2 * 2**30
"""Bytes of addresses that Python, torch and the smallest models take (1.8 GiB on one thread)."""


def prepare_streams() -> None:
    """Makes sure that nothing that is printed ends a command.

    Characters that an encoding lacks are escaped. A standard stream that is closed gets /dev/null: the next
    file that is opened would take its number, and all that is printed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def check_surroundings() -> None:
    """To be called before models are loaded. Raises UserError if the address space is too small for them."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_ADDRESS_SPACE:
        raise UserError(
            f"the address space is limited to {limit / 2**30:.1f} GiB and models need "
            f"{LEAST_ADDRESS_SPACE / 2**30:g}: raise it (`ulimit -v unlimited`)"
        )
