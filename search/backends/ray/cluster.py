"""The connection of this process to a Ray cluster: one that is running, or one that is started for it on
this machine.

A local cluster listens on loopback only, asks for a token that this process makes up and no file holds, and
ends with this process, however that ends.
"""

from __future__ import annotations

import importlib
import logging
import os
import resource
import secrets
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from llasa_core.errors import UserError
from search.backends.ray import watchdog

ANSWERS_WITHIN = 10.0
"""Seconds in which a cluster's address has to take a connection."""
NICENESS = "RAY_worker_niceness"
"""Variable with the niceness of actors on nodes that start now. Ray's 15 starves them beside anything else
that works, although they do the work that this process would do otherwise."""
OBJECT_STORE = 512 * 2**20
"""Bytes of a local cluster's store. Requests and the audio of answers pass through it and stay for moments.
"""
ADDRESS_SPACE = 8 * 2**30
"""Bytes that `ulimit -v` has to leave for Ray's processes, which reserve some 6 GiB each and use far less."""
LONGEST_LINE = 1000
"""Characters that are shown of a line that an actor prints."""


class Cluster:
    """A connection. It is the process's only one: Ray has no more."""

    def __init__(self, address: str | None, cpus: int | None = None) -> None:
        """None: the cluster that the process is connected to, or else a new one on this machine, which takes
        itself to have so many `cpus` (by default, as many as there are).

        Raises UserError if Ray is not installed or cannot start, or if there is no cluster at the address.
        """
        self.ray = import_ray()
        self._owned = not self.ray.is_initialized()
        self._raylet: int | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        try:
            if self._owned:
                _print_logs_by(print_log)
                with _own_signals():
                    if address is None:
                        self._start_local(cpus)
                    else:
                        self._join(address)
            self._raylet = _process_behind(self._raylet_socket())
        except BaseException:
            self.close()
            raise

    def _settings(self) -> dict[str, Any]:
        from ray.job_config import JobConfig

        job = JobConfig()
        # Ray would put the working directory in front of the path of the actors
        job._py_driver_sys_path = _Fixed(reversed([os.path.abspath(folder) for folder in sys.path]))
        return {"job_config": job, "log_to_driver": True, "logging_level": logging.ERROR}

    def _start_local(self, cpus: int | None) -> None:
        check_address_space()
        os.environ.setdefault(NICENESS, "0")
        if not os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}:
            os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        constants: Any = importlib.import_module("ray._private.ray_constants")
        before, constants.ENABLE_RAY_CLUSTER = constants.ENABLE_RAY_CLUSTER, False  # as on macOS: loopback
        try:
            folder = tempfile.mkdtemp(prefix="ray-", dir=os.environ.get("RAY_TMPDIR"))
            self._watchdog = _start_watchdog(folder)
            self.ray.init(
                "local",
                num_cpus=cpus,
                include_dashboard=False,
                object_store_memory=OBJECT_STORE,
                _temp_dir=folder,
                **self._settings(),
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise UserError(
                f"Ray cannot start on this machine ({_first_line(error)}): it needs free memory and disk, "
                "and a temporary folder that is writable and has a short path (RAY_TMPDIR names another one)"
            ) from None
        finally:
            constants.ENABLE_RAY_CLUSTER = before

    def _join(self, address: str) -> None:
        check_reachable(address)
        try:
            self.ray.init(address, **self._settings())
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(
                f"no Ray cluster at {address} ({_first_line(error)}): start one with `ray start --head`, or "
                "give its address; one that was started with a token is found with RAY_AUTH_MODE=token set, "
                "and its token in ~/.ray/auth_token"
            ) from None

    def _raylet_socket(self) -> str:
        """Of the node that this process is connected to."""
        own = self.ray.get_runtime_context().get_node_id()
        return next((str(node["RayletSocketName"]) for node in self.ray.nodes() if node["NodeID"] == own), "")

    def check(self) -> None:
        """Raises UserError if Ray's node on this machine is dead: the next call of Ray would end this
        process."""
        if self._raylet is not None and select.select([self._raylet], [], [], 0)[0]:
            raise UserError(
                "Ray's node on this machine has died (its process raylet was killed, or memory or disk is "
                "full): start again"
            )

    def close(self) -> None:
        """Disconnects, and ends a cluster that was started for this process."""
        if self._raylet is not None:
            os.close(self._raylet)
            self._raylet = None
        if self._owned:
            self._owned = False
            with _own_signals():
                self.ray.shutdown()
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
            self._watchdog = None  # it goes on for a moment


class _Fixed(list[str]):
    """A list that nothing is added to."""

    def extend(self, values: Any) -> None:
        pass


def import_ray() -> Any:
    """The library. Raises UserError if it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        with _own_signals():
            return importlib.import_module("ray")
    except ImportError:
        raise UserError("Ray is not installed: pip install 'llasa-search[ray]'") from None


def check_reachable(address: str) -> None:
    """Raises UserError if nothing answers at host:port, for which Ray would try for minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWERS_WITHIN):
            pass
    except (OSError, OverflowError) as error:
        raise UserError(
            f"nothing answers at {address} ({getattr(error, 'strerror', None) or error}): start a cluster "
            "with `ray start --head` and give the address that it prints"
        ) from None


