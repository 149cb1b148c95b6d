"""Speaker similarity by WavLM with an x-vector head (transformers): is it the voice of the reference?"""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import SAMPLE_RATE, Waveform
from verifiers.base import About
from verifiers.shared.isolation import isolated
from verifiers.shared.loading import (
    check_device,
    check_sample_rate,
    from_hub,
    from_pretrained,
    locate_transformers,
)
from verifiers.shared.similarity import Similarity
from verifiers.spec import Readers, Spec, word

FILES = ("preprocessor_config.json",)
UNUSED = ("objective.", "classifier.")
"""Weights of the training loss: no embedding depends on them, and the number of speakers differs."""


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

    options: ClassVar[Readers] = {**Similarity.options, "revision": word}

    def __init__(self, model: Any, extractor: Any, *, spec: str = "wavlm-sv:nano", **settings: Any) -> None:
        """model: WavLMForXVector. extractor: its Wav2Vec2FeatureExtractor. settings: of `Similarity`."""
        super().__init__(spec=spec, **settings)
        self._model = model
        self._extractor = extractor

    @classmethod
    def locate(cls, spec: Spec) -> Path | str:
        return locate_transformers("wavlm-sv", spec.source, "wavlm", FILES)

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "WavLMSpeaker":
        """`wavlm-sv:SOURCE?batch=&least=&name=&reference=&revision=`; SOURCE: nano, a folder, or a hub id."""
        options, found = cls.read(spec, device), cls.locate(spec)
        revision = options.pop("revision", None)
        with isolated():
            from transformers import Wav2Vec2FeatureExtractor, WavLMForXVector

            check_device(device)
            extractor = from_hub(Wav2Vec2FeatureExtractor, found, revision=revision)
            model = from_pretrained(WavLMForXVector, found, revision=revision, unused=UNUSED).to(device)
        check_sample_rate(extractor, str(found))
        return cls(model, extractor, spec=str(spec), **options)

    def _vectors(self, waveforms: list[Waveform]) -> NDArray[np.float64]:
        inputs = self._extractor(waveforms, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_values
        vectors = self._model(inputs.to(self._model.device)).embeddings
        found: NDArray[np.float64] = vectors.double().cpu().numpy()
        return found
