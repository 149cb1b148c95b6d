"""Artefacts in speech, measured on the waveform: clicks, bursts of static, loops, and ends that are cut off.

The bounds were chosen on human speech (18 pieces of the package moonshine-voice, with hiss and room) and on
32 utterances of the nano generator, as they are and with defects put into them
(`tests.verifiers.models.test_artefacts` counts both).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from llasa_core.audio import SAMPLE_RATE, Waveform
from verifiers.base import About, Score, Target
from verifiers.models.signal import FRAME, INAUDIBLE_DBFS, silent_frames
from verifiers.shared.verifier import BaseVerifier

Values: TypeAlias = NDArray[np.float64]

BLOCK = 16
"""Samples in which a click is looked for: 1 ms."""
CLICK_HZ = 5000
"""A click has as much above this as below; voiced speech has little."""
CLICK_TIMES, CLICK_SHARE, CLICK_BELOW_SPEECH_DB = 30.0, 0.7, 40.0
"""Above CLICK_HZ a click is so many times as strong (root mean square) as the median of 25 ms on both sides,
and holds this share of the energy of 10 ms on both sides within 1 ms on both sides. Human speech reaches 27
times, nano's 0; a click of four times the speech's level reaches 83 and 121 (medians)."""
WINDOW, HOP, BANDS = 640, 160, 8
"""Samples of a spectrum (40 ms) and between spectra, and its bands from 200 to 7,400 Hz, of equal width."""
BURST_FLATNESS, BURST_SPECTRA, BURST_BELOW_SPEECH_DB = 0.45, 3, 6.0
"""Static is flat (geometric over arithmetic mean of the bands; white noise has 0.9, a hiss such as /s/ lacks
the low bands) for 60 ms and nearly as loud as speech. Human speech reaches 0.42, nano's 0.05; noise of 60 ms
at 0.7 times the speech's level 0.91 and 0.77 (medians)."""
END_SECONDS, END_BELOW_SPEECH_DB = 0.02, 20.0
"""Speech that ends by itself ends in silence, nano's 40 dB below its level; speech that is cut within a sound
ends at most 18 dB below it."""
LOOP_SECONDS, LOOP_DISTANCE, SHORTEST_PERIOD, LONGEST_PERIOD = 0.25, 0.2, 0.12, 3.0
"""A loop: log-mel spectra of 0.25 s that are those of one period before, by this mean distance (natural
logarithms). Human speech that says the same words twice reaches 0.25, nano's 0.36, a copied stretch 0."""
MEL_WINDOW, MEL_HOP, MEL_BANDS = 400, 160, 40


@dataclass(frozen=True, slots=True)
class Artefact:
    """at: seconds."""

    kind: Literal["click", "burst", "loop", "cut-off"]
    says: str
    at: float


class Artefacts(BaseVerifier):
    """Metric "artefacts": how many kinds of them there are; 0 is clean.

    Evidence: found, [kind, one sentence, seconds] for each.
    """

    about = About(
        measures="clicks, bursts of static, loops and cut-off ends: how many kinds there are",
        released={"artefacts": "no weights"},
        min_seconds=0.2,
    )
    higher_is_better = False
    worst = 4.0

    def __init__(self, *, spec: str = "artefacts", name: str = "artefacts") -> None:
        super().__init__(spec=spec, name=name)

    def score_one(self, waveform: Waveform, target: Target, partial: bool) -> Score:
        found = find_artefacts(waveform, partial=partial)
        return Score(float(len(found)), {"found": [[one.kind, one.says, one.at] for one in found]})


def find_artefacts(waveform: Waveform, *, partial: bool = False) -> list[Artefact]:
    """The strongest of each kind. waveform: float32 [samples], mono 16 kHz, not silent. partial: it breaks
    off, and its end says nothing."""
    level = speech_level(waveform)
    found = [find_click(waveform, level), find_burst(waveform, level), find_loop(waveform)]
    if not partial:
        found.append(find_cut(waveform, level))
    return [one for one in found if one is not None]


def find_click(waveform: Waveform, level: float) -> Artefact | None:
    """A click where it is strongest. level: of the speech, in dB."""
    spectrum = np.fft.rfft(waveform.astype(np.float64))
    spectrum[np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE) < CLICK_HZ] = 0
    high = np.fft.irfft(spectrum, len(waveform))
    count = len(high) // BLOCK
    if count < 60:
        return None
    energy = np.square(high[: count * BLOCK].reshape(count, BLOCK)).mean(axis=1)
    around = np.median(sliding_window_view(np.pad(energy, 25, mode="reflect"), 51), axis=1)
    share = np.convolve(energy, np.ones(3), "same") / np.maximum(
        np.convolve(energy, np.ones(21), "same"), 1e-15
    )
    times = np.sqrt(energy / np.maximum(around, 1e-10))
    loud = decibels(energy) > level - CLICK_BELOW_SPEECH_DB
    times = np.where(loud & (share > CLICK_SHARE), times, 0)
    at = int(times.argmax())
    if times[at] < CLICK_TIMES:
        return None
    return _artefact("click", "There is a click", at * BLOCK)


