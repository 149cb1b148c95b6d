"""Similarity: the cosine between embeddings of a candidate and of a recording that the target holds.

Who compares voices, or emotions, says only how a model is loaded and how it embeds; the rest is here.
"""

import hashlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import Waveform, seconds
from verifiers.base import Score, Target
from verifiers.errors import VerifierError
from verifiers.shared.gate import gated, refusal
from verifiers.shared.isolation import isolated
from verifiers.shared.windows import equal_lengths
from verifiers.spec import Spec, one_of, positive_int, word

WORST = -1.0
"""The smallest cosine: the value of audio that cannot be judged."""
REMEMBERED = 64
"""References whose embeddings are kept."""
DEFAULT_BATCH = 16


@dataclass(frozen=True, slots=True)
class Reference:
    """The recording that candidates are compared with.

    field: of `Target`. metric: the name of the similarity to it, unless a spec gives another. noun (without an
    article), cure: for the errors about a target that has none, or one that cannot be used.
    """

    field: str
    metric: str
    noun: str
    cure: str

    def of(self, target: Target, min_seconds: float) -> Waveform:
        """float32 [samples]. Raises VerifierError if the target has none that can be embedded."""
        waveform: Waveform | None = getattr(target, self.field)
        if waveform is None:
            raise VerifierError(f"{self.metric} needs the {self.noun}: {self.cure}")
        if reason := refusal(waveform, min_seconds):
            raise VerifierError(f"the {self.noun} cannot be used ({reason}): give another recording")
        return np.ascontiguousarray(waveform, dtype=np.float32)


VOICES = {
    "original": Reference("reference", "sim", "reference voice", "give the target a reference recording"),
    "resynthesis": Reference(
        "resynthesis",
        "sim-r",
        "codec's resynthesis of the reference voice",
        "give the target a resynthesis, or leave reference=resynthesis out",
    ),
}
"""SIM-o compares with the voice prompt itself, SIM-r with what the codec makes of it (Voicebox, arXiv 2306.15687)."""

VOICE_OPTIONS = {"batch": positive_int, "name": word, "reference": one_of(*VOICES)}
"""Options of every verifier of voices."""


def voice_of(spec: Spec) -> Reference:
    """What the spec's option `reference` compares with; without it the original recording."""
    return VOICES[spec.options.get("reference", "original")]


def voice_metric(spec: Spec) -> tuple[str, bool]:
    """(name, higher_is_better) of a verifier of voices: "sim", or "sim-r" against the resynthesis."""
    return spec.options.get("name", voice_of(spec).metric), True


class Similarity(ABC):
    """A verifier whose value is the cosine, in [-1, 1], with the embedding of a recording of the target.

    Batches hold equal lengths only, since padding shifts embeddings; a reference is embedded once for as long
    as it is among the last ones used. A part of an utterance is judged like a whole one. Evidence: the seconds
    of the candidate and of the reference.
    """

    higher_is_better = True
    min_seconds = 0.5

    def __init__(
        self,
        *,
        spec: str,
        name: str = "sim",
        batch: int = DEFAULT_BATCH,
        reference: Reference = VOICES["original"],
    ) -> None:
        self.name = name
        self.spec = spec
        self.needs = (reference.field,)
        self._reference = reference
        self._batch = batch
        self._references: OrderedDict[bytes, NDArray[np.float64]] = OrderedDict()

    @classmethod
    def needed(cls, spec: Spec) -> tuple[str, ...]:
        """The field of the target that the spec compares with."""
        return (voice_of(spec).field,)

    @abstractmethod
    def _vectors(self, waveforms: NDArray[np.float32]) -> NDArray[np.float64]:
        """Embeddings [rows, size], of any lengths, of [rows, samples].

        Called with the caller's state put aside (`isolated`) and without gradients; each row as if alone.
        """

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        """As `verifiers.base.Verifier.score`."""
        reference = self._reference.of(target, self.min_seconds)
        with isolated():
            # also for no candidates: what it costs is of the voice, not of the first that is judged
            wanted = self._remembered(reference)

        def judge(waveforms: list[Waveform]) -> list[Score]:
            with isolated():
                vectors = self.embed(waveforms)
            return [
                self._score(vector, wanted, waveform, reference)
                for vector, waveform in zip(vectors, waveforms, strict=True)
            ]

        return gated(candidates, self.min_seconds, WORST, judge)

    def embed(self, waveforms: Sequence[Waveform]) -> NDArray[np.float64]:
        """Unit-length embeddings [waveforms, size] of float32 [samples] that `verifiers.shared.gate` lets pass."""
        import torch

        found: dict[int, NDArray[np.float64]] = {}
        with isolated(), torch.inference_mode():
            for rows in equal_lengths(waveforms, self._batch):
                vectors = self._vectors(np.stack([waveforms[row] for row in rows]))
                lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
                found.update(zip(rows, vectors / np.maximum(lengths, 1e-12), strict=True))
        return np.stack([found[row] for row in range(len(waveforms))])

    def _score(
        self,
        vector: NDArray[np.float64],
        wanted: NDArray[np.float64],
        waveform: Waveform,
        reference: Waveform,
    ) -> Score:
        cosine = float(vector @ wanted)
        if not np.isfinite(cosine):
            return Score(WORST, {}, False, "the model finds no finite embedding for the audio")
        return Score(cosine, {"seconds": seconds(waveform), "reference_seconds": seconds(reference)})

    def _remembered(self, reference: Waveform) -> NDArray[np.float64]:
        """[size]. Raises VerifierError if the model cannot embed the reference."""
        key = hashlib.blake2b(reference.tobytes(), digest_size=16).digest()
        if key not in self._references:
            vector = self.embed([reference])[0]
            if not np.isfinite(vector).all():
                raise VerifierError(
                    f"the {self._reference.noun} cannot be used (the model finds no finite embedding): "
                    "give another recording"
                )
            self._references[key] = vector
            if len(self._references) > REMEMBERED:
                self._references.popitem(last=False)
        self._references.move_to_end(key)
        return self._references[key]
