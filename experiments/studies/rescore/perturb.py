"""Changes that nobody hears: what a score makes of them is noise of the verifier."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from llasa_core.audio import Waveform
from verifiers.base import Score, Target, Verifier, Wrapper

NOISE = -60.0
"""Level of white noise, in dB of the power of the speech."""
GAIN = 0.1
"""Largest change of the level, in dB, louder or softer."""
DELAY = 8
"""Most samples of silence in front: half a millisecond."""


def perturbed(waveform: Waveform, draw: int) -> Waveform:
    """The audio a little later, louder or softer, with noise far below it: float32 [samples + 1 to DELAY].

    The same audio and draw give the same samples, whatever else is in the batch.
    """
    content = hashlib.blake2b(np.ascontiguousarray(waveform).tobytes(), digest_size=16).digest()
    random = np.random.default_rng([draw, *content])
    gain = 10 ** (random.uniform(-GAIN, GAIN) / 20)
    silence = np.zeros(random.integers(1, DELAY, endpoint=True), np.float32)
    found = np.concatenate([silence, waveform * gain])
    level = float(np.sqrt(np.mean(np.square(waveform)))) if len(waveform) else 0.0
    noise = random.standard_normal(len(found)) * level * 10 ** (NOISE / 20)
    return (found + noise).astype(np.float32)


class Perturbed(Wrapper):
    """A verifier of audio that hears every candidate with the changes of one draw."""

    def __init__(self, verifier: Verifier, draw: int) -> None:
        super().__init__(verifier)
        self.draw = draw

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        """As `verifiers.base.Verifier.score`."""
        return self.verifier.score([perturbed(one, self.draw) for one in candidates], target, partial)
