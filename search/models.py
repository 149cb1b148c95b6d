"""What a search loads, by name: the same parts can be loaded here or in another process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from llasa_core.codec.codec import Codec
from llasa_core.errors import UserError
from llasa_core.lm.sampling import Sampling
from llasa_core.lm.speech_lm import MAX_SECONDS, SpeechLM
from llasa_core.loading import check_match
from llasa_core.presets import find_preset, resolve_source
from search.backends.local import Executor, LocalBackend
from search.results.manifest import identity, verifier_identity
from verifiers.base import Verifier
from verifiers.cache import Remembering
from verifiers.instances import load_shared


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Names, folders or hub ids of models, specs of verifiers, and how the models are run. Can be pickled.

    `memory` in bytes; `remember`: scores that each verifier keeps.
    """

    preset: str
    generator: str
    codec: str
    verifiers: tuple[str, ...]
    judges: tuple[str, ...]
    sampling: Sampling
    device: str = "cpu"
    max_seconds: float = MAX_SECONDS
    memory: int | None = None
    remember: int = 0

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
        **settings: Any,
    ) -> ModelSpec:
        """Those of a preset but for what is given. Raises UserError for an unknown preset."""
        chosen = find_preset(preset)
        return cls(
            preset,
            generator or chosen.generator,
            codec or chosen.codec,
            tuple(chosen.verifiers if verifiers is None else verifiers),
            tuple(judges),
            sampling or chosen.sampling,
            **settings,
        )

    def load(self, executor: Executor | None = None, *, generates: bool = True) -> LocalBackend:
        """Loads everything into this process, the generator only if it `generates`. Raises as `Searcher.from_preset`."""
        generator = None
        if generates:
            generator = SpeechLM.from_source(
                resolve_source(self.generator),
                self.device,
                sampling=self.sampling,
                max_seconds=self.max_seconds,
                memory=self.memory,
            )
        codec = Codec.from_source(resolve_source(self.codec), self.device)
        if generator is not None:
            check_match(generator.n_codes, codec.n_codes)
        verifiers = unique_names([self._verifier(spec) for spec in self.verifiers])
        judges = [self._verifier(spec) for spec in self.judges]
        return LocalBackend(generator, codec, verifiers, judges, executor=executor)

    def manifest(self, threads: int) -> dict[str, Any]:
        """What makes a searcher of the same models again: the models by revision or content hash."""
        return {
            "preset": self.preset,
            "generator": identity(resolve_source(self.generator)),
            "codec": identity(resolve_source(self.codec)),
            "verifiers": [verifier_identity(spec) for spec in self.verifiers],
            "judges": [verifier_identity(spec) for spec in self.judges],
            "sampling": asdict(self.sampling),
            "device": self.device,
            "threads": threads,
            "max_seconds": self.max_seconds,
        }

    def _verifier(self, spec: str) -> Verifier:
        verifier = load_shared(spec, self.device)
        return Remembering(verifier, self.remember) if self.remember else verifier


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
