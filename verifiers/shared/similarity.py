"""Similarity: the cosine between embeddings of a candidate and of a recording that the target holds.

A verifier of voices or of emotions says only how a model is loaded and how it embeds; the rest is here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import Waveform, seconds
from verifiers.base import Score, Target
from verifiers.errors import VerifierError
from verifiers.shared.gate import refusal
from verifiers.shared.isolation import isolated
from verifiers.shared.remembered import Remembered
from verifiers.shared.verifier import BaseVerifier
from verifiers.shared.windows import equal_lengths, in_batches
from verifiers.spec import Readers, Spec, number_between, one_of, positive_int, word

WORST = -1.0
"""The smallest cosine: the value of audio that cannot be judged."""
DEFAULT_BATCH = 16


@dataclass(frozen=True, slots=True)
class Reference:
    """The recording that candidates are compared with.

    field: of `Target`. metric: the name of the similarity to it, unless a spec gives another. noun (without
    an article), cure: for the errors about a target that has none, or one that cannot be used. otherwise:
    what stands in where a target has none.
    """

    field: str
    metric: str
    noun: str
    cure: str
    otherwise: Reference | None = None

    @property
    def needed(self) -> str:
        """The field of `Target` without which nothing can be judged."""
        return self.field if self.otherwise is None else self.otherwise.needed

    def waveform(self, target: Target, min_seconds: float, max_seconds: float) -> Waveform:
        """float32 [samples]. Raises VerifierError if the target has none that can be embedded."""
        waveform: Waveform | None = getattr(target, self.field)
        if waveform is None and self.otherwise is not None:
            return replace(self.otherwise, metric=self.metric).waveform(target, min_seconds, max_seconds)
        if waveform is None:
            raise VerifierError(f"{self.metric} needs the {self.noun}: {self.cure}")
        if reason := refusal(waveform, min_seconds, max_seconds):
            raise VerifierError(f"the {self.noun} cannot be used ({reason}): give another recording")
        return np.ascontiguousarray(waveform, dtype=np.float32)


ORIGINAL = Reference("reference", "sim", "reference voice", "give the target a reference recording")
VOICES = {
    "original": ORIGINAL,
    "resynthesis": Reference(
        "resynthesis",
        "sim-r",
        "codec's resynthesis of the reference voice",
        "give the target a resynthesis, or leave reference=resynthesis out",
    ),
    "emotion": Reference(
        "emotion_reference",
        "sim-emotion",
        "emotion reference",
        "give the target a recording with that emotion, or leave reference=emotion out",
    ),
    "neutral": Reference(
        "neutral",
        "sim-neutral",
        "neutral recording",
        "give the target a recording of the voice",
        otherwise=ORIGINAL,
    ),
}
"""SIM-o compares with the voice prompt itself, SIM-r with what the codec makes of it (Voicebox, arXiv
2306.15687). Neutral: where the prompt has a style, with the neutral recording of its voice in its place.
Likeness to the speaker of an emotion reference is what a verifier of emotions should not reward: a leak
(arXiv 2604.26347)."""


class Similarity(BaseVerifier):
    """A verifier whose value is the cosine, in [-1, 1], with the embedding of a recording of the target.

    As it is, of voices. Batches hold equal lengths unless a kind says otherwise; a reference is embedded once
    for as long as it is among the last ones used. A part of an utterance is judged like a whole one.
    Evidence: the seconds of the candidate and of the reference, and the embedding, of unit length.
    """

    worst = WORST
    options: ClassVar[Readers] = {
        "batch": positive_int,
        "least": number_between(0.0, 60.0),
        "reference": one_of(*VOICES),
    }

    def __init__(
        self,
        *,
        spec: str,
        name: str = "sim",
        batch: int = DEFAULT_BATCH,
        least: float = 0.0,
        reference: Reference = VOICES["original"],
    ) -> None:
        """least: seconds; candidates that are shorter are too short to be judged, beside what the kind says
        of itself."""
        super().__init__(spec=spec, name=name)
        self._least = least
        self._reference = reference
        self._batch = batch
        self._references = Remembered(self._embed_reference)

    @classmethod
    def reference_of(cls, spec: Spec) -> Reference:
        """What the spec compares with: the option `reference`, or the original recording."""
        return VOICES[spec.values({**cls.options, "name": word}).get("reference", "original")]

    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        """(name, higher_is_better): "sim", or "sim-r" against the resynthesis."""
        return spec.options.get("name", cls.reference_of(spec).metric), True

    @classmethod
    def needs_of(cls, spec: Spec) -> tuple[str, ...]:
        """The field of the target that the spec compares with, or that stands in for it."""
        return (cls.reference_of(spec).needed,)

    @classmethod
    def read(cls, spec: Spec, device: str = "cpu") -> dict[str, Any]:
        return {**super().read(spec, device), "reference": cls.reference_of(spec)}

    @property
    def min_seconds(self) -> float:
        return max(self.about.min_seconds, self._least)

    @property
    def needs(self) -> tuple[str, ...]:
        return (self._reference.needed,)

    def _batches(self, waveforms: Sequence[Waveform]) -> Iterator[list[int]]:
        """Indices of waveforms that are embedded together."""
        return equal_lengths(waveforms, self._batch)

    @abstractmethod
    def _vectors(self, waveforms: list[Waveform]) -> NDArray[np.float64]:
        """Embeddings [rows, size], not of unit length, of a batch of `_batches`.

        Called with the caller's state put aside (`isolated`) and without gradients; each row as if alone.
        """

    def check_target(self, target: Target) -> None:
        """Embeds the reference here, so that its cost belongs to the voice, not to the first candidate."""
        reference = self._reference.waveform(target, self.about.min_seconds, self.max_seconds)
        with isolated():
            self._references(reference)

    def score_all(self, waveforms: list[Waveform], target: Target, partial: bool) -> list[Score]:
        reference = self._reference.waveform(target, self.about.min_seconds, self.max_seconds)
        with isolated():
            wanted = self._references(reference)
            raw = self._embed(waveforms)
        return [
            self._score(vector, wanted, {**evidence, "reference_seconds": seconds(reference)})
            for vector, evidence in zip(_unit(raw), self._evidence(waveforms, raw), strict=True)
        ]

    def _evidence(self, waveforms: list[Waveform], vectors: NDArray[np.float64]) -> list[dict[str, Any]]:
        """Of each waveform, whose embedding is a row of `vectors` [waveforms, size]."""
        return [{"seconds": seconds(waveform)} for waveform in waveforms]

    def embed(self, waveforms: Sequence[Waveform]) -> NDArray[np.float64]:
        """Unit-length embeddings [waveforms, size] of float32 [samples] that `verifiers.shared.gate` lets
        pass."""
        return _unit(self._embed(waveforms))

    def _embed(self, waveforms: Sequence[Waveform]) -> NDArray[np.float64]:
        import torch

        with isolated(), torch.inference_mode():
            return np.stack(in_batches(self._batches(waveforms), waveforms, self._vectors))

    def _score(
        self, vector: NDArray[np.float64], wanted: NDArray[np.float64], evidence: Mapping[str, Any]
    ) -> Score:
        cosine = float(vector @ wanted)
        if not np.isfinite(cosine):
            return Score(WORST, {}, False, "the model finds no finite embedding for the audio")
        return Score(cosine, {**evidence, "embedding": vector.round(5).tolist()})

    def _embed_reference(self, reference: Waveform) -> NDArray[np.float64]:
        """[size]. Raises VerifierError if the model cannot embed the reference."""
        vector: NDArray[np.float64] = self.embed([reference])[0]
        if not np.isfinite(vector).all():
            raise VerifierError(
                f"the {self._reference.noun} cannot be used (the model finds no finite embedding): "
                "give another recording"
            )
        return vector


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: NDArray[np.float64] = vectors / np.maximum(lengths, 1e-12)
    return unit
