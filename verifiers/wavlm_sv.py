"""Speaker similarity by WavLM with an x-vector head (transformers): is it the voice of the reference?"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import SAMPLE_RATE, Waveform, seconds
from verifiers.base import About, Score, Target
from verifiers.errors import VerifierError
from verifiers.gate import gated, refusal
from verifiers.isolation import isolated
from verifiers.loading import check_device, check_sample_rate, from_hub, from_pretrained, locate_transformers
from verifiers.spec import Spec, positive_int, word
from verifiers.windows import equal_lengths

FILES = ("preprocessor_config.json",)
WORST_SIM = -1.0
REMEMBERED = 64
"""References whose embeddings are kept."""
UNUSED = ("objective.", "classifier.")
"""Weights of the training loss: no embedding depends on them, and the number of speakers differs."""
_OPTIONS = {"batch": positive_int, "name": word, "revision": word}


class WavLMSpeaker:
    """Metric "sim": the cosine, in [-1, 1], of x-vectors of a candidate and of the target's whole reference.

    Unreliable under 1.5 to 2 s, impossible under 0.5 s. Compare candidates of similar length only. Batches
    hold equal lengths, because padding shifts the embedding. Evidence: seconds of candidate and reference.
    """

    about = About(
        measures="speaker similarity: cosine of WavLM x-vectors",
        needs=("reference",),
        released={"wavlm-sv:nano": "Apache-2.0", "wavlm-sv:microsoft/wavlm-base-plus-sv": "CC BY-SA 3.0"},
        min_seconds=0.5,
    )
    higher_is_better = True
    min_seconds = 0.5

    def __init__(
        self, model: Any, extractor: Any, *, spec: str = "wavlm-sv:nano", name: str = "sim", batch: int = 16
    ) -> None:
        """model: WavLMForXVector. extractor: its Wav2Vec2FeatureExtractor."""
        self.name = name
        self.spec = spec
        self._model = model
        self._extractor = extractor
        self._batch = batch
        self._references: OrderedDict[bytes, NDArray[np.float64]] = OrderedDict()

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        spec.values(_OPTIONS)
        locate_transformers("wavlm-sv", spec.source, "wavlm", FILES)

    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        return spec.options.get("name", "sim"), True

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "WavLMSpeaker":
        """`wavlm-sv:SOURCE?batch=&name=&revision=`; SOURCE: nano, a folder, or a hub id."""
        options = spec.values(_OPTIONS)
        revision = options.pop("revision", None)
        found = locate_transformers("wavlm-sv", spec.source, "wavlm", FILES)
        with isolated():
            from transformers import Wav2Vec2FeatureExtractor, WavLMForXVector

            check_device(device)
            extractor = from_hub(Wav2Vec2FeatureExtractor, found, revision=revision)
            model = from_pretrained(WavLMForXVector, found, revision=revision, unused=UNUSED).to(device)
        check_sample_rate(extractor, str(found))
        return cls(model, extractor, spec=str(spec), **options)

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        """As `verifiers.base.Verifier.score`. A part of an utterance is judged like a whole one."""
        reference = self._check(target)

        def judge(waveforms: list[Waveform]) -> list[Score]:
            with isolated():
                voice = self._reference(reference)
                vectors = self._embed(waveforms)
            return [
                Score(
                    float(vector @ voice),
                    {"seconds": seconds(waveform), "reference_seconds": seconds(reference)},
                )
                for vector, waveform in zip(vectors, waveforms, strict=True)
            ]

        return gated(candidates, self.min_seconds, WORST_SIM, judge)

    def embed(self, waveforms: Sequence[Waveform]) -> NDArray[np.float64]:
        """Unit-length x-vectors [waveforms, size] of float32 [samples] that `verifiers.gate` lets pass."""
        return self._embed(waveforms)

    def _check(self, target: Target) -> Waveform:
        if target.reference is None:
            raise VerifierError(
                "speaker similarity needs a reference voice: give the target a reference recording"
            )
        if reason := refusal(target.reference, self.min_seconds):
            raise VerifierError(
                f"the reference voice cannot be used ({reason}): give another recording of it"
            )
        return np.ascontiguousarray(target.reference, dtype=np.float32)

    def _reference(self, waveform: Waveform) -> NDArray[np.float64]:
        """[size]; embedded once for as long as it is among the last ones used."""
        key = hashlib.blake2b(waveform.tobytes(), digest_size=16).digest()
        if key not in self._references:
            self._references[key] = self._embed([waveform])[0]
            if len(self._references) > REMEMBERED:
                self._references.popitem(last=False)
        self._references.move_to_end(key)
        return self._references[key]

    def _embed(self, waveforms: Sequence[Waveform]) -> NDArray[np.float64]:
        import torch

        vectors: dict[int, NDArray[np.float64]] = {}
        with isolated(), torch.inference_mode():
            for rows in equal_lengths(waveforms, self._batch):
                raw = [waveforms[row] for row in rows]
                inputs = self._extractor(raw, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_values
                found = self._model(inputs.to(self._model.device)).embeddings.double().cpu()
                unit = torch.nn.functional.normalize(found, dim=-1).numpy()
                vectors.update(zip(rows, unit, strict=True))
        return np.stack([vectors[row] for row in range(len(waveforms))])
