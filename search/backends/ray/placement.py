"""Who gets which work. Workers are numbers here: nothing is known of processes, models or Ray."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["speak", "listen"]
CROWDED = 1.5
"""How much more than its fair share of beams a worker may have before some are moved away from what they left there."""


def spread(
    holders: Sequence[int | None], loads: Mapping[int, int], share: int, smallest: int = 1
) -> list[int]:
    """The worker of each beam of one utterance.

    `holders`: who holds each beam's keys and values or audio, None if nobody does. `loads`: the beams of other
    utterances by worker, of all workers that can be chosen. At most `share` workers are used, and none for fewer than
    `smallest` beams if the utterance has as many. A beam stays where it is unless that is crowded.
    """
    count = len(holders)
    held = Counter(holder for holder in holders if holder in loads)
    used = max(1, min(share, len(loads), count // max(1, smallest)))
    if used == 1:
        free = min(loads, key=lambda worker: (loads[worker], worker))
        home = min(loads, key=lambda worker: (-held[worker], loads[worker], worker))
        crowded = loads[home] + count >= CROWDED * (loads[free] + count)
        return [free if crowded else home] * count
    chosen = sorted(loads, key=lambda worker: (loads[worker] - held[worker], worker))[:used]
    room = {worker: math.ceil(CROWDED * fair) for worker, fair in _levelled(count, loads, chosen).items()}
    places: list[int | None] = []
    for holder in holders:
        stays = holder is not None and room.get(holder, 0) > 0
        places.append(holder if stays else None)
        if stays and holder is not None:
            room[holder] -= 1
    taken = Counter(place for place in places if place is not None)
    # those that move stay together: copies of one beam stand side by side
    fair = _levelled(places.count(None), {worker: loads[worker] + taken[worker] for worker in chosen}, chosen)
    rest = iter([worker for worker in chosen for _ in range(fair[worker])])
    return [next(rest) if place is None else place for place in places]


def _levelled(count: int, loads: Mapping[int, int], workers: Sequence[int]) -> dict[int, int]:
    """How many of so many beams each worker gets if they are filled up to one level."""
    got = dict.fromkeys(workers, 0)
    for _ in range(count):
        got[min(workers, key=lambda worker: (loads[worker] + got[worker], worker))] += 1
    return got


@dataclass(slots=True, eq=False)
class Unit:
    """A piece of work that any worker of its role can do, at any time and as often as need be.

    `wish`: the worker that has what it needs. `deaths`: how often a worker has died while it worked on this; `since`: when
    the present one began. `wanted`: whether anybody still waits for it; if not, it is not begun again.
    """

    role: Role
    work: Any
    wish: int | None = None
    deaths: int = 0
    since: float = math.inf
    wanted: bool = True


@dataclass(slots=True, eq=False)
class Seat:
    """A worker's place: what it may do, and what it is doing. Not `ready` while a worker is being started."""

    roles: frozenset[Role]
    ready: bool = False
    gone: bool = False
    running: list[Unit] = field(default_factory=list)

    @property
    def alone(self) -> bool:
        """Whether it works on something that may have killed a worker."""
        return any(unit.deaths for unit in self.running)


class Board:
    """The work that waits and who works on what.

    A worker has at most `limit` units at a time. When one dies, everything that it worked on is suspect and from then
    on done by a worker that does nothing else, so that what kills workers is told from what was only there; a unit is
    given up after `attempts` deaths.
    """

    def __init__(self, seats: Sequence[Seat], limit: int, attempts: int) -> None:
        self.seats = list(seats)
        self.limit = limit
        self.attempts = attempts
        self.waiting: deque[Unit] = deque()
        self._cleared: dict[Role, int] = {}
        """By role: the seat that takes nothing new, so that it can work on suspects."""

    def candidates(self, role: Role) -> list[int]:
        """Seats whose worker can be given such work: those that are ready, or else all that will be."""
        able = [n for n, seat in enumerate(self.seats) if role in seat.roles and not seat.gone]
        return [n for n in able if self.seats[n].ready] or able

    def send(self, now: float) -> Iterator[tuple[int, Unit]]:
        """Gives out what can be begun, in order: (seat, unit)."""
        waiting, self.waiting = self.waiting, deque()
        self._clear(waiting)
        for unit in sorted(waiting, key=lambda unit: not unit.deaths):
            number = self._taker(unit)
            if number is None:
                self.waiting.append(unit)
                continue
            unit.since = now
            self.seats[number].running.append(unit)
            yield number, unit

    def done(self, number: int, unit: Unit) -> None:
        """The unit has been answered."""
        self.seats[number].running.remove(unit)

    def died(self, number: int) -> list[Unit]:
        """The seat's worker is dead. Units that are given up now; all others wait again, before the rest."""
        seat = self.seats[number]
        seat.ready = False
        lost, seat.running = [unit for unit in seat.running if unit.wanted], []
        for unit in lost:
            unit.deaths += 1
            unit.wish, unit.since = None, math.inf
        self.waiting.extendleft(unit for unit in reversed(lost) if unit.deaths < self.attempts)
        return [unit for unit in lost if unit.deaths >= self.attempts]

    def forget(self, unit: Unit) -> None:
        """Nobody waits for the unit any more."""
        unit.wanted = False
        if unit in self.waiting:
            self.waiting.remove(unit)

    def give_up(self) -> list[Unit]:
        """Units that wait and that no seat will ever take; they wait no longer."""
        lost = [unit for unit in self.waiting if not self.candidates(unit.role)]
        self.waiting = deque(unit for unit in self.waiting if unit not in lost)
        return lost

    def _clear(self, waiting: deque[Unit]) -> None:
        """While there are suspects and nobody to do them alone, the least busy of their role gets nothing new."""
        wanted = {unit.role for unit in waiting if unit.deaths}
        self._cleared = {
            role: n for role, n in self._cleared.items() if role in wanted and self.seats[n].ready
        }
        for role in wanted - self._cleared.keys():
            ready = [n for n in self.candidates(role) if self.seats[n].ready]
            if ready:
                self._cleared[role] = min(ready, key=lambda n: (len(self.seats[n].running), n))

    def _taker(self, unit: Unit) -> int | None:
        ready = [n for n in self.candidates(unit.role) if self.seats[n].ready]
        if unit.deaths:
            return next((n for n in ready if not self.seats[n].running), None)
        free = [n for n in ready if not self.seats[n].alone and n not in self._cleared.values()]
        if unit.wish in free and len(self.seats[unit.wish].running) >= self.limit:
            return None  # it will have room soon, and what it holds is worth waiting for
        free = [n for n in free if len(self.seats[n].running) < self.limit]
        if unit.wish in free:
            return unit.wish
        return min(free, key=lambda n: (len(self.seats[n].running), n), default=None)
