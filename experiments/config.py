"""What a search is made with, beside its request: models, strategy, budget, and where the work is done."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Protocol

from llasa_core.errors import UserError, nearest
from llasa_core.presets import Preset, find_preset, resolve_source
from search import emotion
from search.backends.ray.options import RayOptions
from search.bounds import LARGEST, shown
from search.cost.budget import NO_LIMIT, Budget
from search.models import MAX_SECONDS, ModelSpec
from search.roles import apart, roles
from search.strategies.base import Strategy
from search.strategies.registry import build, read
from verifiers import registry
from verifiers.spec import Spec

if TYPE_CHECKING:
    from search.engine import Searcher

WHOLE = ("candidates", "tokens")
"""Limits of a budget that are whole numbers."""
SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")


@dataclass(frozen=True)
class SearchOptions:
    """How to search, as a user says it: what is None or empty is the preset's, or has its own default.

    strategy, budget: a spec or a mapping. memory: in GiB.
    """

    strategy: str | Mapping[str, Any] = "best-of-n"
    budget: str | Mapping[str, float] | None = None
    preset: str = "nano"
    generator: str | None = None
    codec: str | None = None
    verifiers: Sequence[str] = ()
    judges: Sequence[str] = ()
    no_judge: bool = False
    device: str = "cpu"
    max_seconds: float = MAX_SECONDS
    memory: float | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    ray: RayOptions | None = None


@dataclass(frozen=True)
class Settings:
    """What makes a searcher and a strategy. ray: how actors of Ray do the work; None: this process does.

    bounds: the constraints that the caller asked for, such as "wer<=0"; not those of a default selection.
    note: what of the preset is not installed, and what searches or judges instead; "" if that is nothing.
    """

    models: ModelSpec
    strategy: Strategy
    budget: Budget = NO_LIMIT
    ray: RayOptions | None = None
    bounds: tuple[str, ...] = ()
    note: str = ""

    @classmethod
    def from_options(cls, options: SearchOptions, request: Wanted) -> Settings:
        """Raises UserError or VerifierError for whatever cannot work, but for an emotion that cannot: see
        `check_emotion`. Loads no model."""
        preset = find_preset(options.preset)
        verifiers = choose_verifiers(options.verifiers, preset, request)
        judges = choose_judges(options, preset, verifiers, request)
        for spec in (*verifiers, *judges):
            registry.check(spec)
        sampling = {name: value for name in SAMPLING if (value := getattr(options, name)) is not None}
        models = ModelSpec.from_preset(
            options.preset,
            generator=options.generator,
            codec=options.codec,
            verifiers=verifiers,
            judges=judges,
            sampling=replace(preset.sampling, **sampling),
            device=options.device,
            max_seconds=options.max_seconds,
            memory=None if options.memory is None else int(options.memory * 2**30),
        )
        strategy = build(options.strategy, choose_metrics(verifiers))
        asked = read(options.strategy)[1].get("select") is not None
        bounds = strategy.bounds if asked else ()
        stood_in = not options.verifiers or not (options.judges or options.no_judge)
        note = roles(options.preset).note if stood_in else ""
        return cls(models, strategy, read_budget(options.budget), options.ray, bounds, note)

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Settings:
        """Those that a result was made with. Raises UserError if the manifest lacks any."""
        try:
            models = ModelSpec.from_dict(manifest["models"])
            strategy = build(manifest["strategy"], choose_metrics(models.verifiers))
            return cls(models, strategy, Budget(**manifest["budget"]))
        except (KeyError, TypeError) as error:
            raise UserError(
                f"this is no manifest of a result ({error}): give the file that --json wrote"
            ) from None

    @property
    def generator_source(self) -> str:
        """Folder or hub id of the generator."""
        return resolve_source(self.models.generator)

    def check_emotion(self, request: Wanted) -> None:
        """Raises UserError for an emotion that is lacking, that a verifier or judge does not know, or that
        none judges."""
        emotion.check_emotion((*self.models.verifiers, *self.models.judges), request)

    def check_device(self) -> None:
        """Raises UserError for a device that is not there. With Ray the actors check it where they are."""
        from llasa_core.loading import check_device

        if self.ray is None:
            check_device(self.models.device)

    def searcher(self) -> Searcher:
        """Loads the models, or has actors load them. Raises as `Searcher.load` does."""
        from search.engine import Searcher

        return Searcher.load(self.models, self.ray)

    def describe(self, threads: int) -> dict[str, Any]:
        """What decides a result, as the manifest has it: plain JSON values, without loading a model."""
        return {
            "strategy": self.strategy.describe(),
            "budget": self.budget.as_dict(),
            "models": self.models.manifest(threads),
        }


class Wanted(Protocol):
    """What a request is judged against: a `Request`, or a row of a list with recordings not read yet."""

    @property
    def prompt_audio(self) -> object | None: ...
    @property
    def emotion(self) -> str | None: ...
    @property
    def emotion_audio(self) -> object | None: ...


def with_source(spec: str, preset: Preset, *, judge: bool = False) -> str:
    """The spec with the preset's source and options if it names a kind alone, such as `whisper` or
    `whisper?name=heard`.

    So the verifiers suit the models: `whisper` is what searches with the preset, as a judge what judges.
    Kinds that the preset does not have keep the source that they have by themselves.
    """
    kind = spec.partition("?")[0]
    found = roles(preset.name)
    first, second = (found.judges, found.verifiers) if judge else (found.verifiers, found.judges)
    for known in (*first, *second, *preset.optional):
        if known.startswith(f"{kind}:"):
            own = Spec.parse(known)
            return str(replace(own, options={**own.options, **Spec.parse(spec).options}))
    return spec


def read_budget(given: str | Mapping[str, float] | None) -> Budget:
    """`tokens=5000,seconds=20`, or the same as a mapping. Raises UserError for anything else."""
    if given is None:
        return NO_LIMIT
    pairs = given.items() if isinstance(given, Mapping) else (_pair(part) for part in given.split(","))
    names = [field.name for field in fields(Budget)]
    limits: dict[str, Any] = {}
    for name, value in pairs:
        if name not in names:
            raise UserError(f"--budget: no limit of {name!r}{nearest(name, names)}")
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        whole = name in WHOLE
        if not 0 < number < math.inf or (whole and (number > LARGEST or number != int(number))):
            wanted = f"a whole number from 1 to {LARGEST}" if whole else "a number, more than 0"
            raise UserError(f"--budget {name}={shown(value)}: give {wanted}")
        limits[name] = int(number) if whole else number
    return Budget(**limits)


def _pair(part: str) -> tuple[str, str]:
    name, sign, value = part.partition("=")
    if not sign:
        raise UserError(f"--budget {shown(part)}: write it as tokens=5000 or seconds=20, with commas between")
    return name.strip(), value.strip()


def choose_judges(
    options: SearchOptions, preset: Preset, verifiers: Sequence[str], request: Wanted
) -> tuple[str, ...]:
    """The caller's held-out judges, or none, or those of the preset that can judge this request and those of
    the emotion that it asks for, as far as they have not the weights of a verifier."""
    if options.no_judge and options.judges:
        raise UserError("--no-judge contradicts --judge: leave one out")
    if options.judges or options.no_judge:
        return tuple(with_source(spec, preset, judge=True) for spec in options.judges)
    own = (*roles(preset.name).judges, *emotion.judging(request, verifiers))
    return suited(apart(own, verifiers), request)


def choose_verifiers(given: Sequence[str], preset: Preset, request: Wanted) -> tuple[str, ...]:
    """The caller's specs, or those of the preset that can judge this request (similarity needs a voice) and
    what searches by the emotion that it asks for."""
    if not given:
        felt = (with_source(spec, preset) for spec in emotion.searching(request))
        return tuple(dict.fromkeys([*suited(roles(preset.name).verifiers, request), *felt]))
    specs = tuple(with_source(spec, preset) for spec in given)
    for spec in specs:
        if request.prompt_audio is None and compares_voices(spec):
            raise UserError(f"{spec} compares with a voice prompt, and there is none: drop --no-prompt")
    return specs


def suited(specs: Sequence[str], request: Wanted) -> tuple[str, ...]:
    """Those that need no voice prompt, where there is none."""
    return tuple(spec for spec in specs if request.prompt_audio is not None or not compares_voices(spec))


def compares_voices(spec: str) -> bool:
    """Whether the spec's verifier needs a voice prompt."""
    return not {"reference", "resynthesis"}.isdisjoint(registry.needs(spec))


def choose_metrics(specs: Sequence[str]) -> dict[str, bool]:
    """What each verifier measures, and whether higher is better. Raises UserError if two go by one name."""
    metrics: dict[str, bool] = {}
    for spec in specs:
        found = registry.directions(spec)
        if shared := metrics.keys() & found.keys():
            name = shared.pop()
            raise UserError(
                f"{spec} is the second verifier that measures {name}: "
                f"give it as --judge, or a name: ?name={name}2"
            )
        metrics |= found
    return metrics


def set_threads(threads: int | None) -> None:
    """As many threads as when a result was made: sums over several threads round otherwise."""
    import torch

    if threads:
        torch.set_num_threads(threads)
