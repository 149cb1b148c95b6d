"""The engine: models + strategy + request -> result."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from llasa_core.errors import UserError
from llasa_core.presets import resolve_source
from llasa_core.request import Request
from search.backends.base import Backend, Progress, no_progress
from search.cost.budget import NO_LIMIT, Budget
from search.driver import Heard, RequestSearch, all_candidates
from search.models import ModelSpec
from search.preflight import check_prompt, check_target
from search.results.result import SearchResult
from search.strategies.base import Strategy
from search.strategies.registry import build

if TYPE_CHECKING:
    from search.backends.ray.options import RayOptions


class Searcher:
    """Runs strategies over requests: `Searcher.from_preset("nano").run(request, "best-of-n?n=16")`.

    The verifiers of the backend search; its judges score the final candidates only, are never shown to the
    strategy, and are reported beside. `models` is what the manifest of each result says of them.
    """

    def __init__(self, backend: Backend, spec: ModelSpec | None = None, threads: int = 0) -> None:
        """spec: what the backend has loaded; threads: of the processor that it runs on."""
        self.backend = backend
        self.spec = spec
        self.models: dict[str, Any] = {} if spec is None else spec.manifest(threads)
        self._loops = 0  # of `run_many` that are under way

    @classmethod
    def from_preset(
        cls, preset: str = "nano", *, ray: RayOptions | None = None, **overrides: Any
    ) -> Searcher:
        """Loads the models of a preset; `overrides` are fields of `ModelSpec`, such as device="cuda".

        ray: the models are loaded and run by actors of Ray, not by this process.
        Raises as `ModelSpec.from_preset` and `load_backend`.
        """
        return cls.load(ModelSpec.from_preset(preset, **overrides), ray)

    @classmethod
    def load(cls, spec: ModelSpec, ray: RayOptions | None = None) -> Searcher:
        """Loads these models, or has actors of Ray load them. Raises as `load_backend`."""
        if ray is None:
            import torch

            from search.backends.loading import load_backend

            return cls(load_backend(spec), spec, torch.get_num_threads())
        from search.backends.ray.backend import RayBackend

        backend = RayBackend(spec, ray)
        return cls(backend, spec, backend.threads)

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
        strategy: Strategy | str | Mapping[str, Any],
        *,
        budget: Budget = NO_LIMIT,
        progress: Progress = no_progress,
    ) -> SearchResult:
        """Searches one request. The same request, strategy and models give the same result.

        strategy: an object, or a spec or mapping for `search.strategies.registry.build`.
        Raises UserError for a text that the model cannot read or that there is no room for, before anything
        is spoken; UserError or VerifierError for what cannot be judged.
        """
        for outcome in self.run_many((request,), strategy, budget=budget, progress=lambda _: progress):
            if isinstance(outcome, Failure):
                raise outcome.error
            return outcome
        raise AssertionError("one request has one outcome")

    def run_many(
        self,
        requests: Iterable[Request],
        strategy: Strategy | str | Mapping[str, Any],
        *,
        budget: Budget | Callable[[Request], Budget] = NO_LIMIT,
        in_flight: int | None = None,
        progress: Callable[[Request], Progress] = lambda _: no_progress,
        heard: Heard = all_candidates,
    ) -> Generator[SearchResult | Failure, None, None]:
        """Searches many requests, `in_flight` at a time, in shared batches; yields each outcome once it is
        known.

        in_flight: by default as many as keep the models busy (8; with Ray, 8 for each actor).
        An outcome does not depend on the other requests, and a request that fails ends no other. `requests`
        is read as room comes free. budget: of each, or a function that says which one it has. heard: the
        candidates that the judges are asked about. Leaving the loop early (also by Ctrl-C) stops what is
        under way.
        """
        if in_flight is None:
            in_flight = self.backend.in_flight
        if in_flight < 1:
            raise UserError(f"{in_flight} requests in flight: give at least 1")
        if not isinstance(strategy, Strategy):
            judges = self.backend.judges
            metrics = {name: up for name, up in self.backend.directions.items() if name not in judges}
            strategy = build(strategy, metrics)
        rest = iter(requests)
        waiting: dict[Future[Any], RequestSearch] = {}
        self._loops += 1
        try:
            while True:
                while len(waiting) < in_flight and (request := next(rest, None)) is not None:
                    limit = budget if isinstance(budget, Budget) else budget(request)
                    begun = self._begin(request, strategy, limit, progress(request), heard)
                    if isinstance(begun, Failure):
                        yield begun
                    else:
                        waiting[begun.pending] = begun
                if not waiting:
                    return
                self.backend.wait(waiting)
                for future in [future for future in waiting if future.done()]:
                    search = waiting.pop(future)
                    outcome = _advanced(search)
                    if outcome is None:
                        waiting[search.pending] = search
                    else:
                        yield outcome
        finally:
            for search in waiting.values():
                search.close()
            self._loops -= 1
            if not self._loops:  # what other loops have under way goes on
                self.backend.drop()

    def _begin(
        self, request: Request, strategy: Strategy, budget: Budget, progress: Progress, heard: Heard
    ) -> RequestSearch | Failure:
        try:
            if self.spec is not None:
                check_target((*self.spec.verifiers, *self.spec.judges), request)
                check_prompt(resolve_source(self.spec.generator), request, self.spec.max_seconds)
            return RequestSearch(
                request,
                strategy,
                self.backend.open(request, progress),
                judges=self.backend.judges,
                directions=self.backend.directions,
                models=self.models,
                budget=budget,
                heard=heard,
            )
        except Exception as error:  # noqa: BLE001 (whatever it is, it is this request's alone)
            return Failure(request, error)


@dataclass(frozen=True, eq=False)
class Failure:
    """A request that could not be searched, and why."""

    request: Request
    error: Exception


def _advanced(search: RequestSearch) -> SearchResult | Failure | None:
    """Whatever goes wrong with a request is its own alone."""
    try:
        return search.advance()
    except Exception as error:  # noqa: BLE001
        return Failure(search.request, error)
