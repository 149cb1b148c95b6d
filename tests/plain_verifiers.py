"""Two verifiers without a model, added to the registry as another package would add its own.

`crossings` measures "wer" (lower is better): how far the rate of zero crossings is from a twentieth.
`level` measures "sim": how near the loudness is to that of the reference voice. `mood` measures "emo": how
loud a happy and how quiet a sad voice is.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest

from llasa_core.audio import Waveform, loudness_dbfs
from verifiers import registry
from verifiers.base import About, Score, Target
from verifiers.errors import VerifierError
from verifiers.spec import Spec

KINDS = {
    "crossings": "tests.plain_verifiers:Crossings",
    "level": "tests.plain_verifiers:Level",
    "mood": "tests.plain_verifiers:Mood",
}


@pytest.fixture
def plain_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BUILT_IN", {**registry.BUILT_IN, **KINDS})


class Plain:
    """What the registry asks a kind for, of one without weights."""

    about: ClassVar[About]
    name: ClassVar[str]
    higher_is_better: ClassVar[bool]
    min_seconds = 0.0

    @property
    def needs(self) -> tuple[str, ...]:
        return self.about.needs

    @classmethod
    def needs_of(cls, spec: Spec) -> tuple[str, ...]:
        return cls.about.needs

    @classmethod
    def emotions_of(cls, spec: Spec) -> tuple[str, ...]:
        return ()

    @classmethod
    def is_name(cls, spec: Spec) -> bool:
        return False

    @classmethod
    def canonical(cls, spec: Spec) -> str:
        return spec.source

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        spec.values({})

    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        return cls.name, cls.higher_is_better


class Crossings(Plain):
    about = About(measures="zero crossings", needs=("text",), released={}, min_seconds=0.0)
    name = "wer"
    higher_is_better = False

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self.calls: list[int] = []

    @classmethod
    def from_spec(cls, spec: Spec, device: str) -> "Crossings":
        return cls(str(spec))

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        self.calls.append(len(candidates))
        return [self._score(candidate, target) for candidate in candidates]

    def _score(self, candidate: Waveform, target: Target) -> Score:
        rate = float(np.mean(np.diff(np.signbit(candidate)))) if len(candidate) > 1 else 1.0
        return Score(abs(rate - 0.05), {"rate": rate, "transcript": target.text})


class Level(Crossings):
    about = About(measures="loudness", needs=("reference",), released={}, min_seconds=0.0)
    name = "sim"
    higher_is_better = True

    def _score(self, candidate: Waveform, target: Target) -> Score:
        assert target.reference is not None
        return Score(-abs(loudness_dbfs(candidate) - loudness_dbfs(target.reference)))


class Mood(Crossings):
    about = About(measures="mood", needs=("emotion",), released={}, min_seconds=0.0)
    name = "emo"
    higher_is_better = True

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        if target.emotion not in ("happy", "sad"):
            raise VerifierError(f"unknown emotion {target.emotion!r}: there are happy, sad")
        return super().score(candidates, target, partial)

    def _score(self, candidate: Waveform, target: Target) -> Score:
        return Score((1 if target.emotion == "happy" else -1) * loudness_dbfs(candidate))
