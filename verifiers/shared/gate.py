"""What no model should hear: audio that is not finite, silent, too short or of another kind of array.

Recognisers invent words on silence, NaN turns into "!!!!", and short audio makes some models fail.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from llasa_core.audio import SAMPLE_RATE, Waveform, is_silent
from verifiers.base import Score


def refusal(waveform: Waveform, min_seconds: float, max_seconds: float = math.inf) -> str:
    """Why the audio cannot be judged, or "" if it can."""
    if waveform.ndim != 1:
        return f"the audio has {waveform.ndim} axes: mono has one"
    if not np.issubdtype(waveform.dtype, np.floating):
        return f"the audio holds {waveform.dtype} values: floating point in [-1, 1] is needed"
    if not np.isfinite(waveform).all():
        return "the audio has values that are not finite"
    if len(waveform) < min_seconds * SAMPLE_RATE:
        length = len(waveform) / SAMPLE_RATE
        return f"the audio is too short to judge: {length:.2f} s, at least {min_seconds:.2f} s needed"
    if len(waveform) > max_seconds * SAMPLE_RATE:
        length = len(waveform) / SAMPLE_RATE
        return f"the audio is too long to judge: {length:.0f} s, at most {max_seconds:.0f} s"
    if is_silent(waveform):
        return "the audio is silent"
    return ""


def gated(
    candidates: Sequence[Waveform],
    min_seconds: float,
    worst: float,
    judge: Callable[[list[Waveform]], list[Score]],
    max_seconds: float = math.inf,
    *,
    steps_back: bool = False,
) -> list[Score]:
    """Scores of the candidates in their order.

    Those that can be judged are, by `judge` in one call (as contiguous float32); the others are unusable and
    have the value `worst`. steps_back: sound audio that is only too short has a score that is `short`.
    """
    reasons = [refusal(waveform, min_seconds, max_seconds) for waveform in candidates]
    heard = [
        np.ascontiguousarray(waveform, dtype=np.float32)
        for waveform, reason in zip(candidates, reasons, strict=True)
        if not reason
    ]
    scores = iter(judge(heard) if heard else [])
    return [
        Score(worst, {}, False, reason, steps_back and not refusal(waveform, 0.0, max_seconds))
        if reason
        else next(scores)
        for waveform, reason in zip(candidates, reasons, strict=True)
    ]
