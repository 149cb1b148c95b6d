"""Emotion by emotion2vec (funasr): does it sound like a reference, or like a named emotion?

Ma et al., "emotion2vec: Self-Supervised Pre-Training for Speech Emotion Representation", arXiv 2312.15185.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import Waveform
from verifiers.base import About, Score, Target
from verifiers.errors import VerifierError
from verifiers.shared.emotions import EMOTIONS
from verifiers.shared.funasr import HUBS, fetch_funasr, load_funasr, locate_funasr
from verifiers.shared.isolation import isolated
from verifiers.shared.remembered import Remembered
from verifiers.shared.similarity import WORST, Reference, Similarity
from verifiers.shared.wanted import Wanted, likeliest
from verifiers.spec import Readers, Spec, one_of, positive_int, word

SIMILARITY, LABEL = "similarity", "label"
NAMES = {SIMILARITY: "emo-sim", LABEL: "emo"}
CLASSES = ("Emotion2vec",)
EMOTION = Reference(
    "emotion_reference",
    NAMES[SIMILARITY],
    "emotion reference",
    "give the target a recording with that emotion, in any voice",
)
UNKNOWN = "<unk>"
UNUSED_LABEL = "unuse"
"""How the labels start that released models list but never give."""
UNUSED = ("modality_encoders.AUDIO.decoder.",)
"""Weights of the pre-training: the released checkpoints lack them, and no score depends on them."""


class Emotion2vec(Similarity):
    """Metric "emo-sim": the cosine, in [-1, 1], of the mean features of a candidate and of the target's
    `emotion_reference`, which may be in any voice. With `measure=label` metric "emo", in [0, 1]: the
    probability of the target's `emotion`, or how near the probabilities are to its `strength` or `mix`
    (`verifiers.shared.wanted`), by a name that `verifiers.shared.emotions` knows ("happy", "joy", "开心").

    Impossible under 0.5 s, weak under 1 to 2 s. The base model's cosines stay above 0.9 whatever the emotion.
    Batches hold equal lengths, because padding changes the features. Evidence: seconds, and of a model with
    labels the probabilities of all of them by their English names, the likeliest, whether the wanted emotion
    (of a reference the likeliest label) is `reached`, and what is `found` in its place.
    """

    about = About(
        measures="emotion: cosine of emotion2vec features with a reference, or probability of a label",
        needs=(EMOTION.field,),
        released={
            "emotion2vec:nano": "Apache-2.0",
            "emotion2vec:iic/emotion2vec_plus_large": "unclear: see its page on the hub",
            "emotion2vec:iic/emotion2vec_base": "unclear: see its page on the hub",
        },
        min_seconds=0.5,
        extra="funasr",
        modules=("funasr",),
    )
    options: ClassVar[Readers] = {
        "batch": positive_int,
        "hub": one_of(*HUBS),
        "measure": one_of(SIMILARITY, LABEL),
        "revision": word,
    }

    def __init__(
        self,
        model: Any,
        labels: Sequence[str],
        *,
        spec: str = "emotion2vec:nano",
        measure: str = SIMILARITY,
        name: str = "",
        batch: int = 8,
        reference: Reference = EMOTION,
    ) -> None:
        """model: funasr's Emotion2vec. labels: of its classes, as in tokens.txt; none if it has no
        classes."""
        super().__init__(spec=spec, name=name or NAMES[measure], batch=batch, reference=reference)
        self.measure = measure
        self.worst = WORST if measure == SIMILARITY else 0.0
        self._model = model
        self._labels = list(labels)
        self._clips = Remembered(self._hear)

    @classmethod
    def locate(cls, spec: Spec) -> Path | str:
        options = spec.options
        return locate_funasr(
            "emotion2vec", spec.source, CLASSES, options.get("hub", "ms"), options.get("revision")
        )

    @classmethod
    def reference_of(cls, spec: Spec) -> Reference:
        return EMOTION

    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        return spec.options.get("name", NAMES[cls._measure(spec)]), True

    @classmethod
    def needs_of(cls, spec: Spec) -> tuple[str, ...]:
        """The field of the target that the spec's measure is about."""
        return (EMOTION.field if cls._measure(spec) == SIMILARITY else "emotion",)

    @property
    def needs(self) -> tuple[str, ...]:
        return (EMOTION.field if self.measure == SIMILARITY else "emotion",)

    @classmethod
    def _measure(cls, spec: Spec) -> str:
        return str(spec.values({**cls.options, "name": word}).get("measure", SIMILARITY))

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "Emotion2vec":
        """`emotion2vec:SOURCE?measure=similarity|label&batch=&name=&hub=ms|hf&revision=`.

        SOURCE: nano, a folder, or an id on the hub (modelscope unless `hub=hf`).
        """
        options = cls.read(spec, device)
        folder = fetch_funasr(cls.locate(spec), options.pop("hub", "ms"), options.pop("revision", None))
        with isolated():
            loaded = load_funasr("emotion2vec", folder, device, CLASSES, unused=UNUSED)
        labels = [] if loaded.model.proj is None else list(loaded.tokenizer.token_list)
        if not labels and options.get("measure") == LABEL:
            raise VerifierError(
                f"{folder} has no labels (no tokens.txt): give emotion2vec_plus_large, or measure=similarity"
            )
        return cls(loaded.model, labels, spec=str(spec), **options)

    @property
    def emotions(self) -> tuple[str, ...]:
        """English names of the emotions that the model can give."""
        return tuple(_names(label)[0] for label in self._labels if not label.startswith(UNUSED_LABEL))

    @classmethod
    def emotions_of(cls, spec: Spec) -> tuple[str, ...]:
        if cls._measure(spec) == SIMILARITY:
            return ()
        folder = cls.locate(spec)
        if not isinstance(folder, Path):
            return tuple(EMOTIONS)  # the labels of the released models
        tokens = folder / "tokens.txt"
        lines = tokens.read_text(encoding="utf-8").split() if tokens.is_file() else []
        return tuple("/".join(_names(label)) for label in lines if not label.startswith(UNUSED_LABEL))

    def check_target(self, target: Target) -> None:
        if self.measure == SIMILARITY:
            super().check_target(target)
        else:
            self._wanted(target)

    def score_all(self, waveforms: list[Waveform], target: Target, partial: bool) -> list[Score]:
        """A part of an utterance is judged like a whole one."""
        if self.measure == SIMILARITY:
            scores = super().score_all(waveforms, target, partial)
            if partial or not self._labels:
                return scores
            clip = self._clips(self._reference.waveform(target, self.about.min_seconds, self.max_seconds))
            return [
                replace(score, evidence={**score.evidence, **clip.evidence(score.evidence["probabilities"])})
                if score.usable
                else score
                for score in scores
            ]
        wanted = self._wanted(target)
        evidence = self._evidence(waveforms, self._embed(waveforms))
        return [
            Score(wanted.score(found["probabilities"]), {**found, **wanted.evidence(found["probabilities"])})
            for found in evidence
        ]

    def _wanted(self, target: Target) -> Wanted:
        """By the English names of the labels."""
        names = [_names(label) for label in self._labels if not label.startswith(UNUSED_LABEL)]
        return Wanted.of(target, {"/".join(own): own[0] for own in names})

    def _hear(self, reference: Waveform) -> Wanted:
        """The emotion that the model hears in a recording: what speech like it should have."""
        (probabilities,) = self._probabilities(self._embed([reference]))
        return Wanted({likeliest(probabilities): 1.0})

    def _evidence(self, waveforms: list[Waveform], vectors: NDArray[np.float64]) -> list[dict[str, Any]]:
        """Seconds, and of a model with labels the probabilities by English names and the likeliest."""
        evidence = super()._evidence(waveforms, vectors)
        for found, probabilities in zip(evidence, self._probabilities(vectors), strict=False):
            found["probabilities"] = probabilities
            found["label"] = likeliest(probabilities)
        return evidence

    def _vectors(self, waveforms: list[Waveform]) -> NDArray[np.float64]:
        """Mean features: what `Emotion2vec.inference` of funasr computes one by one."""
        import torch

        stack = torch.from_numpy(np.stack(waveforms)).to(next(self._model.parameters()).device)
        if self._model.cfg.normalize:
            stack = torch.nn.functional.layer_norm(stack, stack.shape[1:])
        pooled = self._model.extract_features(stack, padding_mask=None)["x"].mean(dim=1)
        found: NDArray[np.float64] = pooled.double().cpu().numpy()
        return found

    def _probabilities(self, vectors: NDArray[np.float64]) -> list[dict[str, float]]:
        """By English names, for each of the mean features [rows, size]; [] for a model without labels."""
        import torch

        if not self._labels:
            return []
        given = [i for i, label in enumerate(self._labels) if not label.startswith(UNUSED_LABEL)]
        weight = next(self._model.proj.parameters())
        with torch.inference_mode():
            logits = self._model.proj(torch.from_numpy(vectors).to(weight.device, weight.dtype))[:, given]
        rows = logits.double().softmax(dim=-1).tolist()
        return [dict(zip(self.emotions, row, strict=True)) for row in rows]


def _names(label: str) -> tuple[str, ...]:
    """The names in a label of tokens.txt, the English one first: of "开心/happy" happy and 开心."""
    return ("unknown",) if label == UNKNOWN else tuple(reversed(label.split("/")))
