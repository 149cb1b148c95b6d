"""Everything of a search but its request: models, verifiers, strategy, sampling, limits."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Protocol

from experiments.cli.ray_options import ray_of
from llasa_core.errors import UserError
from llasa_core.lm.sampling import Sampling
from llasa_core.presets import Preset, find_preset, resolve_source
from llasa_core.prompt import CONTEXT_TOKENS
from search.backends.ray.options import RayOptions
from search.cost.budget import Budget
from search.strategies.base import Strategy
from search.strategies.registry import build, read
from verifiers import registry
from verifiers.spec import nearest

if TYPE_CHECKING:
    from search.engine import Searcher
    from search.models import ModelSpec


@dataclass(frozen=True)
class Settings:
    """What makes a searcher and a strategy. Sources and specs as in `Searcher.from_preset`; memory in bytes.

    ray: how actors of Ray do the work; None: this process does.
    """

    preset: str
    generator: str | None
    codec: str | None
    verifiers: tuple[str, ...]
    judges: tuple[str, ...]
    strategy: Strategy
    budget: Budget
    sampling: Sampling
    device: str
    max_seconds: float
    memory: int | None
    ray: RayOptions | None = None

    @property
    def generator_source(self) -> str:
        """Folder or hub id of the generator."""
        return resolve_source(self.generator or find_preset(self.preset).generator)

    def check_device(self) -> None:
        """Raises UserError for a device that is not there. With Ray it has to be where the actors are: they look."""
        from llasa_core.loading import check_device

        if self.ray is None:
            check_device(self.device)

    @property
    def models(self) -> ModelSpec:
        """What has to be loaded."""
        from search.models import ModelSpec

        return ModelSpec.from_preset(
            self.preset,
            generator=self.generator,
            codec=self.codec,
            verifiers=self.verifiers,
            judges=self.judges,
            sampling=self.sampling,
            device=self.device,
            max_seconds=self.max_seconds,
            memory=self.memory,
        )

    def searcher(self) -> Searcher:
        """Loads the models."""
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
    """What a request is judged against: a `Request`, or a row of a data set whose recordings are not read yet."""

    @property
    def prompt_audio(self) -> object | None: ...
    @property
    def emotion(self) -> str | None: ...
    @property
    def emotion_audio(self) -> object | None: ...


def from_arguments(arguments: argparse.Namespace, request: Wanted) -> Settings:
    """Raises UserError or VerifierError for whatever cannot work; loads no model."""
    preset = find_preset(arguments.preset)
    verifiers = choose_verifiers(arguments.verifier, preset, request)
    strategy = choose_strategy(arguments, choose_metrics(verifiers))
    judges = choose_judges(arguments, preset)
    for spec in (*verifiers, *judges):
        registry.check(spec)
    check_emotion((*verifiers, *judges), request)
    check_max_seconds(arguments.max_seconds)
    return Settings(
        arguments.preset,
        arguments.generator,
        arguments.codec,
        verifiers,
        judges,
        strategy,
        read_budget(arguments.budget),
        choose_sampling(arguments, preset),
        arguments.device,
        arguments.max_seconds,
        read_memory(arguments.memory),
        ray_of(arguments),
    )


def from_manifest(manifest: Mapping[str, Any]) -> Settings:
    """The settings that a result was made with. Raises UserError if the manifest lacks any."""
    try:
        models = manifest["models"]
        verifiers = tuple(entry["spec"] for entry in models["verifiers"])
        return Settings(
            models["preset"],
            models["generator"]["source"],
            models["codec"]["source"],
            verifiers,
            tuple(entry["spec"] for entry in models["judges"]),
            build(manifest["strategy"], choose_metrics(verifiers)),
            Budget(**manifest["budget"]),
            Sampling(**models["sampling"]),
            models["device"],
            models["max_seconds"],
            None,
        )
    except (KeyError, TypeError) as error:
        raise UserError(
            f"this is no manifest of a result ({error}): give the file that --json wrote"
        ) from None


def choose_strategy(arguments: argparse.Namespace, metrics: Mapping[str, bool]) -> Strategy:
    """The strategy by name or spec, with -n and --select where the spec does not say otherwise."""
    name, given = read(arguments.strategy)
    for option in ("n", "select"):
        value = getattr(arguments, option)
        if value is not None and given.setdefault(option, value) != value:
            dashes = "-" if len(option) == 1 else "--"
            raise UserError(
                f"{dashes}{option} {value} contradicts {option}={given[option]} of the strategy {name}"
            )
    return build({"name": name, **given}, metrics)


def read_budget(given: str | Mapping[str, float] | None) -> Budget:
    """`tokens=5000,seconds=20`, or the same as a mapping. Raises UserError for anything else."""
    if given is None:
        return Budget()
    kinds = {field.name: int if field.name in ("candidates", "tokens") else float for field in fields(Budget)}
    pairs = given.items() if isinstance(given, Mapping) else (_pair(part) for part in given.split(","))
    limits: dict[str, Any] = {}
    for name, value in pairs:
        if name not in kinds:
            raise UserError(f"--budget: no limit of {name!r}{nearest(name, kinds)}")
        try:
            limits[name] = kinds[name](value)
        except (TypeError, ValueError):
            raise UserError(f"--budget {name}={value}: give a number") from None
    return Budget(**limits)


def _pair(part: str) -> tuple[str, str]:
    name, sign, value = part.partition("=")
    if not sign:
        raise UserError(f"--budget {part}: write it as tokens=5000 or seconds=20, with commas between")
    return name.strip(), value.strip()


def choose_sampling(arguments: argparse.Namespace, preset: Preset) -> Sampling:
    """The preset's settings, with what the caller gave instead."""
    given = {
        name: getattr(arguments, name)
        for name in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
    }
    return replace(preset.sampling, **{name: value for name, value in given.items() if value is not None})