def check_address_space() -> None:
    """Raises UserError if a limit keeps Ray's processes from starting: they would wait for each other for
    ever."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < ADDRESS_SPACE:
        raise UserError(
            f"ulimit -v leaves {limit / 2**30:.1f} GiB of address space, and Ray needs "
            f"{ADDRESS_SPACE / 2**30:.0f}: raise the limit, or leave out --ray"
        )


@contextmanager
def _own_signals() -> Iterator[None]:
    """The first SIGINT or SIGTERM within the block comes at its end, and both stay with their handlers.

    Ray takes SIGTERM over, also in C++, to print stacks and to exit with 15; and an exception in the middle of
    its start can crash it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    held: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        handler = handlers[signal.Signals(number)]
        held.append(number)
        if len(held) > 1 and callable(handler):
            handler(number, frame)

    utils: Any = sys.modules.get("ray._private.utils")
    take_over = utils and utils.set_sigterm_handler
    if utils:
        utils.set_sigterm_handler = lambda handler: None
    for number in handlers:
        signal.signal(number, hold)
    try:
        yield
    finally:
        if utils:
            utils.set_sigterm_handler = take_over
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if len(held) == 1:
            signal.raise_signal(held[0])


def _print_logs_by(printer: Callable[..., None]) -> None:
    worker: Any = importlib.import_module("ray._private.worker")
    worker.print_worker_logs = printer


def print_log(data: Mapping[str, Any], *_: Any, **__: Any) -> None:
    """Prints what an actor printed to stderr, without control characters.

    Of what Ray says of a node only the first sentence, since its state follows; nothing of its other parts.
    """
    lines = [str(line) for line in data.get("lines", ())]
    name = f"{data.get('actor_name') or 'actor'}, process {data.get('pid')}"
    if not isinstance(data.get("pid"), int):
        if data.get("pid") != "raylet" or (lines[:1] and lines[0].startswith("Raylet is terminated")):
            return  # `Cluster.check` says it
        name, lines = "Ray", [line.split(". ")[0] for text in lines for line in text.splitlines()[:1]]
    for line in lines:
        shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        print(f"({name}) {shown[:LONGEST_LINE]}", file=sys.stderr)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")


def _start_watchdog(folder: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", str(Path(watchdog.__file__)), folder, str(os.getpid())]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _process_behind(path: str) -> int | None:
    """A file descriptor that is readable when the process that listens at the socket has ended, if it can
    be had."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return os.pidfd_open(struct.unpack("3i", credentials)[0])
    except OSError:
        return None
