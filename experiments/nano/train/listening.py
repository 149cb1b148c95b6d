"""What the recognisers hear in training: recordings, alone or joined, and sounds that hold no words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from experiments.nano.data.corpus import Corpus
from experiments.nano.data.documents import IGNORE
from experiments.nano.train.training import rng
from llasa_core.audio import SAMPLE_RATE
from llasa_core.codec.features import HOP

SORTED_TOGETHER = 24
"""Batches whose clips are drawn and sorted by length together, so that little padding is computed."""

LONGEST_BATCH = 120
"""Seconds of speech in a batch, padding included."""


@dataclass(frozen=True)
class Clip:
    """A waveform at 16 kHz and what is said in it; the text is empty where nobody speaks."""

    wave: NDArray[np.float32]
    text: str
    states: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """The sound spoken in each 20 ms (a state of ``Phonemes``), IGNORE where that is not known."""


@dataclass(frozen=True)
class _Plan:
    """A clip before it is made: recordings of one source to be joined, and how they are garbled, if they
    are.
    """

    source: int
    indices: tuple[int, ...]
    length: int
    nonspeech: str = ""


class ClipBatches:
    """Batches of clips, a function of the seed and the step alone."""

    def __init__(
        self,
        sources: Sequence[tuple[Corpus, float]],
        size: int,
        seed: int,
        *,
        joined: float = 0.05,
        nonspeech: float = 0.07,
        longest: float = 9.0,
    ) -> None:
        """``sources`` are corpora with their shares; ``joined`` and ``nonspeech`` are shares of all clips.

        ``longest`` is the length in seconds that joined recordings must not exceed.
        """
        self.sources = [corpus for corpus, _ in sources]
        shares = np.array([share for _, share in sources])
        self.shares = shares / shares.sum()
        self.train = [corpus.split("train") for corpus in self.sources]
        self.size, self.seed = size, seed
        self.joined, self.nonspeech, self.longest = joined, nonspeech, int(longest * SAMPLE_RATE)
        self._chunk, self._batches = -1, [[_Plan(0, (), 0)]]

    def draw(self, step: int) -> list[Clip]:
        """The clips of one step, similar in length, with gain, noise and a small offset drawn for each."""
        chunk, place = divmod(step, SORTED_TOGETHER)
        if chunk != self._chunk:
            generator = rng(self.seed, chunk)
            plans = [self._plan(generator) for _ in range(self.size * SORTED_TOGETHER)]
            plans.sort(key=lambda plan: plan.length)
            order = generator.permutation(SORTED_TOGETHER)
            self._batches = [self._thin(plans[k * self.size : (k + 1) * self.size], generator) for k in order]
            self._chunk = chunk
        generator = rng(self.seed + 1, step)
        return [self._make(plan, generator) for plan in self._batches[place]]

    def _plan(self, generator: np.random.Generator) -> _Plan:
        source = int(generator.choice(len(self.sources), p=self.shares))
        corpus, train = self.sources[source], self.train[source]
        indices = [train[generator.integers(len(train))]]
        length = corpus.utterances[indices[0]].length
        if generator.random() < self.nonspeech:
            return _Plan(source, tuple(indices), length, str(generator.choice(list(NONSPEECH))))
        if generator.random() < self.joined:
            for _ in range(int(generator.integers(1, 4))):
                index = train[generator.integers(len(train))]
                if length + corpus.utterances[index].length < self.longest:
                    indices.append(index)
                    length += corpus.utterances[index].length
        return _Plan(source, tuple(indices), length)

    def _thin(self, plans: list[_Plan], generator: np.random.Generator) -> list[_Plan]:
        """Leave out some of the long ones, or the few batches of them would take most of the time."""
        kept = min(len(plans), max(1, LONGEST_BATCH * SAMPLE_RATE // max(plan.length for plan in plans)))
        return [plans[k] for k in generator.choice(len(plans), kept, replace=False)]

    def _make(self, plan: _Plan, generator: np.random.Generator) -> Clip:
        corpus = self.sources[plan.source]
        wave = np.concatenate([corpus.samples(i) for i in plan.indices])
        text = " ".join(corpus.utterances[i].text for i in plan.indices)
        if plan.nonspeech:
            wave, text = NONSPEECH[plan.nonspeech](wave, generator), ""
        lead = int(generator.uniform(0, 0.2) * SAMPLE_RATE)
        states = np.full((lead + len(wave)) // HOP, IGNORE)
        if not plan.nonspeech:
            states = self._states(plan, lead, len(states))
        wave = np.concatenate([np.zeros(lead, np.float32), wave])
        if generator.random() < 0.6:
            level = loudness(wave) * 10 ** (-generator.uniform(15, 60) / 20)
            wave = wave + level * generator.standard_normal(len(wave), dtype=np.float32)
        return Clip(wave * np.float32(generator.uniform(0.3, 1.5)), text, states)

    def _states(self, plan: _Plan, lead: int, frames: int) -> NDArray[np.int64]:
        """The states of joined recordings after ``lead`` samples, each frame by what is spoken in its
        middle.
        """
        corpus, states, start = self.sources[plan.source], np.full(frames, IGNORE), lead
        for index in plan.indices:
            end = start + corpus.utterances[index].length
            first, last = -(-(start - HOP // 2) // HOP), (end - HOP // 2) // HOP
            middles = np.arange(max(first, 0), min(last, frames))
            states[middles] = corpus.states(index)[(middles * HOP + HOP // 2 - start) // HOP]
            start = end
        return states


def loudness(wave: NDArray[np.float32]) -> np.float32:
    """Root mean square, never zero."""
    return np.float32(np.sqrt(np.square(wave).mean() + 1e-9))


def silence(wave: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """As long as ``wave``, and next to nothing in it."""
    faint = np.float32(10 ** generator.uniform(-6, -3.5))
    return faint * generator.standard_normal(len(wave), dtype=np.float32)


def coloured_noise(wave: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Noise between white and brown, as long and as loud as ``wave``."""
    spectrum = np.fft.rfft(generator.standard_normal(len(wave)))
    spectrum /= np.maximum(1, np.arange(len(spectrum))) ** generator.uniform(0, 1)
    noise = np.fft.irfft(spectrum, len(wave)).astype(np.float32)
    return _as_loud(noise, wave)


