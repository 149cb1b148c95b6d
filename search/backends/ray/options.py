"""How a search is spread over a Ray cluster: how many actors, what each gets, when one is given up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from llasa_core.errors import UserError

CORES = 4
"""Of an actor on a machine without a GPU by default, and at most of one with a GPU."""
MOST_ACTORS = 10_000
"""Actors that can be asked for: each is a process that holds the models."""


@dataclass(frozen=True, slots=True)
class RayOptions:
    """actors: processes that hold the models; 0: one for each GPU's share, or for every four cores.
    address: of a running cluster ("auto", "host:6379"); None: one is started on this machine.
    gpus: GPUs of an actor, also a fraction; 0 on a machine without.
    threads: CPU threads of an actor; 0: an equal share of the cores, with a GPU at most four.
    verifier_actors: further processes that run the codec and the verifiers, so that the actors run the
    generator alone; 0: each actor runs everything.
    timeout: seconds after which an actor that has not answered counts as hung and is killed.
    start: seconds in which the first actor has to be ready, or one again after all have died.
    attempts: actors that may die at a piece of work before it is given up. After the first death it is given
    to an actor that does nothing else.
    restarts: times in a row, without an answer in between, that an actor may die before it is given up.
    split: fewest candidates of one utterance that are worth an actor of their own.
    units: pieces of work that an actor has at a time at most.
    imports: modules that this process and each actor import first, such as one that adds verifiers.

    Raises UserError for invalid numbers.
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
        for name in ("actors", "verifier_actors", "threads"):
            if getattr(self, name) > MOST_ACTORS:
                raise UserError(f"ray: {name}={getattr(self, name)}: give at most {MOST_ACTORS}")
        for name in ("gpus", "timeout", "start"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise UserError(f"ray: {name}={getattr(self, name):g}: give more than 0")
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise UserError(f"ray: gpus={self.gpus:g}: give a share of one, or a whole number")


@dataclass(frozen=True, slots=True)
class Resources:
    """How many actors of each kind there are, the threads of each, and what each asks Ray for."""

    actors: int
    verifier_actors: int
    threads: int
    cpus: float
    gpus: float

    @classmethod
    def for_cluster(cls, options: RayOptions, device: str, cluster: Mapping[str, float]) -> Resources:
        """`cluster`: as `ray.cluster_resources()`. Raises UserError if it has not what the device needs."""
        cores = max(1, int(cluster.get("CPU", 1)))
        on_gpu = device.startswith("cuda")
        found = cluster.get("GPU", 0.0)
        if on_gpu and found < options.gpus:
            raise UserError(
                f"the Ray cluster has {found:g} GPUs and an actor needs {options.gpus:g}: "
                "start nodes with GPUs, give a smaller share, or --device cpu"
            )
        most = int(found / options.gpus + 1e-6) if on_gpu else max(1, cores // CORES)
        actors = options.actors or max(1, most - options.verifier_actors)
        total = actors + options.verifier_actors
        threads = options.threads or max(1, cores // total)
        if on_gpu:
            # The cores may be on nodes without GPUs: an actor that asked for its share of them would wait for
            # ever.
            threads, each = options.threads or min(threads, CORES), 1
        else:
            each = threads
        # with more threads than cores the cores are shared, and Ray is asked for none
        cpus = float(each) if each * total <= cores else 0.0
        return cls(actors, options.verifier_actors, threads, cpus, options.gpus if on_gpu else 0.0)

    @property
    def of_an_actor(self) -> str:
        gpus = f" and {self.gpus:g} GPUs" if self.gpus else ""
        return f"{self.cpus:g} CPUs{gpus}"
