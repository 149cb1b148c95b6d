"""`python -I watchdog.py FOLDER DRIVER`: ends a local Ray cluster when its driver has ended.

Ray's own processes die with the driver, but the agents below them can stay for good. Standard input is a
pipe of which only the driver holds the other end, so that it closes however the driver ends. FOLDER is the
cluster's temporary folder: each process of the cluster has a log file open in it, and none other but the
driver, whose process id is DRIVER. The folder is removed.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress

GRACE = 2.0
"""Seconds in which the processes of the cluster may end by themselves."""


def members(folder: str) -> list[int]:
    """Ids of the processes that have a file open below the folder."""
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            targets = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
        except OSError:
            continue  # it has ended, or belongs to somebody else
        if any(target.startswith(f"{folder}/") for target in targets):
            found.append(int(pid))
    return found


def kill_members(folder: str, spared: set[int]) -> None:
    """Until only those that are spared are left."""
    for _ in range(10):
        found = set(members(folder)) - spared
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return
        time.sleep(0.2)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they are meant for the driver, which ends this process
    sys.stdin.read()
    time.sleep(GRACE)
    folder = os.path.realpath(sys.argv[1])
    kill_members(folder, {int(sys.argv[2])})
    shutil.rmtree(folder, ignore_errors=True)
