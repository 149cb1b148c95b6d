"""Emotion by emotion2vec (funasr): does it sound like a reference, or like a named emotion?

Ma et al., "emotion2vec: Self-Supervised Pre-Training for Speech Emotion Representation", arXiv 2312.15185.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import Waveform, seconds
from verifiers.base import About, Score, Target
from verifiers.errors import VerifierError
from verifiers.shared.funasr import HUBS, fetch, load_funasr, locate_funasr
from verifiers.shared.gate import gated, refusal
from verifiers.shared.isolation import isolated
from verifiers.shared.loading import require
from verifiers.shared.windows import equal_lengths
from verifiers.spec import Spec, nearest, one_of, positive_int, word

SIMILARITY, LABEL = "similarity", "label"
NAMES = {SIMILARITY: "emo-sim", LABEL: "emo"}
WORST = {SIMILARITY: -1.0, LABEL: 0.0}
NEEDS = {SIMILARITY: "emotion_reference", LABEL: "emotion"}
UNKNOWN = "<unk>"
UNUSED_LABEL = "unuse"
"""How the labels start that released models list but never give."""
UNUSED = ("modality_encoders.AUDIO.decoder.",)
"""Weights of the pre-training: the released checkpoints lack them, and no score depends on them."""
REMEMBERED = 64
"""References whose embeddings are kept."""
_OPTIONS = {
    "batch": positive_int,
    "hub": one_of(*HUBS),
    "measure": one_of(SIMILARITY, LABEL),
    "name": word,
    "revision": word,
}


class Emotion2vec:
    """Metric "emo-sim": the cosine, in [-1, 1], of the mean features of a candidate and of the target's
    `emotion_reference`, which may be in any voice. With `measure=label` metric "emo": the probability, in
    [0, 1], of the target's `emotion`, named as the model does in English or Chinese ("happy", "开心").

    Impossible under 0.5 s, weak under 1 to 2 s. The base model's cosines stay above 0.9 whatever the emotion.
    Batches hold equal lengths, because padding changes the features. Evidence: seconds, and of a model with
    labels the probabilities of all of them by their English names, and the likeliest.
    """

    about = About(
        measures="emotion: cosine of emotion2vec features with a reference, or probability of a label",
        needs=(NEEDS[SIMILARITY],),
        released={
            "emotion2vec:nano": "Apache-2.0",
            "emotion2vec:iic/emotion2vec_plus_large": "unclear: see its page on the hub",
            "emotion2vec:iic/emotion2vec_base": "unclear: see its page on the hub",
        },
        min_seconds=0.5,
        extra="funasr",
        modules=("funasr",),
    )
    higher_is_better = True
    min_seconds = 0.5

    def __init__(
        self,
        model: Any,
        labels: Sequence[str],
        *,
        spec: str = "emotion2vec:nano",
        measure: str = SIMILARITY,
        name: str | None = None,
        batch: int = 8,
    ) -> None:
        """model: funasr's Emotion2vec. labels: of its classes, as in tokens.txt; none if it has no classes."""
        self.name = name or NAMES[measure]
        self.spec = spec
        self.measure = measure
        self.needs = (NEEDS[measure],)
        self._model = model
        self._labels = list(labels)
        self._batch = batch
        self._references: OrderedDict[bytes, NDArray[np.float64]] = OrderedDict()

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        options = spec.values(_OPTIONS)
        require("emotion2vec", cls.about)
        locate_funasr("emotion2vec", spec.source, options.get("hub", "ms"), options.get("revision"))

    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        return spec.options.get("name", NAMES[_measure(spec)]), True

    @classmethod
    def needed(cls, spec: Spec) -> tuple[str, ...]:
        """The field of the target that the spec's measure is about."""
        return (NEEDS[_measure(spec)],)

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "Emotion2vec":
        """`emotion2vec:SOURCE?measure=similarity|label&batch=&name=&hub=ms|hf&revision=`.

        SOURCE: nano, a folder, or an id on the hub (modelscope unless `hub=hf`).
        """
        options = spec.values(_OPTIONS)
        hub, revision = options.pop("hub", "ms"), options.pop("revision", None)
        found = locate_funasr("emotion2vec", spec.source, hub, revision)
        folder = found if isinstance(found, Path) else fetch(found, hub, revision)
        auto = load_funasr("emotion2vec", folder, device, "Emotion2vec", UNUSED)
        labels = [] if auto.model.proj is None else list(auto.kwargs["tokenizer"].token_list)
        if not labels and options.get("measure") == LABEL:
            raise VerifierError(
                f"{folder} has no labels (no tokens.txt): give emotion2vec_plus_large, or measure=similarity"
            )
        return cls(auto.model, labels, spec=str(spec), **options)

    @property
    def emotions(self) -> tuple[str, ...]:
        """English names of the emotions that the model can give."""
        return tuple(_names(label)[0] for label in self._labels if not label.startswith(UNUSED_LABEL))

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        """As `verifiers.base.Verifier.score`. A part of an utterance is judged like a whole one."""
        if self.measure == LABEL:
            wanted = self._label(target)

            def judge(waveforms: list[Waveform]) -> list[Score]:
                _, probabilities = self._hear(waveforms)
                return [
                    Score(found[wanted], self._evidence(waveform, found))
                    for waveform, found in zip(waveforms, probabilities, strict=True)
                ]
        else:
            reference = self._check(target)

            def judge(waveforms: list[Waveform]) -> list[Score]:
                with isolated():
                    goal = self._reference(reference)
                    vectors, probabilities = self._hear(waveforms)
                return [
                    Score(
                        float(vector @ goal),
                        {**self._evidence(waveform, found), "reference_seconds": seconds(reference)},
                    )
                    for waveform, vector, found in zip(waveforms, vectors, probabilities, strict=True)
                ]

        return gated(candidates, self.min_seconds, WORST[self.measure], judge)

    def embed(self, waveforms: Sequence[Waveform]) -> NDArray[np.float64]:
        """Unit-length mean features [waveforms, size] of float32 [samples] that `verifiers.shared.gate` lets pass."""
        return self._hear(waveforms)[0]

    def _label(self, target: Target) -> str:
        """The English name of the target's emotion."""
        if target.emotion is None:
            raise VerifierError("the probability of an emotion needs its name: give the target an emotion")
        known = {name.lower(): _names(label)[0] for label in self._labels for name in _names(label)}
        known = {name: english for name, english in known.items() if english in self.emotions}
        given = target.emotion.strip()
        if given.lower() not in known:
            raise VerifierError(f"unknown emotion {given!r}{_nearest(given, known, self.emotions)}")
        return known[given.lower()]

    def _check(self, target: Target) -> Waveform:
        if target.emotion_reference is None:
            raise VerifierError(
                "emotion similarity needs a reference: give the target a recording with that emotion"
            )
        if reason := refusal(target.emotion_reference, self.min_seconds):
            raise VerifierError(
                f"the emotion reference cannot be used ({reason}): give another recording with that emotion"
            )
        return np.ascontiguousarray(target.emotion_reference, dtype=np.float32)

    def _reference(self, waveform: Waveform) -> NDArray[np.float64]:
        """[size]; embedded once for as long as it is among the last ones used."""
        key = hashlib.blake2b(waveform.tobytes(), digest_size=16).digest()
        if key not in self._references:
            self._references[key] = self.embed([waveform])[0]
            if len(self._references) > REMEMBERED:
                self._references.popitem(last=False)
        self._references.move_to_end(key)
        return self._references[key]

    def _evidence(self, waveform: Waveform, probabilities: Mapping[str, float]) -> dict[str, Any]:
        evidence: dict[str, Any] = {"seconds": seconds(waveform)}
        if probabilities:
            evidence["probabilities"] = dict(probabilities)
            evidence["label"] = max(probabilities, key=lambda name: probabilities[name])
        return evidence

    def _hear(self, waveforms: Sequence[Waveform]) -> tuple[NDArray[np.float64], list[dict[str, float]]]:
        """Unit vectors [waveforms, size] and for each waveform the probabilities by English names.

        What `Emotion2vec.inference` of funasr computes one by one, for waveforms of equal length at once.
        """
        import torch

        device = next(self._model.parameters()).device
        vectors: dict[int, NDArray[np.float64]] = {}
        probabilities: dict[int, dict[str, float]] = {}
        with isolated(), torch.inference_mode():
            for rows in equal_lengths(waveforms, self._batch):
                stack = torch.from_numpy(np.stack([waveforms[row] for row in rows])).to(device)
                if self._model.cfg.normalize:
                    stack = torch.nn.functional.layer_norm(stack, stack.shape[1:])
                pooled = self._model.extract_features(stack, padding_mask=None)["x"].mean(dim=1)
                unit = torch.nn.functional.normalize(pooled.double(), dim=-1).cpu().numpy()
                vectors.update(zip(rows, unit, strict=True))
                probabilities.update(zip(rows, self._probabilities(pooled), strict=True))
        order = range(len(waveforms))
        return np.stack([vectors[row] for row in order]), [probabilities[row] for row in order]

    def _probabilities(self, pooled: Any) -> list[dict[str, float]]:
        """pooled: mean features [rows, size]."""
        if not self._labels:
            return [{} for _ in pooled]
        given = [i for i, label in enumerate(self._labels) if not label.startswith(UNUSED_LABEL)]
        rows = self._model.proj(pooled)[:, given].double().softmax(dim=-1).tolist()
        return [dict(zip(self.emotions, row, strict=True)) for row in rows]


def _measure(spec: Spec) -> str:
    return str(spec.values(_OPTIONS).get("measure", SIMILARITY))


def _names(label: str) -> tuple[str, ...]:
    """What a label of tokens.txt may be called, its English name first: "开心/happy" is happy, 开心, 开心/happy."""
    if label == UNKNOWN:
        return ("unknown", UNKNOWN)
    return (*reversed(label.split("/")), label)


def _nearest(given: str, known: Mapping[str, str], emotions: Sequence[str]) -> str:
    """As `verifiers.spec.nearest`, of the names in English, or of those in Chinese for one that is not ASCII."""
    chinese = [name for name in known if not name.isascii() and "/" not in name]
    return nearest(given, emotions if given.isascii() else chinese)
