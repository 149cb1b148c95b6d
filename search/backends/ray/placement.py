"""Actors as the driver knows them, their tasks, and which actor gets which task. Nothing here needs Ray."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from search.backends.ray.worker import Kind, Result, WorkerInfo
from search.cost.ledger import Ledger

Role = Literal["generate", "score"]
CROWDED = 1.5
"""How much more than its fair share of beams an actor may have before some of its beams are moved."""


@dataclass(slots=True, eq=False)
class Task:
    """A piece of work that any actor of its role can do, at any time and as often as need be.

    `arguments`: of `Worker.work`, the last one the time of ``time.perf_counter`` until which it may run.
    `settle` is told the result and the actor, None if the task was given up. `preferred`: number of the
    actor that holds what the task needs. `deaths`: actors that died while they worked on it. `since`: when
    its actor was given it. `wanted`: whether anybody waits for it; if not, it is not begun again.
    """

    role: Role
    arguments: Any
    preferred: int | None = None
    settle: Callable[[Result, Actor | None], None] = lambda result, actor: None
    deaths: int = 0
    since: float = math.inf
    wanted: bool = True


@dataclass(slots=True, eq=False)
class Actor:
    """One process that holds a worker. When it dies, its `successor` takes over its number and its counts.

    `ready`: its models are loaded; `gone`: it is not started again. `deaths`: of processes in a row without
    an answer.
    """

    number: int
    kind: Kind
    handle: Any = None
    ready: bool = False
    gone: bool = False
    running: list[Task] = field(default_factory=list)
    info: WorkerInfo | None = None
    deaths: int = 0
    restarts: int = 0
    spent: Ledger = field(default_factory=Ledger)
    answers: int = 0
    ready_seconds: float = 0.0
    since: float = 0.0
    """When it became ready, or when it was last known to be missing."""

    @property
    def name(self) -> str:
        return f"{'verifier' if self.kind == 'score' else 'actor'} {self.number}"

    @property
    def isolated(self) -> bool:
        """Whether it works on a task that may have killed an actor, and so on nothing else."""
        return any(task.deaths for task in self.running)

    def takes(self, role: Role) -> bool:
        return not self.gone and self.kind in ("all", role)

    def successor(self, now: float, restarts: int) -> Actor:
        """The actor that is started in its place, gone if `restarts` in a row have died before."""
        deaths = self.deaths + 1
        gone = deaths > restarts
        return replace(
            self,
            handle=None,
            ready=False,
            gone=gone,
            running=[],
            deaths=deaths,
            restarts=self.restarts + (not gone),
            ready_seconds=self.seconds_ready(now),
            since=now,
        )

    def seconds_ready(self, now: float) -> float:
        return self.ready_seconds + (now - self.since if self.ready else 0.0)

    def row(self, now: float) -> dict[str, Any]:
        """What it does and has done, as plain values.

        utilisation: the share of its time that its models worked; up to 2 on a GPU, where two threads work.
        """
        seconds = self.seconds_ready(now)
        return {
            "name": self.name,
            "kind": self.kind,
            "state": "gone" if self.gone else "ready" if self.ready else "starting",
            "node": self.info.node if self.info else "",
            "pid": self.info.pid if self.info and self.ready else None,
            "queue": len(self.running),
            "restarts": self.restarts,
            "units": self.answers,
            "tokens": self.spent.tokens_generated,
            "tokens_per_second": round(self.spent.tokens_generated / seconds, 1) if seconds else 0.0,
            "utilisation": round(sum(self.spent.wall.values()) / seconds, 3) if seconds else 0.0,
        }


class TaskQueue:
    """The tasks that wait, and who works on what.

    An actor has at most `limit` tasks at a time. When it dies, each of its tasks is suspect and from then
    on given to an actor that does nothing else, so that the task that kills actors is told from those that
    were only there. A task is given up after `attempts` deaths.
    """

    def __init__(self, actors: Sequence[Actor], limit: int, attempts: int) -> None:
        self.actors = list(actors)
        self.limit = limit
        self.attempts = attempts
        self.waiting: deque[Task] = deque()
        self._reserved: dict[Role, Actor] = {}
        """By role: the actor that is given nothing new, so that it becomes free for suspect tasks."""

    def candidates(self, role: Role) -> list[Actor]:
        """Actors that can be given such a task: those that are ready, or else those that will be."""
        able = [actor for actor in self.actors if actor.takes(role)]
        return [actor for actor in able if actor.ready] or able

    def hand_out(self, now: float) -> Iterator[tuple[Actor, Task]]:
        """The tasks that can be begun, suspect ones first, else in order."""
        waiting, self.waiting = self.waiting, deque()
        self._reserve(waiting)
        for task in sorted(waiting, key=lambda task: not task.deaths):
            actor = self._choose(task)
            if actor is None:
                self.waiting.append(task)
                continue
            task.since = now
            actor.running.append(task)
            yield actor, task

    def lose(self, actor: Actor) -> list[Task]:
        """The actor is dead. Returns the tasks that are given up; the others wait again, in front."""
        lost, actor.running, actor.ready = [task for task in actor.running if task.wanted], [], False
        for task in lost:
            task.deaths += 1
            task.preferred, task.since = None, math.inf
        self.waiting.extendleft(task for task in reversed(lost) if task.deaths < self.attempts)
        return [task for task in lost if task.deaths >= self.attempts]

    def forget(self, tasks: Sequence[Task]) -> None:
        """Nobody waits for these tasks any more."""
        for task in tasks:
            task.wanted = False
        self.waiting = deque(task for task in self.waiting if task.wanted)

    def hopeless(self) -> list[Task]:
        """Tasks that no actor will ever take; they wait no longer."""
        lost = [task for task in self.waiting if not self.candidates(task.role)]
        self.waiting = deque(task for task in self.waiting if task not in lost)
        return lost

    def _reserve(self, waiting: deque[Task]) -> None:
        """While there are suspect tasks and no idle actor for them, the least busy one is given nothing
        new."""
        roles = {task.role for task in waiting if task.deaths}
        self._reserved = {role: a for role, a in self._reserved.items() if role in roles and a.ready}
        for role in roles - self._reserved.keys():
            if ready := [actor for actor in self.candidates(role) if actor.ready]:
                self._reserved[role] = min(ready, key=lambda actor: len(actor.running))

    def _choose(self, task: Task) -> Actor | None:
        ready = [actor for actor in self.candidates(task.role) if actor.ready]
        if task.deaths:
            return next((actor for actor in ready if not actor.running), None)
        free = [actor for actor in ready if not actor.isolated and actor not in self._reserved.values()]
        preferred = next((actor for actor in free if actor.number == task.preferred), None)
        if preferred is not None:
            # if it is full it will have room soon, and what it holds is worth waiting for
            return preferred if len(preferred.running) < self.limit else None
        free = [actor for actor in free if len(actor.running) < self.limit]
        return min(free, key=lambda actor: len(actor.running), default=None)


def spread(
    holders: Sequence[int | None], loads: Mapping[int, int], share: int, smallest: int = 1
) -> list[int]:
    """The number of the actor for each beam of one utterance.

    `holders`: who holds each beam's keys and values or audio, if anybody does. `loads`: the beams of other
    utterances by actor, of all actors that can be chosen. At most `share` actors are used, each for at
    least `smallest` beams if the utterance has as many. A beam stays where it is unless its actor is
    crowded.
    """
    count = len(holders)
    held = Counter(holder for holder in holders if holder in loads)
    used = max(1, min(share, len(loads), count // max(1, smallest)))
    if used == 1:
        free = min(loads, key=lambda actor: (loads[actor], actor))
        home = min(loads, key=lambda actor: (-held[actor], loads[actor], actor))
        crowded = loads[home] + count >= CROWDED * (loads[free] + count)
        return [free if crowded else home] * count
    chosen = sorted(loads, key=lambda actor: (loads[actor] - held[actor], actor))[:used]
    room = {actor: math.ceil(CROWDED * fair) for actor, fair in _levelled(count, loads, chosen).items()}
    places: list[int | None] = []
    for holder in holders:
        stays = holder is not None and room.get(holder, 0) > 0
        places.append(holder if stays else None)
        if stays and holder is not None:
            room[holder] -= 1
    taken = Counter(place for place in places if place is not None)
    # the beams that move stay together: copies of one beam are next to each other
    fair = _levelled(places.count(None), {actor: loads[actor] + taken[actor] for actor in chosen}, chosen)
    rest = iter([actor for actor in chosen for _ in range(fair[actor])])
    return [next(rest) if place is None else place for place in places]


def _levelled(count: int, loads: Mapping[int, int], actors: Sequence[int]) -> dict[int, int]:
    """How many of `count` beams each actor gets if all are filled up to one level."""
    got = dict.fromkeys(actors, 0)
    for _ in range(count):
        got[min(actors, key=lambda actor: (loads[actor] + got[actor], actor))] += 1
    return got
