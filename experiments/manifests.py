"""The results and manifests that `replay` is given: their schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from experiments.documents import Schema, checked
from llasa_core.errors import UserError

Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Samples = Annotated[int, Field(ge=0, le=2**40)]
Value = str | int | float | bool | None


class Identity(Schema):
    """A model by the content of its folder, or by its revision on the hub."""

    source: str
    sha256: Hash | None = None
    revision: str | None = None


class VerifierIdentity(Schema):
    spec: str
    sha256: Hash | None = None
    revision: str | None = None


class Models(Schema):
    """As `ModelSpec.manifest` has it."""

    preset: str
    generator: Identity
    codec: Identity
    verifiers: list[VerifierIdentity]
    judges: list[VerifierIdentity]
    sampling: dict[str, float]
    device: str = Field(pattern=r"^(cpu|cuda(:[0-9]{1,3})?)$")
    max_seconds: float
    threads: int = Field(ge=1, le=4096)


class Asked(Schema):
    """The request, as `describe_request` has it."""

    text: str
    language: str
    prompt_text: str
    prompt_samples: Samples
    prompt_sha256: Hash | None
    emotion: str | None
    emotion_samples: Samples
    emotion_sha256: Hash | None
    seed: int
    id: str


class Inputs(Schema):
    """Where the recordings were."""

    voice: str | None = None
    prompt_audio: str | None = None
    emotion_audio: str | None = None


class Manifest(Schema):
    """All that makes a result again."""

    version: Literal[1] = Field(default=1, alias="schema")
    request: Asked
    strategy: dict[str, Value | list[str] | dict[str, Any]]
    budget: dict[str, float]
    models: Models
    versions: dict[str, str]
    inputs: Inputs = Inputs()


class Result(Schema):
    """What a result says beside its manifest."""

    model_config = ConfigDict(extra="ignore")
    manifest: Manifest
    waveform_sha256: Hash | None = None


def check_result(found: Any, place: str) -> dict[str, Any]:
    """A result, or its manifest alone, as a result. Raises UserError for anything else."""
    if not isinstance(found, Mapping) or not {"manifest", "request"} & found.keys():
        raise UserError(f"{place} holds no manifest of a result: give the file that --json wrote")
    result = dict(found) if "manifest" in found else {"manifest": found}
    checked(Result, result, place)
    return result
