"""The actors of one driver: started, given work, watched, killed when they hang, started again when they die."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from llasa_core.errors import UserError
from search.backends.ray.actor import Actor, Sent, reason_of, roles_of
from search.backends.ray.options import RayOptions, Sizes, connect, import_ray
from search.backends.ray.placement import Board, Seat, Unit
from search.backends.ray.worker import Answer, Kind, Worker
from search.models import ModelSpec

LOG = logging.getLogger(__name__)
TURN = 1.0
"""Seconds after which whoever waits looks at time limits again."""
PATIENCE = 60.0
"""Seconds after which it is said that the first actors are still waited for."""
FETCH = 60.0
"""Seconds in which an answer that is there has to be here."""
SPARE = 4
"""Threads of an actor beside those for units of work: one tells that it is alive, the others forget and drop."""


class ActorsFailed(UserError):
    """Work that took its actor with it each time, or that no actor is left for."""


class Actors:
    """Seats with an actor each.

    An actor that dies is replaced by a new one rather than restarted by Ray (`max_restarts=0`): a handle then stands for
    one process, so that no answer of an earlier one can be taken for a later one's, and it is known what it holds.
    """

    def __init__(self, spec: ModelSpec, options: RayOptions) -> None:
        """Returns when the first actor of each kind is ready. Raises what loading the models raises."""
        self.ray = import_ray()
        self.started_ray = connect(options.address)
        self.options = options
        self.sizes = Sizes.of(options, spec.device, self.ray.cluster_resources())
        # an actor sees its own GPUs only, the first of which is number 0
        self.spec = replace(spec, device="cuda") if spec.device.startswith("cuda") else spec
        first: Kind = "speak" if self.sizes.verifier_actors else "all"
        kinds: list[Kind] = [first] * self.sizes.actors + ["listen"] * self.sizes.verifier_actors
        self.actors = [
            Actor(f"{'verifier' if kind == 'listen' else 'actor'} {number}", kind, Seat(roles_of(kind)))
            for number, kind in enumerate(kinds)
        ]
        self.board = Board([actor.seat for actor in self.actors], options.units, options.attempts)
        self.last_death = ""
        self._sent: dict[Any, Sent] = {}
        self._clock, self._looked = 0.0, time.perf_counter()
        try:
            for number in range(len(self.actors)):
                self._start(number)
            told = False
            while not all(any(a.about for a in self.actors if a.kind == kind) for kind in kinds):
                for _ in self.turn():
                    pass
                self._check_alive()
                if self._clock > PATIENCE and not told:
                    told = True
                    LOG.warning(
                        "still waiting for Ray actors: each asks for %s, and loads the models", self._asked
                    )
        except BaseException:
            self.close()
            raise

    def alive(self, number: int, life: int) -> bool:
        """Whether the process is still there."""
        actor = self.actors[number]
        return actor.seat.ready and actor.life == life

    def send(self) -> list[tuple[Unit, Exception]]:
        """Gives out what can be begun; units that nobody will ever do, and why."""
        now = time.perf_counter()
        for number, unit in self.board.send(self._clock):
            actor = self.actors[number]
            key, request, task, until = unit.work
            reference = actor.handle.work.remote(key, request, task, until - now)
            self._sent[reference] = Sent(number, actor.life, "unit", unit)
        return [(unit, self._nobody()) for unit in self.board.give_up()]

    @property
    def busy(self) -> bool:
        """Whether anything can still happen."""
        return bool(self._sent)

    def turn(self, patience: float = TURN) -> Iterator[tuple[Unit, int, Answer | Exception]]:
        """Waits for something to happen, for so many seconds at most: units that are done, their seats and answers."""
        if self._sent:
            timeout = min(patience, self._until_overdue())
            first, _ = self.ray.wait(list(self._sent), num_returns=1, timeout=timeout)
            if first:
                known = list(self._sent)
                ready, _ = self.ray.wait(known, num_returns=len(known), timeout=0)
                yield from self._told(ready)
        # time limits count only while somebody looks: not while this process was stopped or did other things
        now = time.perf_counter()
        self._clock += min(now - self._looked, 2 * TURN)
        self._looked = now
        yield from self._overdue()

    def _told(self, ready: list[Any]) -> Iterator[tuple[Unit, int, Answer | Exception]]:
        died: dict[int, str] = {}
        for reference in ready:
            sent = self._sent[reference]
            try:
                answer: Answer = self.ray.get(reference, timeout=FETCH)
            except self.ray.exceptions.RayTaskError as error:
                answer = Answer(error=error.cause if isinstance(error.cause, Exception) else error)
            except self.ray.exceptions.RayError as error:
                died.setdefault(sent.number, reason_of(error))
                continue
            del self._sent[reference]
            if sent.unit is not None:
                yield self._answered(sent.number, sent.unit, answer)
            elif (reason := self._loaded(sent.number, answer)) is not None:
                died[sent.number] = reason
        for number, reason in died.items():
            yield from self._died(number, reason)

    def _answered(self, number: int, unit: Unit, answer: Answer) -> tuple[Unit, int, Answer]:
        self.board.done(number, unit)
        actor = self.actors[number]
        actor.deaths = 0
        actor.answers += 1
        actor.spent.add(answer.ledger)
        return unit, number, answer

    def _start(self, number: int) -> None:
        actor, sizes, options = self.actors[number], self.sizes, self.options
        worker = self.ray.remote(Worker).options(
            num_cpus=sizes.cpus,
            num_gpus=sizes.gpus,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=options.units + SPARE,
            scheduling_strategy="SPREAD",
        )
        actor.handle = worker.remote(self.spec, actor.kind, sizes.threads, sizes.gpus, options.imports)
        self._sent[actor.handle.load.remote()] = Sent(number, actor.life, "load")
        self._sent[actor.handle.alive.remote()] = Sent(number, actor.life, "alive")

    def _loaded(self, number: int, answer: Answer) -> str | None:
        """The actor is ready, or why it will not be."""
        actor = self.actors[number]
        if answer.error is not None:
            if all(other.about is None for other in self.actors):
                raise answer.error
            return f"it could not load the models: {answer.error}"
        actor.about = answer.value
        actor.seat.ready = True
        actor.ready_since = time.perf_counter()
        return None

    def _died(self, number: int, reason: str) -> Iterator[tuple[Unit, int, Exception]]:
        """Replaces the actor, unless it has died too often."""
        actor = self.actors[number]
        now = time.perf_counter()
        actor.ready_seconds, actor.down_since = actor.seconds(now), now
        lost = self.board.died(number)
        self._sent = {ref: sent for ref, sent in self._sent.items() if sent.number != number}
        self.ray.kill(actor.handle, no_restart=True)
        self.last_death = f"{actor.name}: {reason}"
        actor.life += 1
        actor.deaths += 1
        if actor.deaths > self.options.restarts:
            actor.seat.gone, actor.handle = True, None
        else:
            actor.restarts += 1
            self._start(number)
        for unit in lost:
            times = f"{unit.deaths} times" if unit.deaths > 1 else "once"
            yield (
                unit,
                number,
                ActorsFailed(
                    f"this work was given up after its actor died {times} while at it, the last time because {reason}; "
                    "what it printed is above"
                ),
            )

    def _overdue(self) -> Iterator[tuple[Unit, int, Exception]]:
        """Kills actors that hang; gives up waiting for actors that do not come."""
        now, limit = time.perf_counter(), self.options.timeout
        for number, actor in enumerate(self.actors):
            if any(self._clock - unit.since > limit for unit in actor.seat.running):
                yield from self._died(
                    number,
                    f"it gave no answer within {limit:g} s and was killed (if it only is slow, allow more)",
                )
        for kind in {actor.kind for actor in self.actors}:
            left = [n for n, a in enumerate(self.actors) if a.kind == kind and not a.seat.gone]
            waited = now - max((self.actors[n].down_since for n in left), default=now)
            if waited > self.options.start and not any(self.actors[n].seat.ready for n in left):
                for number in left:
                    self.actors[number].deaths = self.options.restarts
                    yield from self._died(number, self._not_ready())

    def _not_ready(self) -> str:
        return (
            f"it was not ready within {self.options.start:g} s (it asks for {self._asked}, which may be taken; "
            "or the models take longer to load)"
        )

    @property
    def _asked(self) -> str:
        gpus = f" and {self.sizes.gpus:g} GPUs" if self.sizes.gpus else ""
        return f"{self.sizes.cpus:g} CPUs{gpus}"

    def _until_overdue(self) -> float:
        """Seconds until the next unit's time limit."""
        since = min((unit.since for actor in self.actors for unit in actor.seat.running), default=math.inf)
        return max(0.0, since + self.options.timeout - self._clock)

    def _check_alive(self) -> None:
        if any(
            all(a.seat.gone for a in self.actors if a.kind == kind) for kind in {a.kind for a in self.actors}
        ):
            raise self._nobody()

    def _nobody(self) -> ActorsFailed:
        return ActorsFailed(
            f"no Ray actor is left to work on this (the last to go was {self.last_death}): what they printed is above; "
            "look there for the cause, then start again"
        )

    def forget(self, key: int, numbers: set[tuple[int, int]]) -> None:
        """Tells those actors that a request is done, without waiting."""
        for number, life in numbers:
            if self.alive(number, life):
                self.actors[number].handle.forget.remote(key)

    def drop(self, last: int) -> None:
        """Stops what is under way for requests up to the one that goes by `last`, without waiting."""
        self.board.waiting.clear()
        sent = {sent.unit for sent in self._sent.values()}
        for actor in self.actors:
            # what was interrupted between its arrival and its being told is under way no longer
            actor.seat.running = [unit for unit in actor.seat.running if unit in sent]
            if actor.seat.running and actor.seat.ready:
                actor.handle.drop.remote(last)

    def close(self) -> None:
        """Ends all actors, and the local cluster if it was started for them."""
        self._sent.clear()
        for actor in self.actors:
            if actor.handle is not None:
                self.ray.kill(actor.handle, no_restart=True)
                actor.handle, actor.seat.ready, actor.seat.gone = None, False, True
        if self.started_ray:
            self.started_ray = False
            self.ray.shutdown()

    def rows(self) -> list[dict[str, Any]]:
        """One for each actor: see `Actor.row`."""
        now = time.perf_counter()
        return [actor.row(now) for actor in self.actors]
