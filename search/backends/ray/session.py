"""One request whose work is done by actors of Ray: which does what, and who holds which beam."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np

from llasa_core.audio import Waveform
from llasa_core.lm.lineage import Lineage
from llasa_core.request import Request
from search.asks import Ask, Beam, Beams, Branch, Extend, Measure, Start, branched_beams, rewound
from search.backends.base import Progress
from search.backends.ray.placement import Role, spread
from search.backends.ray.worker import Hear, Judge, Task
from search.cost.ledger import Ledger
from verifiers.base import Score

if TYPE_CHECKING:
    from search.backends.ray.backend import RayBackend

Holder = tuple[int, int]
"""An actor's seat and life."""
Node = tuple[Lineage, int]
"""A beam by the lineage that led to it and its length: copies that have not parted yet are one."""


class RaySession:
    """One request: who holds its beams, and its ledger."""

    def __init__(self, owner: RayBackend, key: int, request: Request, progress: Progress) -> None:
        self.owner = owner
        self.key = key
        self.ledger = Ledger()
        self.longest = owner.about.longest
        self.reference = owner.actors.ray.put(request)
        self.beams_at: dict[Role, Counter[int]] = {"speak": Counter(), "listen": Counter()}
        self._progress = progress
        self._spoken: dict[Node, Holder] = {}
        self._heard: dict[tuple[int, ...], Holder] = {}
        self.users: set[Holder] = set()
        """Actors that have worked on it."""
        self._closed = False

    def flops_of(self, n_tokens: int) -> float:
        return self.owner.about.cost.flops(0, n_tokens)

    def answer(self, ask: Ask, until: float = math.inf) -> Future[Any]:
        match ask:
            case Start():
                return self._start()
            case Branch():
                return _gathered([], lambda: branched_beams(ask))
            case Extend():
                return self._extend(ask, until)
            case Measure(beams, name, partial):
                return self._listen(beams, lambda some: Measure(some, name, partial), f"score {name}", tuple)

    def judge(self, beams: Beams, spec: str) -> Future[list[Score]]:
        return self._listen(beams, lambda some: Judge(some, spec), f"score {spec}", list)

    def waveforms(self, beams: Beams) -> Future[list[Waveform]]:
        # copies: what Ray hands out lies in its store and would stay there
        return self._listen(beams, Hear, "decode", lambda found: list(map(np.array, found)))

    def close(self) -> None:
        """The actors forget the request."""
        if not self._closed:
            self._closed = True
            self.owner.forget(self)
            self.reference = None

    def home(self, role: Role) -> int | None:
        """Where work that belongs to no beam is done: where most of the request's beams are, or the least busy."""
        loads = self.owner.loads(role, self)
        if not loads:
            return None
        mine = self.beams_at[role]
        home = min(loads, key=lambda number: (-mine[number], loads[number], number))
        if not mine:
            mine[home] = 1
        return home

    def do(
        self,
        role: Role,
        wish: int | None,
        task: Task,
        until: float = math.inf,
        done: Callable[[Any, int], None] = lambda value, number: None,
    ) -> Future[Any]:
        """One unit of work; `done` is told the answer and the seat that it came from."""
        return self.owner.submit(self, role, wish, task, until, done)

    def _start(self) -> Future[Beam]:
        """The prompt is run by one actor; with verifiers elsewhere, those look at the request as well."""
        asked = [self.do("speak", self.home("speak"), Start())]
        if self.owner.actors.sizes.verifier_actors:
            asked.append(self.do("listen", self.home("listen"), Hear(())))
        return _gathered(asked, lambda: Beam((), ()))

    def _extend(self, ask: Extend, until: float) -> Future[Beams]:
        """Each beam by the actor that holds it, or by others if that has too many or is gone."""
        answer = list(ask.beams)
        going = [index for index, beam in enumerate(answer) if not beam.finished]
        nodes = {index: _node(answer[index]) for index in going}
        places = self._places("speak", [self._known(self._spoken.get(nodes[index])) for index in going])
        total = len(answer)
        asked = []
        for number, indices in _groups(going, places).items():
            some = tuple(answer[index] for index in indices)

            def done(grown: Beams, seat: int, indices: Sequence[int] = tuple(indices)) -> None:
                self._count_moved({nodes[index] for index in indices}, seat)
                for index, beam in zip(indices, grown, strict=True):
                    answer[index] = beam
                    self._spoken[_node(beam)] = self.holder(seat)
                self._progress("generate", sum(beam.finished for beam in answer), total)

            asked.append(self.do("speak", number, Extend(some, ask.n_tokens), until, done))
        return _gathered(asked, lambda: tuple(answer))

    def _listen(
        self, beams: Beams, task: Callable[[Beams], Task], stage: str, made: Callable[[Iterable[Any]], Any]
    ) -> Future[Any]:
        """Each beam is heard by the actor that has its audio, or that holds the beam."""
        answer: list[Any] = [None] * len(beams)
        if not beams:
            return _gathered([self.do("listen", self.home("listen"), task(()))], lambda: made(()))
        holders = [self._heard.get(beam.tokens) or self._spoken.get(_node(beam)) for beam in beams]
        places = self._places("listen", list(map(self._known, holders)))
        heard = 0
        asked = []
        self._progress(stage, 0, len(beams))
        for number, indices in _groups(range(len(beams)), places).items():

            def done(found: Sequence[Any], seat: int, indices: Sequence[int] = tuple(indices)) -> None:
                nonlocal heard
                for index, value in zip(indices, found, strict=True):
                    answer[index] = value
                    self._heard[beams[index].tokens] = self.holder(seat)
                heard += len(indices)
                self._progress(stage, heard, len(beams))

            asked.append(self.do("listen", number, task(tuple(beams[i] for i in indices)), done=done))
        return _gathered(asked, lambda: made(answer))

    def _places(self, role: Role, holders: Sequence[int | None]) -> list[int | None]:
        """The seat for each beam; the request counts there from now on."""
        loads = self.owner.loads(role, self)
        if not loads or not holders:
            return [None] * len(holders)
        share = len(loads) // max(1, len(self.owner.open_requests))
        home = self.home(role)
        known = [holder if holder in loads else home for holder in holders]
        places = spread(known, loads, max(1, share), self.owner.options.split)
        self.beams_at[role] = Counter(places)
        return list(places)

    def _known(self, holder: Holder | None) -> int | None:
        """The seat of a holder that still lives."""
        return holder[0] if holder is not None and self.owner.actors.alive(*holder) else None

    def holder(self, number: int) -> Holder:
        """The process that has the seat now."""
        return number, self.owner.actors.actors[number].life

    def _count_moved(self, nodes: Collection[Node], seat: int) -> None:
        for node in nodes:
            before = self._spoken.get(node)
            if node[1] and before is not None and before != self.holder(seat):
                self.ledger.beams_moved += 1


def _node(beam: Beam) -> Node:
    return rewound(beam, len(beam.tokens)).lineage, len(beam.tokens)


def _groups(indices: Iterable[int], places: Sequence[int | None]) -> dict[int | None, list[int]]:
    groups: dict[int | None, list[int]] = {}
    for index, place in zip(indices, places, strict=True):
        groups.setdefault(place, []).append(index)
    return groups


def _gathered(asked: Sequence[Future[Any]], made: Callable[[], Any]) -> Future[Any]:
    """What `made` returns once all is answered, or the first error."""
    answer: Future[Any] = Future()
    left = len(asked)

    def told(future: Future[Any]) -> None:
        nonlocal left
        left -= 1
        if answer.done() or future.cancelled():
            return
        if error := future.exception():
            answer.set_exception(error)
        elif not left:
            answer.set_result(made())

    for future in asked:
        future.add_done_callback(told)
    if not asked:
        answer.set_result(made())
    return answer
