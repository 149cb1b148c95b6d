"""The one description of the models of a search, from the command line to actors and manifests."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from llasa_core.errors import UserError
from llasa_core.presets import find_preset, resolve_source
from llasa_core.prompt import CONTEXT_TOKENS
from llasa_core.sampling import Sampling
from search.bounds import shown
from search.roles import check_apart, roles

MAX_SECONDS = 20.0
"""The longest candidate, unless told otherwise."""
LONGEST_SECONDS = CONTEXT_TOKENS / 50
"""What the context holds without a word of prompt, at 50 speech tokens a second."""
MOST_MEMORY = 2**50
"""Bytes: a pebibyte, more than any machine has."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Names, folders or hub ids of models, specs of verifiers, and how the models are run. Can be pickled;
    loads nothing.

    judges: specs of the held-out judges. max_seconds: the longest candidate. memory: bytes for keys and
    values, None for what the device has. remember: how many scores each verifier keeps, so that audio that
    comes again is not judged again; 0, none, is right where wall times are compared.

    Raises UserError for a number out of range.
    """

    preset: str
    generator: str
    codec: str
    verifiers: tuple[str, ...]
    judges: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    device: str = "cpu"
    max_seconds: float = MAX_SECONDS
    memory: int | None = None
    remember: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.max_seconds <= LONGEST_SECONDS:
            raise UserError(
                f"max_seconds={shown(self.max_seconds)}: give more than 0 and at most {LONGEST_SECONDS:g}, "
                "which fill the context of the model"
            )
        if self.memory is not None and not 0 < self.memory <= MOST_MEMORY:
            raise UserError(f"memory={shown(self.memory)} bytes: give more than 0 and at most {MOST_MEMORY}")
        if self.remember < 0:
            raise UserError(f"remember={shown(self.remember)}: give 0 or more scores to keep")

    @classmethod
    def from_preset(cls, preset: str = "nano", **overrides: Any) -> ModelSpec:
        """The models of a preset, without judges, but for the fields in `overrides` that are not None.

        Where weights of the preset's verifiers are not installed, others stand in (`search.roles`), and a
        warning says what is lacking. Raises UserError for an unknown preset, a number out of range, or a
        judge with the weights of a verifier.
        """
        chosen = find_preset(preset)
        given = overrides.get("verifiers")
        found = roles(preset) if given is None else None
        if found is not None and set(found.lacking) & set(chosen.verifiers):
            warnings.warn(found.note, stacklevel=3)
        fields: dict[str, Any] = {
            "generator": chosen.generator,
            "codec": chosen.codec,
            "verifiers": given if found is None else found.verifiers,
            "sampling": chosen.sampling,
        }
        fields |= {name: value for name, value in overrides.items() if value is not None}
        for name in ("verifiers", "judges"):
            fields[name] = tuple(fields.get(name, ()))
        check_apart(fields["verifiers"], fields["judges"])
        return cls(preset, **fields)

    def to_dict(self) -> dict[str, Any]:
        """Every field as plain JSON values."""
        return {**asdict(self), "verifiers": list(self.verifiers), "judges": list(self.judges)}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> ModelSpec:
        """From `to_dict()`, or from what `manifest()` returned: an identity stands for its source or spec
        there.

        Expects checked values (`search.results.manifest_schema.read_manifest`).
        """
        return cls(
            preset=given["preset"],
            generator=_name(given["generator"]),
            codec=_name(given["codec"]),
            verifiers=tuple(map(_name, given["verifiers"])),
            judges=tuple(map(_name, given["judges"])),
            sampling=Sampling(**given["sampling"]),
            device=given["device"],
            max_seconds=given["max_seconds"],
            memory=given.get("memory"),
            remember=given.get("remember", 0),
        )

    def manifest(self, threads: int) -> dict[str, Any]:
        """What makes the same models again, each by revision or content hash; `threads` of the processor
        they ran on.

        How much memory they have and how many scores they remember changes no result, and is left out.
        """
        from search.results.manifest import identity, verifier_identity

        found = self.to_dict()
        del found["memory"], found["remember"]
        return {
            **found,
            "generator": identity(resolve_source(self.generator)),
            "codec": identity(resolve_source(self.codec)),
            "verifiers": [verifier_identity(spec) for spec in self.verifiers],
            "judges": [verifier_identity(spec) for spec in self.judges],
            "threads": threads,
        }


def _name(entry: str | Mapping[str, str]) -> str:
    """The source or spec of an identity."""
    return entry if isinstance(entry, str) else entry.get("spec") or entry["source"]