def check_max_seconds(seconds: float) -> None:
    """Raises UserError for a length that does not fit in any context."""
    limit = CONTEXT_TOKENS / 50
    if not 0 < seconds <= limit:
        raise UserError(f"--max-seconds {seconds:g}: give more than 0 and at most {limit:g}")


def read_memory(gibibytes: float | None) -> int | None:
    """In bytes. Raises UserError for a limit that is none."""
    if gibibytes is None:
        return None
    if not (math.isfinite(gibibytes) and gibibytes > 0):
        raise UserError(f"--memory {gibibytes:g}: give more than 0, in GiB, such as 2")
    return int(gibibytes * 2**30)


def choose_judges(arguments: argparse.Namespace, preset: Preset) -> tuple[str, ...]:
    """The caller's held-out judges, the preset's, or none."""
    if arguments.no_judge and arguments.judge:
        raise UserError("--no-judge contradicts --judge: leave one out")
    if arguments.judge or arguments.no_judge:
        return tuple(arguments.judge or ())
    return preset.judges


def choose_verifiers(given: Sequence[str] | None, preset: Preset, request: Wanted) -> tuple[str, ...]:
    """The caller's specs, or the preset's that can judge this request: without a voice there is no similarity."""
    if given:
        for spec in given:
            if request.prompt_audio is None and compares_voices(spec):
                raise UserError(f"{spec} compares with a voice prompt, and there is none: drop --no-prompt")
        return tuple(given)
    return tuple(
        spec for spec in preset.verifiers if request.prompt_audio is not None or not compares_voices(spec)
    )


def compares_voices(spec: str) -> bool:
    """Whether the spec's verifier needs a voice prompt."""
    return not {"reference", "resynthesis"}.isdisjoint(registry.needs(spec))


def check_emotion(specs: Sequence[str], request: Wanted) -> None:
    """Raises UserError for a verifier that lacks the emotion it judges against, and an emotion that none judges."""
    needed = {field: spec for spec in specs for field in registry.needs(spec)}
    given = {
        "emotion": ("--emotion", "LABEL", request.emotion, "emotion2vec?measure=label"),
        "emotion_reference": ("--emotion-audio", "WAV", request.emotion_audio, "emotion2vec"),
    }
    for field, (option, value, content, verifier) in given.items():
        if content is None and field in needed:
            raise UserError(f"{needed[field]} judges the emotion: give {option} {value}")
        if content is not None and field not in needed:
            raise UserError(f"{option} is given and no verifier judges by it: add --verifier '{verifier}'")


def choose_metrics(specs: Sequence[str]) -> dict[str, bool]:
    """What each verifier measures, and whether higher is better. Raises UserError if two go by one name."""
    metrics: dict[str, bool] = {}
    for spec in specs:
        found = registry.directions(spec)
        if shared := metrics.keys() & found.keys():
            name = shared.pop()
            raise UserError(
                f"{spec} is the second verifier that measures {name}: give it as --judge, or a name: ?name={name}2"
            )
        metrics |= found
    return metrics
