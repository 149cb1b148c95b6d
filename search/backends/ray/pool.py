"""The actors of one driver: started, given tasks, watched, killed when they hang, replaced when they die."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from llasa_core.errors import UserError
from search.backends.ray.cluster import Cluster
from search.backends.ray.options import RayOptions, Resources
from search.backends.ray.placement import Actor, Task, TaskQueue
from search.backends.ray.worker import Kind, Result, Worker, WorkerInfo
from search.models import ModelSpec

LOG = logging.getLogger(__name__)
TURN = 1.0
"""Seconds after which a wait looks at time limits again."""
PATIENCE = 60.0
"""Seconds after which a line says that the first actors are still waited for."""
FETCH = 60.0
"""Seconds in which a result that has arrived has to be read."""
SPARE = 4
"""Threads of an actor beside those for tasks: one tells that it is alive, the others forget and drop."""


class ActorsFailed(UserError):
    """Work at which its actor died each time, or that no actor is left for."""


class ActorPool:
    """The actors, and the tasks that they have. Whoever waits calls :meth:`poll`; there are no threads.

    A new actor takes the place of one that dies, rather than Ray restarting it (`max_restarts=0`): one
    handle stands for one process, so that it is known what that holds, and no result of an earlier process
    can be taken for its own.
    """

    def __init__(self, spec: ModelSpec, options: RayOptions) -> None:
        """Returns when the first actor of each kind is ready. Raises what loading the models raises."""
        self.cluster = Cluster(options.address)
        self.ray = self.cluster.ray
        self.options = options
        # an actor sees its own GPUs only, the first of which is number 0
        self.spec = replace(spec, device="cuda") if spec.device.startswith("cuda") else spec
        self.last_death = ""
        self._calls: dict[Any, tuple[Actor, Task | str]] = {}
        """Actor and task, or name of the method, of each object of Ray that is waited for."""
        self._clock, self._looked = 0.0, time.perf_counter()
        self.queue = TaskQueue((), options.units, options.attempts)
        try:
            self.resources = Resources.for_cluster(options, spec.device, self.ray.cluster_resources())
            first: Kind = "generate" if self.resources.verifier_actors else "all"
            kinds: list[Kind] = [first] * self.resources.actors + ["score"] * self.resources.verifier_actors
            now = time.perf_counter()
            self.actors.extend(Actor(number, kind, since=now) for number, kind in enumerate(kinds))
            self._wait_for_first(set(kinds))
        except BaseException:
            self.close()
            raise

    @property
    def actors(self) -> list[Actor]:
        return self.queue.actors

    @property
    def infos(self) -> list[WorkerInfo]:
        return [actor.info for actor in self.actors if actor.info]

    def _wait_for_first(self, kinds: set[Kind]) -> None:
        told = False
        while not all(any(a.info for a in self.actors if a.kind == kind) for kind in kinds):
            self.poll()
            if any(all(a.gone for a in self.actors if a.kind == kind) for kind in kinds):
                raise self._none_left()
            if self._clock > PATIENCE and not told:
                told = True
                asked = self.resources.of_an_actor
                LOG.warning("still waiting for Ray actors: each asks for %s, and loads the models", asked)

    def submit(self, task: Task) -> None:
        """The task is given to an actor by a later call of `poll`, and settled by a later one."""
        self.queue.waiting.append(task)

    @property
    def pending(self) -> list[Task]:
        """The tasks that somebody waits for."""
        running = [task for actor in self.actors for task in actor.running if task.wanted]
        return [*self.queue.waiting, *running]

    def poll(self, timeout: float = TURN) -> None:
        """Waits for a result for at most `timeout` seconds, settles what is done, hands out what can be
        begun.

        Raises UserError if Ray's node on this machine is dead.
        """
        self._check_node()
        if self._calls:
            timeout = min(timeout, self._until_overdue())
            first, _ = self.ray.wait(list(self._calls), num_returns=1, timeout=timeout)
            if first:
                self._check_node()
                calls = list(self._calls)
                self._receive(self.ray.wait(calls, num_returns=len(calls), timeout=0)[0])
        # time limits count while somebody polls: not while this process was stopped or did other things
        now = time.perf_counter()
        self._clock += min(now - self._looked, 2 * TURN)
        self._looked = now
        self._kill_overdue()
        for actor in self.actors:
            if actor.handle is None and not actor.gone:
                self._start(actor)
        for actor, task in self.queue.hand_out(self._clock):
            *arguments, until = task.arguments
            self._calls[actor.handle.work.remote(*arguments, until - now)] = actor, task
        for task in self.queue.hopeless():
            task.settle(Result(error=self._none_left()), None)

    def _receive(self, ready: Iterable[Any]) -> None:
        died: dict[Actor, str] = {}
        for reference in ready:
            actor, call = self._calls[reference]
            try:
                result: Result = self.ray.get(reference, timeout=FETCH)
            except self.ray.exceptions.RayTaskError as error:
                result = Result(error=error.cause if isinstance(error.cause, Exception) else error)
            except self.ray.exceptions.RayError as error:
                died.setdefault(actor, cause_of_death(error))
                continue
            del self._calls[reference]
            if not isinstance(call, Task):
                if failure := self._loaded(actor, result):
                    died[actor] = failure
                continue
            actor.running.remove(call)
            actor.deaths = 0
            actor.answers += 1
            actor.spent.add(result.ledger)
            if call.wanted:
                call.settle(result, actor)
        for actor, cause in died.items():
            self._replace(actor, cause)

    def _start(self, actor: Actor) -> None:
        needs, options = self.resources, self.options
        worker = self.ray.remote(Worker).options(
            num_cpus=needs.cpus,
            num_gpus=needs.gpus,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=options.units + SPARE,
            scheduling_strategy="SPREAD",
        )
        actor.handle = worker.remote(self.spec, actor.kind, needs.threads, needs.gpus, options.imports)
        for method in ("load", "alive"):
            self._calls[getattr(actor.handle, method).remote()] = actor, method

    def _loaded(self, actor: Actor, result: Result) -> str:
        """The actor is ready, or why it will not be."""
        if result.error is not None:
            if not self.infos:
                raise result.error
            return f"it could not load the models: {result.error}"
        actor.info, actor.ready, actor.since = result.value, True, time.perf_counter()
        return ""

    def _replace(self, actor: Actor, cause: str) -> None:
        """The actor is dead, or to be killed: a successor takes its place, unless too many have died."""
        self._check_node()
        self.last_death = f"{actor.name}: {cause}"
        self._calls = {reference: call for reference, call in self._calls.items() if call[0] is not actor}
        self.ray.kill(actor.handle, no_restart=True)
        self.actors[actor.number] = actor.successor(time.perf_counter(), self.options.restarts)
        for task in self.queue.lose(actor):
            times = f"{task.deaths} times" if task.deaths > 1 else "once"
            error = ActorsFailed(
                f"this work was given up after its actor died {times} while at it, the last time because "
                f"{cause}; what it printed is above"
            )
            task.settle(Result(error=error), None)

    def _kill_overdue(self) -> None:
        """Kills actors that hang; gives up waiting for actors that do not come."""
        limit, start = self.options.timeout, self.options.start
        for actor in list(self.actors):
            if any(self._clock - task.since > limit for task in actor.running):
                self._replace(
                    actor,
                    f"it gave no answer within {limit:g} s and was killed (if it only is slow, allow more)",
                )
        now = time.perf_counter()
        for kind in {actor.kind for actor in self.actors}:
            left = [actor for actor in self.actors if actor.kind == kind and not actor.gone]
            if any(a.ready for a in left) or now - max((a.since for a in left), default=now) <= start:
                continue
            for actor in left:
                actor.deaths = self.options.restarts
                self._replace(
                    actor,
                    f"it was not ready within {start:g} s (it asks for {self.resources.of_an_actor}, which "
                    "may be taken; or the models take longer to load)",
                )

    def _until_overdue(self) -> float:
        """Seconds until the next task's time limit."""
        since = min((task.since for actor in self.actors for task in actor.running), default=math.inf)
        return max(0.0, since + self.options.timeout - self._clock)

    def _check_node(self) -> None:
        try:
            self.cluster.check()
        except UserError:
            self._calls.clear()
            for actor in self.actors:  # no call may be made any more
                actor.handle, actor.ready, actor.gone, actor.running = None, False, True, []
            raise

    def _none_left(self) -> ActorsFailed:
        return ActorsFailed(
            f"no Ray actor is left to work on this (the last to go was {self.last_death}): what they printed "
            "is above; look there for the cause, then start again"
        )

    def put(self, value: Any) -> Any:
        """The value in Ray's store, for arguments of several tasks."""
        self._check_node()
        return self.ray.put(value)

    def forget(self, key: int, tasks: Iterable[Task], actors: Iterable[Actor]) -> None:
        """A request is done: its waiting tasks are not begun, and these actors are told, without waiting."""
        self.queue.forget(list(tasks))
        for actor in actors:
            if actor.ready:
                actor.handle.forget.remote(key)

    def drop(self, last: int) -> None:
        """Stops what is under way for the requests up to the one that goes by `last`, without waiting."""
        self.queue.forget(self.pending)
        sent = {call for _, call in self._calls.values()}
        for actor in self.actors:
            # an interrupt may have come between the arrival of a result and its being settled
            actor.running = [task for task in actor.running if task in sent]
            if actor.running and actor.ready:
                actor.handle.drop.remote(last)

    def close(self) -> None:
        """Ends all actors, and the local cluster if it was started for them."""
        self._calls.clear()
        for actor in self.actors:
            if actor.handle is not None:
                self.ray.kill(actor.handle, no_restart=True)
                actor.handle, actor.ready, actor.gone = None, False, True
        self.cluster.close()

    def rows(self) -> list[dict[str, Any]]:
        """One for each actor: see `Actor.row`."""
        now = time.perf_counter()
        return [actor.row(now) for actor in self.actors]


def cause_of_death(error: Exception) -> str:
    """What Ray says of a death, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = next((line for line in lines if line.startswith("The actor is dead because")), None)
    if cause is not None:
        return cause.removeprefix("The actor is dead because ").split(". ")[0].rstrip(".")
    # an error of its constructor, for example, stands at the end of a traceback
    return " ... ".join(dict.fromkeys((lines[0], lines[-1]))).rstrip(".") if lines else type(error).__name__
