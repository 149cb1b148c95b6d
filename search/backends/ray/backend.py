"""Backend by actors of Ray: candidates of one utterance on several of them, and many utterances at once.

A result does not depend on which actor did what, nor on how often it had to be done: what a beam says is a function of its
lineage, so any actor can do any piece of work from its arguments alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Self

import numpy as np

from llasa_core.audio import Waveform
from llasa_core.request import Request
from search.backends.base import IN_FLIGHT, Progress, no_progress
from search.backends.ray.actors import TURN, Actors
from search.backends.ray.options import RayOptions
from search.backends.ray.placement import Role, Unit
from search.backends.ray.session import RaySession
from search.backends.ray.worker import About, Answer, Decode, Task
from search.models import ModelSpec
from verifiers import registry


class RayBackend:
    """The models, in actors of Ray. This process holds none and runs no threads: whoever waits hands out the work."""

    def __init__(self, spec: ModelSpec, options: RayOptions | None = None) -> None:
        """Starts the actors and waits for the first. Raises UserError without Ray or its cluster, and what loading
        the models raises; ActorsFailed if no actor comes up."""
        self.options = options or RayOptions()
        self.actors = Actors(spec, self.options)
        abouts = [actor.about for actor in self.actors.actors if actor.about]
        self.about: About = next(about for about in abouts if about.longest)
        self._judges = next((about.judges for about in abouts if about.judges), ())
        self.open_requests: dict[int, RaySession] = {}
        self._keys = 0
        self._asked: dict[Unit, tuple[Future[Any], RaySession, Callable[[Any, int], None]]] = {}

    @property
    def judges(self) -> Sequence[str]:
        return self._judges

    @property
    def directions(self) -> Mapping[str, bool]:
        found = registry.directions(*self.actors.spec.verifiers)
        for judge in self._judges:
            found[judge] = next(iter(registry.directions(judge).values()))
        return found

    @property
    def in_flight(self) -> int:
        return IN_FLIGHT * self.actors.sizes.actors

    @property
    def threads(self) -> int:
        """CPU threads of each actor."""
        return self.about.threads

    def workers(self) -> list[dict[str, Any]]:
        """One row of plain values for each actor: name, kind, state, node, pid, queue (units it works on), restarts, units and
        tokens done, tokens_per_second, utilisation."""
        return self.actors.rows()

    def open(self, request: Request, progress: Progress = no_progress) -> RaySession:
        self._keys += 1
        session = RaySession(self, self._keys, request, progress)
        self.open_requests[self._keys] = session
        return session

    def wait(self, futures: Collection[Future[Any]]) -> None:
        patience = 0.0  # at first: nothing is given to an actor that is known to be dead
        while not any(future.done() for future in futures):
            for unit, number, answer in self.actors.turn(patience):
                self._settle(unit, answer, number)
            for unit, error in self.actors.send():
                self._settle(unit, error)
            if not self._asked and not any(future.done() for future in futures):
                raise RuntimeError("waiting for what nobody works on")
            patience = TURN

    def decode(self, request: Request, codes: Sequence[Sequence[int]]) -> list[Waveform]:
        session = self.open(request)
        try:
            found = session.do("listen", session.home("listen"), Decode(tuple(map(tuple, codes))))
            self.wait((found,))
            return list(map(np.array, found.result()))
        finally:
            session.close()

    def drop(self) -> None:
        """What is under way is stopped; the actors stay."""
        for session in list(self.open_requests.values()):
            session.close()
        self.actors.drop(self._keys)
        self._asked.clear()

    def close(self) -> None:
        self.drop()
        self.actors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(
        self,
        session: RaySession,
        role: Role,
        wish: int | None,
        task: Task,
        until: float,
        done: Callable[[Any, int], None],
    ) -> Future[Any]:
        """Work for one actor. `done` is told the value and the seat that it came from."""
        unit = Unit(role, (session.key, session.reference, task, until), wish)
        future: Future[Any] = Future()
        self._asked[unit] = (future, session, done)
        self.actors.board.waiting.append(unit)
        return future

    def _settle(self, unit: Unit, answer: Answer | Exception, number: int = -1) -> None:
        if unit not in self._asked:
            return  # nobody waits for it any more
        future, session, done = self._asked.pop(unit)
        if isinstance(answer, Exception):
            future.set_exception(answer)
            return
        session.ledger.add(answer.ledger)
        session.longest = answer.longest or session.longest
        session.users.add(session.holder(number))
        if answer.error is not None:
            future.set_exception(answer.error)
        else:
            done(answer.value, number)
            future.set_result(answer.value)

    def forget(self, session: RaySession) -> None:
        """The request is done: what it still waits for is not begun, and the actors forget it."""
        self.open_requests.pop(session.key, None)
        for unit in [unit for unit, asked in self._asked.items() if asked[1] is session]:
            del self._asked[unit]
            self.actors.board.forget(unit)
        self.actors.forget(session.key, session.users)

    def loads(self, role: Role, own: RaySession) -> dict[int, int]:
        """Beams of all other requests by seat, of the seats that can be chosen. One that has no beams yet counts as one."""
        loads = dict.fromkeys(self.actors.board.candidates(role), 0)
        for session in self.open_requests.values():
            if session is not own:
                for number, count in session.beams_at[role].items():
                    if number in loads:
                        loads[number] += count
        return loads
