"""Speaker similarity by WavLM with an x-vector head (transformers): is it the voice of the reference?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import SAMPLE_RATE
from verifiers.base import About
from verifiers.shared.isolation import isolated
from verifiers.shared.loading import (
    check_device,
    check_sample_rate,
    from_hub,
    from_pretrained,
    locate_transformers,
)
from verifiers.shared.similarity import VOICE_OPTIONS, Similarity, voice_metric, voice_of
from verifiers.spec import Spec, word

FILES = ("preprocessor_config.json",)
UNUSED = ("objective.", "classifier.")
"""Weights of the training loss: no embedding depends on them, and the number of speakers differs."""
_OPTIONS = {**VOICE_OPTIONS, "revision": word}


class WavLMSpeaker(Similarity):
    """Metric "sim": the cosine, in [-1, 1], of x-vectors of a candidate and of the target's whole reference.

    Unreliable under 1.5 to 2 s, impossible under 0.5 s. Compare candidates of similar length only.
    """

    about = About(
        measures="speaker similarity: cosine of WavLM x-vectors",
        needs=("reference",),
        released={"wavlm-sv:nano": "Apache-2.0", "wavlm-sv:microsoft/wavlm-base-plus-sv": "CC BY-SA 3.0"},
        min_seconds=0.5,
    )

    def __init__(self, model: Any, extractor: Any, *, spec: str = "wavlm-sv:nano", **settings: Any) -> None:
        """model: WavLMForXVector. extractor: its Wav2Vec2FeatureExtractor. settings: of `Similarity`."""
        super().__init__(spec=spec, **settings)
        self._model = model
        self._extractor = extractor

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        spec.values(_OPTIONS)
        locate_transformers("wavlm-sv", spec.source, "wavlm", FILES)

    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        return voice_metric(spec)

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "WavLMSpeaker":
        """`wavlm-sv:SOURCE?batch=&name=&reference=&revision=`; SOURCE: nano, a folder, or a hub id."""
        options = {**spec.values(_OPTIONS), "name": cls.metric(spec)[0], "reference": voice_of(spec)}
        revision = options.pop("revision", None)
        found = locate_transformers("wavlm-sv", spec.source, "wavlm", FILES)
        with isolated():
            from transformers import Wav2Vec2FeatureExtractor, WavLMForXVector

            check_device(device)
            extractor = from_hub(Wav2Vec2FeatureExtractor, found, revision=revision)
            model = from_pretrained(WavLMForXVector, found, revision=revision, unused=UNUSED).to(device)
        check_sample_rate(extractor, str(found))
        return cls(model, extractor, spec=str(spec), **options)

    def _vectors(self, waveforms: NDArray[np.float32]) -> NDArray[np.float64]:
        raw = list(waveforms)
        inputs = self._extractor(raw, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_values
        vectors = self._model(inputs.to(self._model.device)).embeddings
        found: NDArray[np.float64] = vectors.double().cpu().numpy()
        return found
