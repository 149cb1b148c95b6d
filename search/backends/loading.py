"""From the description of models to a backend in this process."""

from __future__ import annotations

from collections.abc import Sequence

from llasa_core.codec.codec import Codec
from llasa_core.errors import UserError
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.loading import check_match
from llasa_core.presets import resolve_source
from search.backends.local import Executor, LocalBackend
from search.models import ModelSpec
from verifiers.base import Verifier
from verifiers.cache import Remembering
from verifiers.instances import load_shared


def load_backend(
    spec: ModelSpec, executor: Executor | None = None, *, generates: bool = True
) -> LocalBackend:
    """Loads all models of `spec` into this process, the generator only if it `generates`.

    Verifiers are those of the process (`verifiers.load_shared`): the same spec is loaded once.
    Raises UserError or VerifierError for a source that is not there or lacks files, a generator and a
    codec that differ in the number of codes, or two verifiers of one name.
    """
    generator = None
    if generates:
        generator = SpeechLM.from_source(
            resolve_source(spec.generator),
            spec.device,
            sampling=spec.sampling,
            max_seconds=spec.max_seconds,
            memory=spec.memory,
        )
    codec = Codec.from_source(resolve_source(spec.codec), spec.device)
    if generator is not None:
        check_match(generator.n_codes, codec.n_codes)
    verifiers = unique_names([_verifier(spec, name) for name in spec.verifiers])
    judges = [_verifier(spec, name) for name in spec.judges]
    backend = LocalBackend(generator, codec, verifiers, judges, executor=executor)
    backend.warm_up()
    return backend


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


def _verifier(spec: ModelSpec, name: str) -> Verifier:
    verifier = load_shared(name, spec.device)
    return Remembering(verifier, spec.remember) if spec.remember else verifier
