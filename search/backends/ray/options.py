"""How a search is spread over a Ray cluster: how many actors, what each gets, when one is given up."""

from __future__ import annotations

import importlib
import logging
import math
import os
import signal
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llasa_core.errors import UserError

CORES = 4
"""Of an actor on a machine without a GPU, unless told otherwise."""
ANSWERS_WITHIN = 10.0
"""Seconds in which a cluster's address has to take a connection."""
NICENESS = "RAY_worker_niceness"
"""Variable with the niceness of actors on nodes that start now. Ray's 15 starves them beside anything else that works,
and they do what this process would do without them."""
OBJECT_STORE = 512 * 2**20
"""Bytes of a local cluster's store: requests and the audio of answers pass through it and stay for moments."""


@dataclass(frozen=True, slots=True)
class RayOptions:
    """actors: processes that hold the models; 0: one for each GPU's share, or for every four cores.
    address: of a running cluster ("auto", "host:6379"); None: one is started on this machine.
    gpus: GPUs of an actor, also a fraction; 0 on a machine without.
    threads: CPU threads of an actor; 0: an equal share of the cores.
    verifier_actors: so many processes more run codec and verifiers, and the actors the generator alone; 0: all do all.
    timeout: seconds after which an actor that has not answered counts as hung and is killed.
    start: seconds in which the first actor has to be ready, or one again after all have died.
    attempts: times that a piece of work may take its actor with it before it is given up; from the second on it is
    done by an actor that does nothing else.
    restarts: times in a row, without an answer in between, that an actor may die before it is not started again.
    split: fewest candidates of one utterance that are worth an actor of their own.
    units: pieces of work that an actor has at a time at most.
    imports: modules that each actor imports first, such as one that adds verifiers.

    Raises UserError for numbers that cannot be.
    """

    actors: int = 0
    address: str | None = None
    gpus: float = 1.0
    threads: int = 0
    verifier_actors: int = 0
    timeout: float = 600.0
    start: float = 600.0
    attempts: int = 4
    restarts: int = 5
    split: int = 4
    units: int = 16
    imports: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        least = {"actors": 0, "threads": 0, "verifier_actors": 0, "restarts": 0}
        least |= {"attempts": 1, "split": 1, "units": 1}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise UserError(f"ray: {name}={getattr(self, name)}: give at least {lowest}")
        for name in ("gpus", "timeout", "start"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise UserError(f"ray: {name}={getattr(self, name):g}: give more than 0")
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise UserError(f"ray: gpus={self.gpus:g}: give a share of one, or a whole number")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many actors of each kind there are, the threads of each, and what each asks Ray for."""

    actors: int
    verifier_actors: int
    threads: int
    cpus: float
    gpus: float

    @classmethod
    def of(cls, options: RayOptions, device: str, resources: Mapping[str, float]) -> Sizes:
        """For a cluster with these resources. Raises UserError if it has not what the device needs."""
        cores = max(1, int(resources.get("CPU", 1)))
        on_gpu = device.startswith("cuda")
        found = resources.get("GPU", 0.0)
        if on_gpu and found < options.gpus:
            raise UserError(
                f"the Ray cluster has {found:g} GPUs and an actor needs {options.gpus:g}: "
                "start nodes with GPUs, give a smaller share, or --device cpu"
            )
        most = int(found / options.gpus + 1e-6) if on_gpu else max(1, cores // CORES)
        actors = options.actors or max(1, most - options.verifier_actors)
        total = actors + options.verifier_actors
        threads = options.threads or max(1, cores // total)
        # with more threads than cores they are shared, and Ray is asked for none
        cpus = float(threads) if threads * total <= cores else 0.0
        return cls(actors, options.verifier_actors, threads, cpus, options.gpus if on_gpu else 0.0)


def import_ray() -> Any:
    """The library. Raises UserError if it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray = importlib.import_module("ray")
    except ImportError:
        raise UserError("Ray is not installed: pip install 'llasa-search[ray]'") from None
    if callable(handler) and threading.current_thread() is threading.main_thread():
        # importing Ray takes SIGTERM over, also from a run that ends cleanly by it
        signal.signal(signal.SIGTERM, handler)
    return ray


def check_reachable(address: str) -> None:
    """Raises UserError if nothing answers at host:port, for which Ray would try for minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWERS_WITHIN):
            pass
    except OSError as error:
        raise UserError(
            f"nothing answers at {address} ({error.strerror or error}): start a cluster with `ray start --head` "
            "and give the address that it prints"
        ) from None


def connect(address: str | None) -> bool:
    """Connects this process to a cluster, or starts one on this machine; True if it was not connected before.

    What actors print comes to this process's stderr. Raises UserError if there is no cluster at the address.
    """
    ray = import_ray()
    if ray.is_initialized():
        return False
    settings: dict[str, Any] = {"log_to_driver": True, "logging_level": logging.ERROR}
    if address is None:
        os.environ.setdefault(NICENESS, "0")
        ray.init("local", include_dashboard=False, object_store_memory=OBJECT_STORE, **settings)
        return True
    check_reachable(address)
    try:
        ray.init(address, **settings)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"no Ray cluster at {address} ({reason}): start one with `ray start --head`, or give its address; one that "
            "was started with a token is found with RAY_AUTH_MODE=token set, and its token in ~/.ray/auth_token"
        ) from None
    return True
