"""Emotion on three axes: arousal, dominance and valence, by a wav2vec 2.0 with a regression head.

Wagner et al. 2023, "Dawn of the Transformer Era in Speech Emotion Recognition", arXiv 2203.07378.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from llasa_core.audio import SAMPLE_RATE, Waveform, seconds
from llasa_core.loading import check_device
from verifiers.base import About, Score, Target
from verifiers.errors import VerifierError
from verifiers.models.emotion2vec import EMOTION
from verifiers.shared.emotions import DIMENSIONS, check_dimensions
from verifiers.shared.isolation import isolated
from verifiers.shared.loading import (
    check_sample_rate,
    from_hub,
    from_pretrained,
    locate_transformers,
    read_json,
)
from verifiers.shared.remembered import Remembered
from verifiers.shared.verifier import BaseVerifier
from verifiers.shared.wanted import evidence_of_axes
from verifiers.shared.windows import equal_lengths, in_batches
from verifiers.spec import Readers, Spec, one_of, positive_int, word

RELEASED = "audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim"
TARGET, REFERENCE = "target", "reference"
NAMES = {TARGET: "emo-dim", REFERENCE: "emo-dim-sim"}
NEEDED = {TARGET: "dimensions", REFERENCE: EMOTION.field}
FILES = ("preprocessor_config.json",)


class DimensionalEmotion(BaseVerifier):
    """Metric "emo-dim", in [0, 1]: 1 less the mean distance between where a candidate is and where the
    target's `dimensions` want it, over the axes that they give. With `measure=reference` metric
    "emo-dim-sim": the same distance, over all three axes, from where the target's `emotion_reference` is.

    The model was trained on what listeners said of podcasts (MSP-Podcast). Impossible under 0.5 s. Batches
    hold equal lengths, because the values are of a mean over all frames. A part of an utterance is judged
    like a whole one. Evidence: seconds; arousal, dominance and valence, each about 0 to 1, 0.5 being the
    middle; wanted, the values that they are compared with; and for a target's `dimensions` whether all of
    them are `reached`, and what is `found` in their place (`verifiers.shared.wanted`).
    """

    about = About(
        measures="emotion: nearness in arousal, dominance and valence (wav2vec 2.0)",
        needs=(NEEDED[TARGET],),
        released={f"dimensional:{RELEASED}": "CC BY-NC-SA 4.0: research only"},
        min_seconds=0.5,
    )
    options: ClassVar[Readers] = {
        "batch": positive_int,
        "measure": one_of(TARGET, REFERENCE),
        "revision": word,
    }

    def __init__(
        self,
        model: Any,
        extractor: Any,
        *,
        spec: str,
        measure: str = TARGET,
        name: str = "",
        batch: int = 8,
    ) -> None:
        """model: `verifiers.models.dimensional_model.EmotionModel`. extractor: its Wav2Vec2FeatureExtractor,
        which normalises the waveforms."""
        super().__init__(spec=spec, name=name or NAMES[measure])
        self.measure = measure
        self._model = model
        self._extractor = extractor
        self._batch = batch
        self._axes = _axes(model.config.id2label, spec)
        self._reference = replace(EMOTION, metric=self.name)
        self._references = Remembered(lambda reference: self.dimensions([reference])[0])

    @classmethod
    def locate(cls, spec: Spec) -> Path | str:
        if spec.source == "nano":
            raise VerifierError(
                f"no {spec.kind} model is packaged: write dimensional:{RELEASED}, or give its folder"
            )
        found = locate_transformers(spec.kind, spec.source, "wav2vec2", FILES)
        if isinstance(found, Path):
            _axes(read_json(found / "config.json").get("id2label"), str(found))
        return found

    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        return spec.options.get("name", NAMES[cls._measure(spec)]), True

    @classmethod
    def needs_of(cls, spec: Spec) -> tuple[str, ...]:
        return (NEEDED[cls._measure(spec)],)

    @classmethod
    def _measure(cls, spec: Spec) -> str:
        return str(spec.values({**cls.options, "name": word}).get("measure", TARGET))

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "DimensionalEmotion":
        """`dimensional:SOURCE?measure=target|reference&batch=&name=&revision=`; SOURCE: a folder, or a hub
        id."""
        options, found = cls.read(spec, device), cls.locate(spec)
        revision = options.pop("revision", None)
        with isolated():
            from transformers import Wav2Vec2FeatureExtractor

            from verifiers.models.dimensional_model import EmotionModel

            check_device(device)
            extractor = from_hub(Wav2Vec2FeatureExtractor, found, revision=revision)
            model = from_pretrained(EmotionModel, found, revision=revision).to(device)
        check_sample_rate(extractor, str(found))
        return cls(model, extractor, spec=str(spec), **options)

    def check_target(self, target: Target) -> None:
        self._wanted(target)

    def score_all(self, waveforms: list[Waveform], target: Target, partial: bool) -> list[Score]:
        wanted = self._wanted(target)
        return [
            self._score(found, wanted, seconds(waveform))
            for waveform, found in zip(waveforms, self.dimensions(waveforms), strict=True)
        ]

    def _score(self, found: Mapping[str, float], wanted: Mapping[str, float], length: float) -> Score:
        distance = sum(abs(found[axis] - value) for axis, value in wanted.items()) / len(wanted)
        if not np.isfinite(distance):
            return Score(0.0, {}, False, "the model finds no finite values for the audio")
        rounded = {axis: round(value, 5) for axis, value in found.items()}
        reached = evidence_of_axes(wanted, found) if self.measure == TARGET else {}
        evidence = {"seconds": length, **rounded, "wanted": dict(wanted), **reached}
        return Score(max(0.0, 1 - distance), evidence)

    def dimensions(self, waveforms: Sequence[Waveform]) -> list[dict[str, float]]:
        """Where each of the waveforms is on the axes. waveforms: float32 [samples], mono 16 kHz, that
        `verifiers.shared.gate` lets pass."""
        import torch

        with isolated(), torch.inference_mode():
            rows = in_batches(equal_lengths(waveforms, self._batch), waveforms, self._values)
        return [{axis: row[self._axes.index(axis)] for axis in DIMENSIONS} for row in rows]

    def _values(self, waveforms: list[Waveform]) -> list[list[float]]:
        """[rows][labels of the model] of waveforms of one length."""
        inputs = self._extractor(waveforms, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_values
        found: list[list[float]] = self._model(inputs.to(self._model.device)).double().tolist()
        return found

    def _wanted(self, target: Target) -> Mapping[str, float]:
        """Values by their axes. Raises VerifierError if the target has none that can be used."""
        if self.measure == REFERENCE:
            return self._references(
                self._reference.waveform(target, self.about.min_seconds, self.max_seconds)
            )
        if target.dimensions is None:
            raise VerifierError(
                f"{self.name} needs values of {', '.join(DIMENSIONS)}: give the target dimensions"
            )
        check_dimensions(target.dimensions, error=VerifierError)
        return target.dimensions


def _axes(labels: Any, where: str) -> tuple[str, ...]:
    """Names of the model's outputs, in their order. labels: `id2label` of its configuration. Raises
    VerifierError unless they are the axes of emotion."""
    given = labels if isinstance(labels, Mapping) else {}
    names = tuple(str(given[key]) for key in sorted(given, key=str))
    if sorted(names) != sorted(DIMENSIONS):
        said = ", ".join(names)[:80] or "no labels"
        raise VerifierError(
            f"{where} gives {said}, not {', '.join(DIMENSIONS)}: give a model such as {RELEASED}"
        )
    return names
