"""Emotion by prosody: what a reading does to the pitch, its range, the level and the pace of its own voice.

Needs no model. A search that is led by a network's idea of an emotion can be checked by it, and it tells the
emotions that move a voice up from those that move it down; it hardly tells anger from happiness, which move
a voice the same way.
"""

from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from llasa_core.audio import Waveform, seconds
from verifiers.base import About, Score, Target
from verifiers.errors import VerifierError
from verifiers.models.prosody_cues import Change, Prosody, change, measure
from verifiers.shared.emotions import canonical
from verifiers.shared.remembered import Remembered
from verifiers.shared.similarity import VOICES
from verifiers.shared.verifier import BaseVerifier
from verifiers.spec import Spec

TABLE = Path(__file__).with_suffix(".yaml")
STRENGTH = 3.0
"""How far an emotion moves a voice, all cues together, in standard deviations of its neutral readings."""
FARTHEST = 3.0
"""Standard deviations; no cue counts as farther, so that a wrong measurement decides nothing alone."""
LEAST_VOICED, LEAST_SPOKEN = 0.5, 1.0
"""Seconds: of voiced speech, without which nothing is known; and of speech, less of which is merely short."""
FLAT_SEMITONES, VOICELESS_SHARE = 1.0, 0.25
"""A range below, and a share of voiced speech below: a flat reading, which sounds sad if anything."""
FLAT_ALLOWED = "sad"


class ProsodyEmotion(BaseVerifier):
    """Metric "prosody": the probability, in [0, 1], of the target's `emotion` among those of the table
    (angry, fearful, happy, neutral, sad), given how the reading departs from the voice's neutral speech: the
    target's `neutral` recording or, where it has none, the `reference`.

    Each of four changes (pitch, its range, level, pace) is divided by how much it varies between neutral
    readings of one speaker; an emotion is a normal distribution of unit width around its direction
    (`verifiers/models/prosody.yaml`) times STRENGTH, all alike beforehand. So the score rises as a reading
    goes farther in the direction of the emotion. The level says something only if both recordings have the
    same gain.

    A flat reading, with a range under FLAT_SEMITONES or hardly voiced, gets no more than a guess would for
    any emotion but sadness. Without LEAST_VOICED seconds of voiced speech nothing can be judged. A part of an
    utterance is judged like a whole one. Evidence: seconds, voiced_seconds; delta_pitch (semitones),
    delta_range and delta_pace (doublings), delta_level (dB); range (semitones); probabilities by names, and
    the likeliest as label; flat, why the reading is flat, or "".
    """

    about = About(
        measures="emotion: probability by pitch, range, level and pace, against the voice's neutral speech",
        needs=("emotion", "reference"),
        released={"prosody": "no weights; table of Juslin and Laukka 2003"},
        min_seconds=0.5,
        extra="prosody",
        modules=("librosa",),
    )

    def __init__(self, *, spec: str = "prosody", name: str = "prosody") -> None:
        super().__init__(spec=spec, name=name)
        self._neutral = Remembered(measure)

    @classmethod
    def emotions_of(cls, spec: Spec) -> tuple[str, ...]:
        return tuple(table()["emotions"])

    def check_target(self, target: Target) -> None:
        super().check_target(target)
        self._emotion(target)
        self._baseline(target)

    def score_one(self, waveform: Waveform, target: Target, partial: bool) -> Score:
        emotion, neutral = self._emotion(target), self._baseline(target)
        found = measure(waveform)
        if found.voiced < LEAST_VOICED:
            spoken = found.voiced / found.share if found.share else seconds(waveform)
            reason = f"only {found.voiced:.2f} s are voiced, at least {LEAST_VOICED:g} s needed"
            return Score(self.worst, {}, False, reason, short=spoken < LEAST_SPOKEN)
        moved, flat = change(neutral, found), flatness(found)
        chances = probabilities(moved)
        evidence: dict[str, Any] = {
            "seconds": seconds(waveform),
            "voiced_seconds": round(found.voiced, 2),
            **{f"delta_{cue}": round(value, 3) for cue, value in asdict(moved).items()},
            "range": round(found.range, 2),
            "probabilities": {name: round(value, 5) for name, value in chances.items()},
            "label": max(chances, key=lambda name: chances[name]),
            "flat": flat,
        }
        value = chances[emotion]
        if flat and emotion != FLAT_ALLOWED:
            value = min(value, 1 / len(chances))
        return Score(value, evidence)

    def _emotion(self, target: Target) -> str:
        return canonical(target.emotion or "", tuple(table()["emotions"]), error=VerifierError)

    def _baseline(self, target: Target) -> Prosody:
        """Of the voice's neutral speech. Raises VerifierError if there is too little of it."""
        recording = VOICES["original" if target.neutral is None else "neutral"]
        found = self._neutral(recording.waveform(target, self.min_seconds, self.max_seconds))
        if found.voiced < LEAST_VOICED:
            raise VerifierError(
                f"the {recording.noun} cannot be used (only {found.voiced:.2f} s are voiced, at least "
                f"{LEAST_VOICED:g} s needed): give another recording"
            )
        return found


@lru_cache(maxsize=1)
def table() -> Mapping[str, Mapping[str, Any]]:
    """Directions of the emotions, and spreads of the cues."""
    import yaml

    found: Mapping[str, Mapping[str, Any]] = yaml.safe_load(TABLE.read_text("utf-8"))
    return found


def probabilities(moved: Change) -> dict[str, float]:
    """Of the emotions of the table, by their names; together 1."""
    spread = table()["spread"]
    z = np.array([value / spread[cue] for cue, value in asdict(moved).items()])
    z = np.clip(z, -FARTHEST, FARTHEST)
    emotions = {name: np.array([cues[cue] for cue in spread]) for name, cues in table()["emotions"].items()}
    far = {name: np.linalg.norm(way) for name, way in emotions.items()}
    logits = np.array(
        [-0.5 * np.square(z - STRENGTH * way / (far[name] or 1)).sum() for name, way in emotions.items()]
    )
    weights = np.exp(logits - logits.max())
    return dict(zip(emotions, (weights / weights.sum()).tolist(), strict=True))


def flatness(found: Prosody) -> str:
    """Why a reading is flat, or ""."""
    if found.share < VOICELESS_SHARE:
        return f"only {found.share:.0%} of the speech is voiced"
    if found.range < FLAT_SEMITONES:
        return f"the pitch stays within {found.range:.1f} semitones"
    return ""
