"""Pitch, its range, level and pace of speech. Pitch is measured by librosa's pYIN (Mauch and Dixon 2014)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import SAMPLE_RATE, Waveform
from verifiers.models.signal import FRAME, silent_frames

LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
WINDOW = 1024
"""Samples in which pitch is looked for: 64 ms, some four periods of the lowest."""
THRESHOLDS = (2, 8)
"""Of pYIN: the beta distribution of the thresholds under which a frame is periodic. The default, (2, 18),
takes hoarse, synthetic and coded voices for voiceless."""
RESOLUTION = 0.2
"""Semitones."""
BELOW, ABOVE = 5.0, 7.0
"""Semitones below the first quartile and above the third within which pitch is believed; what is farther is
taken for a wrong octave (Hirst 2011, "The analysis by synthesis of speech melody", J. Speech Sciences 1)."""
HOP, SMOOTH = 160, 7
"""Samples between the values of the envelope, and how many of them are smoothed together: 70 ms."""
DIP_DB, BELOW_PEAKS_DB = 2.0, 25.0
"""A nucleus of a syllable is a voiced peak of the envelope with dips of so many dB around it (de Jong and
Wempe 2009, doi 10.3758/BRM.41.2.385), at most so far below the loudest."""
LEAST_RANGE = 0.5
"""Semitones; a narrower range is taken for one of these, so that ratios of ranges stay finite."""


@dataclass(frozen=True, slots=True)
class Prosody:
    """Of one recording. pitch: median of the voiced frames, in semitones above 1 Hz. range: from the 10th to
    the 90th percentile of the same, in semitones. level: dB of full scale, mean power of the voiced frames.
    pace: nuclei of syllables in a second that is not silent. voiced: seconds. share: of what is not silent,
    voiced."""

    pitch: float
    range: float
    level: float
    pace: float
    voiced: float
    share: float


@dataclass(frozen=True, slots=True)
class Change:
    """From one recording to another. pitch: semitones. range, pace: doublings. level: dB."""

    pitch: float
    range: float
    level: float
    pace: float


def measure(waveform: Waveform) -> Prosody:
    """waveform: float32 [samples], mono 16 kHz, not silent. Of audio without any voiced frame all but the
    seconds and the share are nan."""
    import librosa

    silent = silent_frames(waveform)
    pitch, periodic, _ = librosa.pyin(
        waveform,
        fmin=LOWEST_HZ,
        fmax=HIGHEST_HZ,
        sr=SAMPLE_RATE,
        frame_length=WINDOW,
        hop_length=FRAME,
        beta_parameters=THRESHOLDS,
        resolution=RESOLUTION,
    )
    voiced = periodic[: len(silent)] & ~silent
    spoken = max(1, int((~silent).sum()))
    share = float(voiced.sum()) / spoken
    if not voiced.any():
        return Prosody(math.nan, math.nan, math.nan, math.nan, voiced=0.0, share=0.0)
    semitones = 12 * np.log2(pitch[: len(silent)][voiced])
    first, third = np.percentile(semitones, [25, 75])
    believed = semitones[(semitones > first - BELOW) & (semitones < third + ABOVE)]
    low, middle, high = np.percentile(believed, [10, 50, 90])
    frames = waveform[: len(silent) * FRAME].astype(np.float64).reshape(-1, FRAME)
    return Prosody(
        pitch=float(middle),
        range=float(high - low),
        level=float(10 * np.log10(np.square(frames[voiced]).mean() + 1e-12)),
        pace=_nuclei(waveform, voiced) / (spoken * FRAME / SAMPLE_RATE),
        voiced=float(voiced.sum()) * FRAME / SAMPLE_RATE,
        share=share,
    )


def change(old: Prosody, new: Prosody) -> Change:
    """Both with voiced frames. A pace of nothing counts as one nucleus in four seconds."""
    return Change(
        pitch=new.pitch - old.pitch,
        range=math.log2(max(new.range, LEAST_RANGE) / max(old.range, LEAST_RANGE)),
        level=new.level - old.level,
        pace=math.log2(max(new.pace, 0.25) / max(old.pace, 0.25)),
    )


def _nuclei(waveform: Waveform, voiced: NDArray[np.bool_]) -> int:
    """voiced: [frames] of FRAME samples."""
    import librosa
    from scipy.signal import find_peaks

    envelope = librosa.feature.rms(y=waveform, frame_length=2 * FRAME, hop_length=HOP)[0]
    window = np.hanning(SMOOTH + 2)[1:-1]
    level = np.convolve(20 * np.log10(envelope + 1e-6), window / window.sum(), "same")
    peaks, _ = find_peaks(level, height=float(np.percentile(level, 95)) - BELOW_PEAKS_DB, prominence=DIP_DB)
    frames = np.minimum(peaks * HOP // FRAME, len(voiced) - 1)
    return int(voiced[frames].sum())
