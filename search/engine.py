"""The engine: models + strategy + request -> result."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from llasa_core.errors import UserError
from llasa_core.request import Request
from search.asks import Strategy
from search.backends.base import Backend, Progress, no_progress
from search.cost.budget import NO_LIMIT, Budget
from search.driver import search as search_request
from search.models import ModelSpec
from search.results.result import SearchResult

if TYPE_CHECKING:
    from search.backends.ray.options import RayOptions


class Searcher:
    """Runs strategies over requests.

    The verifiers of the backend search; their judges score the final candidates only, are never shown to
    the strategy, and are reported beside. `models` goes into the manifest of each result.
    """

    def __init__(self, backend: Backend, models: Mapping[str, Any] | None = None) -> None:
        self.backend = backend
        self.models = dict(models or {})

    @classmethod
    def from_preset(
        cls, preset: str = "nano", *, ray: RayOptions | None = None, **overrides: Any
    ) -> Searcher:
        """Loads the models of a preset; `overrides` are fields of `ModelSpec`, such as
        verifiers=["whisper"], device="cuda".

        ray: the models are loaded and run by actors of Ray, not by this process.
        Raises as `ModelSpec.from_preset` and `ModelSpec.load`.
        """
        return cls.load(ModelSpec.from_preset(preset, **overrides), ray)

    @classmethod
    def load(cls, spec: ModelSpec, ray: RayOptions | None = None) -> Searcher:
        """Loads these models, or has actors of Ray load them. Raises as `ModelSpec.load`."""
        if ray is None:
            import torch

            return cls(spec.load(), spec.manifest(torch.get_num_threads()))
        from search.backends.ray.backend import RayBackend

        backend = RayBackend(spec, ray)
        return cls(backend, spec.manifest(backend.threads))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops the backend for good."""
        self.backend.close()

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
        in_flight: int | None = None,
        progress: Callable[[Request], Progress] = lambda _: no_progress,
    ) -> Generator[SearchResult | Failure, None, None]:
        """Searches many requests, `in_flight` at a time, in shared batches; each outcome as soon as it is
        there.

        `in_flight`: by default as many as keep the models busy (8; with Ray, 8 for each actor).
        What a request comes to does not depend on the others, and one that fails ends no other. `requests`
        is read as room comes free. Leaving the loop early (also by Ctrl-C) stops what is under way.
        """
        if in_flight is None:
            in_flight = self.backend.in_flight
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
                self.backend.wait(waiting)
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
            self.backend.drop()

    def _begin(
        self, request: Request, strategy: Strategy, budget: Budget, progress: Progress
    ) -> _InFlight | Failure:
        try:
            session = self.backend.open(request, progress)
            steps = search_request(request, strategy, session, self.backend.judges, self.models, budget)
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
