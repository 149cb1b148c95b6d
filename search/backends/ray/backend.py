"""The backend whose models are in actors of Ray: candidates of one utterance on several of them, and many
utterances at once.

A result does not depend on which actor did what, nor on how often it had to be done: the tokens of a beam
are a function of its lineage, so any actor can do any task from its arguments alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from importlib import import_module
from typing import Any, Self

import numpy as np

from llasa_core.audio import Waveform
from llasa_core.lm.lineage import Lineage
from llasa_core.request import Request
from search.asks import Ask, Beam, Beams, Branch, Extend, Measure, Start, branched_beams, rewound
from search.backends.base import IN_FLIGHT, Progress, no_progress
from search.backends.ray.options import RayOptions
from search.backends.ray.placement import Actor, Role, Task, spread
from search.backends.ray.pool import TURN, ActorPool
from search.backends.ray.worker import DecodeBeams, DecodeCodes, HearPrompt, JudgeBeams, Result, Work
from search.cost.ledger import Ledger
from search.models import ModelSpec
from verifiers import registry
from verifiers.base import Score

Group = list[int]
"""Indices of beams that one task is for."""


class RayBackend:
    """The models, in actors of Ray. This process holds none and runs no threads: whoever waits hands out
    the tasks."""

    def __init__(self, spec: ModelSpec, options: RayOptions | None = None) -> None:
        """Starts the actors and waits for the first. Raises UserError without Ray or its cluster, and what
        loading the models raises; ActorsFailed if no actor comes up."""
        self.options = options or RayOptions()
        for module in self.options.imports:
            import_module(module)
        self.pool = ActorPool(spec, self.options)
        infos = self.pool.infos
        self.info = next(info for info in infos if info.longest)
        self._judges = next((info.judges for info in infos if info.judges), ())
        self.sessions: dict[int, RaySession] = {}
        self._last_key = 0

    @property
    def judges(self) -> Sequence[str]:
        return self._judges

    @property
    def directions(self) -> Mapping[str, bool]:
        found = registry.directions(*self.pool.spec.verifiers)
        for judge in self._judges:
            found[judge] = next(iter(registry.directions(judge).values()))
        return found

    @property
    def in_flight(self) -> int:
        return IN_FLIGHT * self.pool.resources.actors

    @property
    def threads(self) -> int:
        """CPU threads of each actor."""
        return self.info.threads

    def workers(self) -> list[dict[str, Any]]:
        """One row of plain values for each actor: name, kind, state, node, pid, queue (tasks that it has),
        restarts, units (tasks) and tokens done, tokens_per_second, utilisation."""
        return self.pool.rows()

    def open(self, request: Request, progress: Progress = no_progress) -> RaySession:
        self._last_key += 1
        session = self.sessions[self._last_key] = RaySession(self, self._last_key, request, progress)
        return session

    def wait(self, futures: Collection[Future[Any]]) -> None:
        timeout = 0.0  # at first: deaths are noticed before anything is handed out
        while not any(future.done() for future in futures):
            self.pool.poll(timeout)
            if not self.pool.pending and not any(future.done() for future in futures):
                raise RuntimeError("none of these answers is being worked on")
            timeout = TURN

    def decode(self, request: Request, codes: Sequence[Sequence[int]]) -> list[Waveform]:
        session = self.open(request)
        try:
            answer = session.decode(codes)
            self.wait((answer,))
            return answer.result()
        finally:
            session.close()

    def hear_prompt(self, request: Request) -> Mapping[str, str]:
        if request.prompt_audio is None:
            return {}
        session = self.open(request)
        try:
            answer = session.hear_prompt()
            self.wait((answer,))
            heard: Mapping[str, str] = answer.result()
            return heard
        finally:
            session.close()

    def drop(self) -> None:
        """What is under way is stopped; the actors stay."""
        for session in list(self.sessions.values()):
            session.close()
        self.pool.drop(self._last_key)

    def close(self) -> None:
        self.drop()
        self.pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RaySession:
    """One request: which actor has which of its beams, and its ledger."""

    def __init__(self, backend: RayBackend, key: int, request: Request, progress: Progress) -> None:
        self.key = key
        self.ledger = Ledger()
        self.longest = backend.info.longest
        self._backend = backend
        self._pool = backend.pool
        self._progress = progress
        self._request = self._pool.put(request)
        self._tasks: list[Task] = []
        self._actors: set[Actor] = set()
        """Those that have done tasks of this request."""
        self._beams: dict[Role, Counter[int | None]] = {"generate": Counter(), "score": Counter()}
        """Beams of this request by number of the actor that they were last given to."""
        self._generated: dict[tuple[Lineage, int], Actor] = {}
        """Who holds the keys and values of a beam. Copies of a beam that have not parted yet are one."""
        self._decoded: dict[tuple[int, ...], Actor] = {}
        """Who holds the audio of these tokens."""

    def flops_of(self, n_tokens: int) -> float:
        return self._backend.info.cost.flops(0, n_tokens)

    def answer(self, ask: Ask, until: float = math.inf) -> Future[Any]:
        match ask:
            case Start():
                return self._start()
            case Branch():
                return _gathered([], lambda: branched_beams(ask))
            case Extend():
                return self._extend(ask, until)
            case Measure(beams, name, partial):
                return self._score(beams, lambda some: Measure(some, name, partial), f"score {name}", tuple)

    def judge(self, beams: Beams, spec: str) -> Future[list[Score]]:
        return self._score(beams, lambda some: JudgeBeams(some, spec), f"score {spec}", list)

    def waveforms(self, beams: Beams) -> Future[list[Waveform]]:
        return self._score(beams, DecodeBeams, "decode", _copied)

    def decode(self, codes: Sequence[Sequence[int]]) -> Future[list[Waveform]]:
        """As `Backend.decode`."""
        task = self._submit("score", self._home("score"), DecodeCodes(tuple(map(tuple, codes))))
        return _gathered([task], lambda: _copied(task.result()))

    def hear_prompt(self) -> Future[Any]:
        """As `Backend.hear_prompt`, by the actor that the request's beams are scored by."""
        return self._submit("score", self._home("score"), HearPrompt())

    def close(self) -> None:
        """Its tasks that wait are not begun, and the actors forget it."""
        if self._backend.sessions.pop(self.key, None) is not None:
            self._pool.forget(self.key, self._tasks, self._actors)
            self._request = None

    def _start(self) -> Future[Beam]:
        """One actor runs the prompt; with verifiers elsewhere, one of those prepares for the request as
        well."""
        asked = [self._submit("generate", self._home("generate"), Start())]
        if self._pool.resources.verifier_actors:
            asked.append(self._submit("score", self._home("score"), DecodeBeams(())))
        return _gathered(asked, lambda: Beam((), ()))

    def _extend(self, ask: Extend, until: float) -> Future[Beams]:
        """Each beam by the actor that holds it, or by others if that has too many or is gone."""
        answer = list(ask.beams)
        going = [index for index, beam in enumerate(answer) if not beam.finished]
        held = {index: self._generated.get(_place(answer[index])) for index in going}

        def task(number: int | None, group: Group) -> Future[Any]:
            def keep(grown: Beams, actor: Actor) -> None:
                before = {_place(answer[index]): held[index] for index in group if answer[index].tokens}
                self.ledger.beams_moved += sum(holder not in (None, actor) for holder in before.values())
                for index, beam in zip(group, grown, strict=True):
                    answer[index] = beam
                    self._generated[_place(beam)] = actor
                self._progress("generate", sum(beam.finished for beam in answer), len(answer))

            some = tuple(answer[index] for index in group)
            return self._submit("generate", number, Extend(some, ask.n_tokens), keep, until)

        groups = self._groups("generate", held)
        return _gathered([task(*group) for group in groups], lambda: tuple(answer))

    def _score(
        self, beams: Beams, work: Callable[[Beams], Work], stage: str, made: Callable[[list[Any]], Any]
    ) -> Future[Any]:
        """Each beam is decoded and scored by the actor that has its audio, or else its keys and values."""
        if not beams:
            return _gathered([self._submit("score", self._home("score"), work(()))], lambda: made([]))
        answer: list[Any] = [None] * len(beams)
        done: set[int] = set()
        held = {
            index: self._decoded.get(beam.tokens) or self._generated.get(_place(beam))
            for index, beam in enumerate(beams)
        }

        def task(number: int | None, group: Group) -> Future[Any]:
            def keep(values: Sequence[Any], actor: Actor) -> None:
                for index, value in zip(group, values, strict=True):
                    answer[index] = value
                    self._decoded[beams[index].tokens] = actor
                done.update(group)
                self._progress(stage, len(done), len(beams))

            return self._submit("score", number, work(tuple(beams[index] for index in group)), keep)

        self._progress(stage, 0, len(beams))
        groups = self._groups("score", held)
        return _gathered([task(*group) for group in groups], lambda: made(answer))

    def _submit(
        self,
        role: Role,
        preferred: int | None,
        work: Work,
        keep: Callable[[Any, Actor], None] = lambda value, actor: None,
        until: float = math.inf,
    ) -> Future[Any]:
        """One task. `keep` is told its value and the actor that it comes from."""
        future: Future[Any] = Future()

        def settle(result: Result, actor: Actor | None) -> None:
            self._tasks.remove(task)
            self.ledger.add(result.ledger)
            self.longest = result.longest or self.longest
            if actor is not None:
                self._actors.add(actor)
            if actor is None or result.error is not None:
                future.set_exception(result.error)
            else:
                keep(result.value, actor)
                future.set_result(result.value)

        task = Task(role, (self.key, self._request, work, until), preferred, settle)
        self._tasks.append(task)
        self._pool.submit(task)
        return future

    def _groups(self, role: Role, held: dict[int, Actor | None]) -> list[tuple[int | None, Group]]:
        """The beams by the number of the actor that they are given to, None: whoever is free."""
        loads = self._loads(role)
        places: Sequence[int | None] = [None] * len(held)
        if loads and held:
            share = max(1, len(loads) // max(1, len(self._backend.sessions)))
            home = self._home(role)
            numbers = [actor.number if actor and actor.ready else None for actor in held.values()]
            known = [number if number in loads else home for number in numbers]
            places = spread(known, loads, share, self._backend.options.split)
            self._beams[role] = Counter(places)
        groups: dict[int | None, Group] = {}
        for index, place in zip(held, places, strict=True):
            groups.setdefault(place, []).append(index)
        return list(groups.items())

    def _home(self, role: Role) -> int | None:
        """Where most of the request's beams are, or the least busy: for work that belongs to no beam."""
        loads, mine = self._loads(role), self._beams[role]
        if not loads:
            return None
        home = min(loads, key=lambda number: (-mine[number], loads[number], number))
        if not mine:
            mine[home] = 1
        return home

    def _loads(self, role: Role) -> dict[int, int]:
        """Beams of all other requests by actor, of the actors that can be chosen. A request without beams
        counts as one."""
        loads = {actor.number: 0 for actor in self._pool.queue.candidates(role)}
        for session in self._backend.sessions.values():
            if session is not self:
                for number, count in session._beams[role].items():
                    if number in loads:
                        loads[number] += count
        return loads


def _place(beam: Beam) -> tuple[Lineage, int]:
    """Names what has been generated of a beam: the lineage that led to it, and its length."""
    return rewound(beam, len(beam.tokens)).lineage, len(beam.tokens)


def _copied(waveforms: Iterable[Waveform]) -> list[Waveform]:
    """Arrays that Ray hands out lie in its store, and would stay there."""
    return list(map(np.array, waveforms))


def _gathered(asked: Sequence[Future[Any]], made: Callable[[], Any]) -> Future[Any]:
    """What `made` returns once all is answered, or the first error."""
    answer: Future[Any] = Future()
    left = len(asked)

    def pass_on(future: Future[Any]) -> None:
        nonlocal left
        left -= 1
        if answer.done() or future.cancelled():
            return
        if error := future.exception():
            answer.set_exception(error)
        elif not left:
            answer.set_result(made())

    for future in asked:
        future.add_done_callback(pass_on)
    if not asked:
        answer.set_result(made())
    return answer