def backwards(wave: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Speech played backwards."""
    return wave[::-1].copy()


def shuffled(wave: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Pieces of 40 to 90 ms of the speech, in another order."""
    size = int(generator.uniform(0.04, 0.09) * SAMPLE_RATE)
    pieces = [wave[k : k + size] for k in range(0, len(wave), size)]
    return np.concatenate([pieces[k] for k in generator.permutation(len(pieces))])


def speech_shaped_noise(wave: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Noise with the long-term spectrum and the loudness contour of the speech."""
    spectrum = np.abs(np.fft.rfft(wave)) * np.exp(2j * np.pi * generator.random(len(wave) // 2 + 1))
    noise = np.fft.irfft(spectrum, len(wave)).astype(np.float32)
    contour = np.sqrt(np.convolve(np.square(wave), np.full(800, 1 / 800, np.float32), "same") + 1e-9)
    noise = (noise * contour).astype(np.float32)
    return _as_loud(noise, wave)


def hum(wave: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """A steady tone with harmonics."""
    time = np.arange(len(wave)) / SAMPLE_RATE
    pitch = generator.uniform(60, 400)
    parts = [generator.uniform(0, 1) * np.sin(2 * np.pi * pitch * k * time) for k in range(1, 8)]
    tone = np.sum(parts, axis=0).astype(np.float32)
    return _as_loud(tone, wave)


def _as_loud(sound: NDArray[np.float32], wave: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = sound * (loudness(wave) / loudness(sound))
    return scaled


NONSPEECH = {
    "silence": silence,
    "coloured noise": coloured_noise,
    "backwards": backwards,
    "shuffled": shuffled,
    "speech-shaped noise": speech_shaped_noise,
    "hum": hum,
}
"""Sounds without words, each made from a recording of speech; its length is kept."""
