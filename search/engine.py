"""The engine: models + strategy + request -> result."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any

import torch

from llasa_core.codec import Codec
from llasa_core.decoding import MAX_SECONDS
from llasa_core.decoding import Generator as SpeechGenerator
from llasa_core.errors import UserError
from llasa_core.models import check_match
from llasa_core.presets import find_preset, resolve_source
from llasa_core.request import Request
from llasa_core.sampling import Sampling
from search.budget import NO_LIMIT, Budget
from search.manifest import identity, verifier_identity
from search.result import SearchResult
from search.rollouts import LocalRollouts, Progress, Rollouts, no_progress
from search.running import search as search_request
from search.strategy import Strategy
from verifiers.base import Verifier
from verifiers.cache import Remembering
from verifiers.instances import shared


class Searcher:
    """Runs strategies over requests.

    `verifiers` (in the rollouts) search; `judges` score the final candidates only, are never shown to the strategy,
    and are reported beside. `models` goes into the manifest of each result.
    """

    def __init__(
        self, rollouts: Rollouts, judges: Sequence[Verifier] = (), models: Mapping[str, Any] | None = None
    ) -> None:
        self.rollouts = rollouts
        self.judges = {judge.spec: judge for judge in judges}
        self.models = dict(models or {})

    @classmethod
    def from_preset(
        cls,
        preset: str = "nano",
        *,
        generator: str | None = None,
        codec: str | None = None,
        verifiers: Sequence[str] | None = None,
        judges: Sequence[str] = (),
        sampling: Sampling | None = None,
        device: str = "cpu",
        max_seconds: float = MAX_SECONDS,
        memory: int | None = None,
        remember: int = 0,
    ) -> Searcher:
        """Loads the parts of a preset, each of which can be replaced by a folder or hub id (verifiers: by specs).

        Verifiers are those of the process (`verifiers.shared`): another Searcher with the same specs loads none again.
        remember: scores that each verifier keeps, so that audio that comes again is not judged again, in this request
        or a later one; 0, none, is right where wall times are compared.

        Raises UserError or VerifierError for an unknown name, a folder that lacks files, a generator and a codec
        that differ in the number of codes, or two verifiers of one name.
        """
        chosen = find_preset(preset)
        sources = {
            "generator": resolve_source(generator or chosen.generator),
            "codec": resolve_source(codec or chosen.codec),
        }
        specs = tuple(chosen.verifiers if verifiers is None else verifiers)
        sampling = sampling or chosen.sampling
        model = SpeechGenerator.from_source(
            sources["generator"], device, sampling=sampling, max_seconds=max_seconds, memory=memory
        )
        vocoder = Codec.from_source(sources["codec"], device)
        check_match(model.n_codes, vocoder.n_codes)
        loaded = [_verifier(spec, device, remember) for spec in specs]
        by_name = unique_names(loaded)
        held_out = [_verifier(spec, device, remember) for spec in judges]
        models = {
            "preset": preset,
            "generator": identity(sources["generator"]),
            "codec": identity(sources["codec"]),
            "verifiers": [verifier_identity(spec) for spec in specs],
            "judges": [verifier_identity(spec) for spec in judges],
            "sampling": asdict(sampling),
            "device": device,
            "threads": torch.get_num_threads(),
            "max_seconds": max_seconds,
        }
        return cls(LocalRollouts(model, vocoder, by_name), held_out, models)

    def run(
        self,
        request: Request,
        strategy: Strategy,
        *,
        budget: Budget = NO_LIMIT,
        progress: Progress = no_progress,
    ) -> SearchResult:
        """Searches one request. The same request, strategy and models give the same result.

        Raises UserError or VerifierError for what cannot be spoken or judged.
        """
        for outcome in self.run_many((request,), strategy, budget=budget, progress=lambda _: progress):
            if isinstance(outcome, Failure):
                raise outcome.error
            return outcome
        raise AssertionError("one request has one outcome")

    def run_many(
        self,
        requests: Iterable[Request],
        strategy: Strategy,
        *,
        budget: Budget = NO_LIMIT,
        in_flight: int = 8,
        progress: Callable[[Request], Progress] = lambda _: no_progress,
    ) -> Generator[SearchResult | Failure, None, None]:
        """Searches many requests, `in_flight` at a time, in shared batches; each outcome as soon as it is there.

        What a request comes to does not depend on the others, and one that fails ends no other. `requests` is read as
        room comes free. Leaving the loop early (also by Ctrl-C) stops what is under way.
        """
        if in_flight < 1:
            raise UserError(f"{in_flight} requests in flight: give at least 1")
        rest = iter(requests)
        waiting: dict[Future[Any], _InFlight] = {}
        try:
            while True:
                while len(waiting) < in_flight and (request := next(rest, None)) is not None:
                    found = self._begin(request, strategy, budget, progress(request))
                    if isinstance(found, Failure):
                        yield found
                    else:
                        waiting[found.pending] = found
                if not waiting:
                    return
                self.rollouts.wait(waiting)
                for future in [future for future in waiting if future.done()]:
                    search = waiting.pop(future)
                    outcome = search.go_on()
                    if outcome is None:
                        waiting[search.pending] = search
                    else:
                        yield outcome
        finally:
            for search in waiting.values():
                search.steps.close()
            self.rollouts.close()

    def _begin(
        self, request: Request, strategy: Strategy, budget: Budget, progress: Progress
    ) -> _InFlight | Failure:
        try:
            rollout = self.rollouts.open(request, progress)
            steps = search_request(request, strategy, rollout, self.judges, self.models, budget)
            return _InFlight(request, steps, next(steps))
        except Exception as error:  # noqa: BLE001 (whatever it is, it is this request's alone)
            return Failure(request, error)


@dataclass(frozen=True, eq=False)
class Failure:
    """A request that could not be searched, and why."""

    request: Request
    error: Exception


@dataclass(slots=True, eq=False)
class _InFlight:
    """A search and the future that it waits for."""

    request: Request
    steps: Generator[Future[Any], Any, SearchResult]
    pending: Future[Any]

    def go_on(self) -> SearchResult | Failure | None:
        """Hand over what was waited for: the outcome, or None if there is something else to wait for."""
        try:
            if error := self.pending.exception():
                self.pending = self.steps.throw(error)
            else:
                self.pending = self.steps.send(self.pending.result())
        except StopIteration as done:
            result: SearchResult = done.value
            return result
        except Exception as error:  # noqa: BLE001
            return Failure(self.request, error)
        return None


def _verifier(spec: str, device: str, remember: int) -> Verifier:
    verifier = shared(spec, device)
    return Remembering(verifier, remember) if remember else verifier


def unique_names(verifiers: Sequence[Verifier]) -> dict[str, Verifier]:
    """By name. Raises UserError if two measure the same thing: one of them should be a judge."""
    by_name: dict[str, Verifier] = {}
    for verifier in verifiers:
        if verifier.name in by_name:
            raise UserError(
                f"{by_name[verifier.name].spec} and {verifier.spec} both measure {verifier.name}: "
                "give one of them as a judge, or another name (?name=...)"
            )
        by_name[verifier.name] = verifier
    return by_name
