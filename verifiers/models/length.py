"""Unnatural length: how long the speech lasts against how long its text takes to say."""

import math
from dataclasses import replace
from typing import Any

from llasa_core.audio import SAMPLE_RATE, Waveform
from llasa_core.errors import nearest
from llasa_core.text.length import PACES, predict_seconds
from verifiers.base import About, Score, Target
from verifiers.errors import VerifierError
from verifiers.models.signal import FRAME, silent_frames
from verifiers.shared.verifier import BaseVerifier
from verifiers.spec import Spec


class SpokenLength(BaseVerifier):
    """Metric "length": |log(seconds spoken / seconds predicted from the text)|; 0 is natural, 0.7 is half or
    double. Seconds are from the first sound to the last.

    The source of a spec is whose pace is predicted (`llasa_core.text.length.PACES`), such as `length:llasa`.
    Audio that breaks off is only ever too long. Evidence: both lengths in seconds.
    """

    about = About(
        measures="how far the length of the speech is from what its text takes to say",
        needs=("text",),
        released={f"length:{pace}": "no weights" for pace in PACES},
        min_seconds=0.1,
    )
    higher_is_better = False
    worst = 7.0

    def __init__(self, *, spec: str = "length:nano", name: str = "length", pace: str = "nano") -> None:
        super().__init__(spec=spec, name=name)
        self._pace = pace

    @classmethod
    def locate(cls, spec: Spec) -> str:
        """The name of the pace. Raises VerifierError for an unknown one."""
        if spec.source not in PACES:
            raise VerifierError(f"length has no pace {spec.source!r}{nearest(spec.source, PACES)}")
        return spec.source

    @classmethod
    def origin(cls, spec: Spec) -> str:
        """Nowhere: there are no weights."""
        return ""

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> BaseVerifier:
        values: dict[str, Any] = cls.read(spec)
        return cls(spec=str(replace(spec)), pace=cls.locate(spec), **values)

    def score_one(self, waveform: Waveform, target: Target, partial: bool) -> Score:
        predicted = predict_seconds(target.text or "", target.language, self._pace)
        if not predicted:
            return Score(self.worst, {}, False, "no length is known for this text")
        sounds = (~silent_frames(waveform)).nonzero()[0]
        spoken = int(sounds[-1] - sounds[0] + 1) * FRAME / SAMPLE_RATE if len(sounds) else 0.0
        if not spoken:
            return Score(self.worst, {}, False, "nothing is spoken")
        ratio = math.log(spoken / predicted)
        value = max(0.0, ratio) if partial else abs(ratio)
        return Score(value, {"seconds": round(spoken, 3), "predicted_seconds": round(predicted, 3)})