def find_burst(waveform: Waveform, level: float) -> Artefact | None:
    """A burst of static where it is flattest."""
    power = _power(waveform, WINDOW, HOP)
    if len(power) < BURST_SPECTRA:
        return None
    frequencies = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)
    edges = np.linspace(200, 7400, BANDS + 1)
    bands = np.stack(
        [power[:, (frequencies >= low) & (frequencies < high)].mean(axis=1) for low, high in pairwise(edges)],
        axis=1,
    )
    flatness = np.exp(np.log(bands + 1e-14).mean(axis=1)) / (bands.mean(axis=1) + 1e-14)
    frames = sliding_window_view(waveform.astype(np.float64), WINDOW)[::HOP]
    loud = decibels(np.square(frames).mean(axis=1)) > level - BURST_BELOW_SPEECH_DB
    run = sliding_window_view(np.where(loud, flatness, 0), BURST_SPECTRA).min(axis=1)
    at = int(run.argmax())
    if run[at] < BURST_FLATNESS:
        return None
    return _artefact("burst", "There is a burst of static", at * HOP)


def find_loop(waveform: Waveform) -> Artefact | None:
    """The stretch that is most like what stands a period before it."""
    mels = np.log(_power(waveform, MEL_WINDOW, MEL_HOP) @ _filters() + 1e-8)
    count = round(LOOP_SECONDS * SAMPLE_RATE / MEL_HOP)
    silent = np.repeat(silent_frames(waveform), FRAME // MEL_HOP).astype(np.float64)
    length = min(len(mels), len(silent))
    mels, silent = mels[:length], silent[:length]
    shortest = round(SHORTEST_PERIOD * SAMPLE_RATE / MEL_HOP)
    longest = min(round(LONGEST_PERIOD * SAMPLE_RATE / MEL_HOP), length - count)
    best, at = np.inf, 0
    window = np.ones(count) / count
    for period in range(shortest, longest):
        distance = np.convolve(np.abs(mels[period:] - mels[:-period]).mean(axis=1), window, "valid")
        quiet = np.convolve(silent[period:], window, "valid") > 0.5
        distance = np.where(quiet, np.inf, distance)
        if (lowest := float(distance.min(initial=np.inf))) < best:
            best, at = lowest, period + int(distance.argmin())
    if best > LOOP_DISTANCE:
        return None
    return _artefact("loop", "A stretch of sound is there twice", at * MEL_HOP)


def find_cut(waveform: Waveform, level: float) -> Artefact | None:
    """The end, if it is nearly as loud as speech."""
    end = waveform[-round(END_SECONDS * SAMPLE_RATE) :].astype(np.float64)
    if float(decibels(np.square(end).mean())) < level - END_BELOW_SPEECH_DB:
        return None
    return _artefact("cut-off", "It ends in the middle of a sound", len(waveform) - len(end))


def speech_level(waveform: Waveform) -> float:
    """dB of full scale: the 95th percentile of the frames of 20 ms that can be heard."""
    count = len(waveform) // FRAME
    found = decibels(
        np.square(waveform[: count * FRAME].astype(np.float64).reshape(count, FRAME)).mean(axis=1)
    )
    audible = found[found > INAUDIBLE_DBFS]
    return float(np.percentile(audible, 95)) if len(audible) else INAUDIBLE_DBFS


def decibels(power: Values) -> Values:
    return np.asarray(10 * np.log10(power + 1e-12))


def _artefact(kind: Literal["click", "burst", "loop", "cut-off"], says: str, sample: int) -> Artefact:
    at = round(sample / SAMPLE_RATE, 2)
    return Artefact(kind, f"{says} at {at:.2f} s.", at)


def _power(waveform: Waveform, window: int, hop: int) -> Values:
    """[frames, frequencies]; no frames of audio that is shorter than a window."""
    if len(waveform) < window:
        return np.zeros((0, window // 2 + 1))
    frames = sliding_window_view(waveform.astype(np.float64), window)[::hop] * np.hanning(window)
    return np.square(np.abs(np.fft.rfft(frames, axis=1)))


def _filters() -> Values:
    """[frequencies, MEL_BANDS]: triangles of equal width on the mel scale (HTK), 80 to 7,600 Hz."""
    frequencies = np.fft.rfftfreq(MEL_WINDOW, 1 / SAMPLE_RATE)
    low, high = 2595 * np.log10(1 + np.array([80, 7600]) / 700)
    edges = 700 * (10 ** (np.linspace(low, high, MEL_BANDS + 2) / 2595) - 1)
    columns = [
        np.clip(np.minimum((frequencies - a) / (b - a), (c - frequencies) / (c - b)), 0, None)
        for a, b, c in zip(edges, edges[1:], edges[2:], strict=False)
    ]
    return np.stack(columns, axis=1)
