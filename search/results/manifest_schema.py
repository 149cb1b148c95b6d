"""Manifests are read with nothing taken for granted, since anyone may have written them.

`read_manifest` checks types, sizes and ranges; `check_sources` whether the models are the recorded ones.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llasa_core.errors import UserError
from llasa_core.request import MAX_SEED
from search.bounds import shown
from search.results.manifest import SCHEMA, identity, verifier_identity
from verifiers import catalogue, registry
from verifiers.spec import Spec


class _Part(BaseModel):
    """Strict types, bounded sizes; keys that are not known are passed over."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


Text = Annotated[str, Field(max_length=100_000)]
Name = Annotated[str, Field(min_length=1, max_length=4096)]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Samples = Annotated[int, Field(ge=0, le=2**31)]


class Identity(_Part):
    """A model by its source (folder, hub id or packaged name) or, for a verifier, by its spec; and by what
    was in it."""

    source: Name | None = None
    spec: Name | None = None
    sha256: Hash | None = None
    revision: Name | None = None


class ModelIdentity(Identity):
    source: Name


class VerifierIdentity(Identity):
    spec: Name


class SamplingRecord(_Part):
    """The fields of `llasa_core.Sampling`, which checks their ranges."""

    temperature: float
    top_p: float
    top_k: Annotated[int, Field(ge=0, le=2**31)]
    min_p: float
    repetition_penalty: float


class ModelsRecord(_Part):
    """What `ModelSpec.manifest` returns."""

    preset: Name
    generator: ModelIdentity
    codec: ModelIdentity
    verifiers: Annotated[list[VerifierIdentity], Field(max_length=100)]
    judges: Annotated[list[VerifierIdentity], Field(max_length=100)]
    sampling: SamplingRecord
    device: Annotated[str, Field(pattern=r"^[a-z]{1,20}(:\d{1,3})?$")]
    threads: Annotated[int, Field(ge=0, le=4096)] = 0
    max_seconds: Annotated[float, Field(gt=0)]


class RequestRecord(_Part):
    """What `describe_request` returns."""

    text: Text
    language: Annotated[str, Field(max_length=100)]
    prompt_text: Text
    prompt_samples: Samples
    prompt_sha256: Hash | None
    emotion: Text | None
    emotion_samples: Samples
    emotion_sha256: Hash | None
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)]
    id: Text
    as_written: bool = False


class InputsRecord(_Part):
    """Where the recordings were: a name of a voice, paths."""

    voice: Name | None = None
    prompt_audio: Name | None = None
    emotion_audio: Name | None = None


class Manifest(_Part):
    """Everything that makes a result again. strategy: for `search.strategies.registry.build`; budget:
    fields of `Budget`."""

    schema_: Annotated[int, Field(alias="schema", ge=0, le=SCHEMA)] = 0
    request: RequestRecord
    strategy: dict[str, Any]
    budget: dict[str, int | float]
    models: ModelsRecord
    versions: dict[str, Text]
    inputs: InputsRecord = InputsRecord()


def read_manifest(found: Any) -> Manifest:
    """A manifest, or that of a result, from plain JSON values.

    Raises UserError of one line: which field, what was found, what is wanted.
    """
    if isinstance(found, Mapping) and "manifest" in found:
        found = found["manifest"]
    if not isinstance(found, Mapping):
        raise UserError(f"this is no manifest but {_shown(found)}: give the file that --json wrote")
    version = found.get("schema", 0)
    if type(version) is int and version > SCHEMA:
        raise UserError(
            f"the manifest has schema {shown(version)}, and the latest that is known is {SCHEMA}: "
            "update llasa-search"
        )
    try:
        return Manifest.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        raise UserError(f"the manifest lacks {place}: give the file that --json wrote")
    wanted = first["msg"].replace("Input should", "it should")
    raise UserError(f"{place} of the manifest is {_shown(first['input'])}: {wanted}")


def check_sources(models: ModelsRecord, *, trust: bool = False) -> None:
    """Raises UserError, which names it, for a model that is not known to be the recorded one; loads and
    fetches nothing.

    Known are a local folder or file of the recorded content, a hub model that is in the local cache at the
    recorded revision, and released weights that are on this machine and whose content their verifier knows,
    such as whisper:tiny.en. With `trust` anything goes: sources are loaded, and fetched, as they are named.
    """
    if trust:
        return
    named: list[tuple[str, Identity]] = [("generator", models.generator), ("codec", models.codec)]
    named += [("verifier", entry) for entry in models.verifiers] + [
        ("judge", entry) for entry in models.judges
    ]
    for role, entry in named:
        name = entry.source if entry.spec is None else entry.spec
        assert name is not None
        now = identity(name) if entry.spec is None else verifier_identity(name)
        if reason := _difference(entry, now):
            raise UserError(
                f"the {role} {shown(name)} of the manifest {reason}: "
                "if you trust where it comes from, say so (--trust)"
            )


def _difference(then: Identity, now: Mapping[str, str]) -> str:
    """Why what is there now is not known to be what was there then, "" if it is."""
    if then.sha256 is None and then.revision is None:
        return "" if now.keys() == {"spec"} and _is_known(now["spec"]) else "has no recorded content"
    if then.sha256 is not None:
        if "sha256" not in now:
            return "is not on this machine"
        return "" if now["sha256"] == then.sha256 else "is not the recorded one: its content has changed"
    if then.revision == "unknown":
        return "has no recorded revision"
    revision = now.get("revision", "unknown")
    if revision == "unknown":
        return f"is not in the local cache at the recorded revision {then.revision}"
    return (
        ""
        if revision == then.revision
        else f"is cached at revision {revision}, and {then.revision} was recorded"
    )


def _is_known(spec: str) -> bool:
    """Whether a spec without files of its own can name only one thing: a kind without a source, or released
    weights that are here and that the verifier compares with what it knows."""
    parsed = Spec.parse(spec)
    if parsed.source in ("", "nano"):
        return True
    released = registry.find(parsed.kind).about.released
    name = f"{parsed.kind}:{parsed.source}"
    return "/" not in name and name in released and catalogue.release(name).here


def _shown(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    return "null" if value is None else repr(shown(value)) if isinstance(value, str) else shown(value)
