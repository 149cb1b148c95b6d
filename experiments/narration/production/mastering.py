"""A chunk as it stands in the book: trimmed, levelled, limited, at the rate of the files, and its room tone.

Nothing here depends on another chunk, so that one that is spoken again changes its own sound and the pauses
beside it, and no other sample of the book.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from experiments.narration.production.loudness import RATE, Loudness, Samples, levelled
from experiments.narration.production.trimming import (
    FRAME,
    LEAST_RANGE,
    QUIET_FRAMES,
    cut,
    edges,
    levels,
    noise,
)
from llasa_core.audio import SAMPLE_RATE, Waveform

FADE = RATE // 200
"""Samples, 5 ms, over which a chunk comes and goes; they lie in the silence that is kept around it."""
HEARD_TONE = -78.0
"""dB of full scale. Noise under the speech that is louder than this is heard to stop in a pause of digital
silence, and so goes on in the pauses; -18 LUFS on, it is 60 dB below the speech."""
LOUDEST_TONE = -62.0
"""dB of full scale, below the floor that ACX allows."""
TONE_BINS = 513
"""Places from 0 to half of RATE at which the spectrum of the noise is kept."""


@dataclass(frozen=True, slots=True)
class Mastered:
    """samples: with LEAD and TAIL of silence. cut: seconds of the take that were left out before, negative
    for silence that was added. gain, before: dB, and the level that the take had in the unit of the target.
    tone: magnitudes [TONE_BINS] of the noise under the speech, as `room_tone` takes them; None if
    nobody hears it."""

    samples: Samples
    cut: float
    gain: float
    before: float
    tone: NDArray[np.float64] | None


def mastered(waveform: Waveform, loudness: Loudness) -> Mastered:
    """A take, float32 [samples] mono 16 kHz, as it is heard in the book."""
    found = edges(waveform)
    level = levelled(at_rate(cut(waveform, found)), loudness)
    tone = _tone(waveform, level.gain)
    return Mastered(_faded(level.samples), found.begins / SAMPLE_RATE, level.gain, level.before, tone)


def at_rate(waveform: Waveform) -> Samples:
    """16 kHz -> RATE by soxr, [round(samples * RATE / 16 kHz)]."""
    wanted = round(len(waveform) * RATE / SAMPLE_RATE)
    found = soxr.resample(waveform, SAMPLE_RATE, RATE, quality="VHQ")[:wanted]
    return np.asarray(np.pad(found, (0, wanted - len(found))), np.float32)


def _faded(samples: Samples) -> Samples:
    width = min(FADE, len(samples) // 2)
    ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(width) / max(width, 1))).astype(np.float32)
    found = samples.copy()
    found[:width] *= ramp
    found[len(found) - width :] *= ramp[::-1]
    return found


def _tone(waveform: Waveform, gain: float) -> NDArray[np.float64] | None:
    """The spectrum of the quietest stretch of a take, at the level that it has in the book."""
    found = levels(waveform)
    if not len(found):
        return None
    level, first = noise(found)
    level += gain
    if level < HEARD_TONE or level - gain > float(found.max()) - LEAST_RANGE:
        return None
    quiet = waveform[first * FRAME : (first + QUIET_FRAMES) * FRAME]
    spectrum = np.abs(np.fft.rfft(quiet * np.hanning(len(quiet))))
    places = np.linspace(0, SAMPLE_RATE / 2, len(spectrum))
    shape = np.interp(np.linspace(0, RATE / 2, TONE_BINS), places, spectrum, right=0.0)
    power = np.sqrt(np.mean(np.square(shape)))
    return np.asarray(shape / max(float(power), 1e-12) * 10 ** (min(level, LOUDEST_TONE) / 20))


def room_tone(tone: NDArray[np.float64], samples: int, side: int = 0) -> Samples:
    """Noise of this spectrum and level, the same for the same length: [samples].

    side: 0 or 1, of a pause. The noises of both sides are independent, so that their powers add up and not
    their samples."""
    random = np.random.Generator(np.random.PCG64([samples, side]))
    white = random.random(samples + TONE_BINS) - 0.5
    spectrum = np.fft.rfft(white)
    places = np.linspace(0, 1, len(spectrum))
    shaped = spectrum * np.interp(places, np.linspace(0, 1, len(tone)), tone)
    # White noise of this spread has a power of 1/12; the shape has the wanted level as its root mean square.
    return np.asarray(np.fft.irfft(shaped, len(white))[:samples] * np.sqrt(12), np.float32)


def pause(samples: int, before: Mastered | None, behind: Mastered | None) -> Samples:
    """Between two chunks: silence, or the room tone of the one before, which goes over into that of the one
    behind."""
    found = np.zeros(samples, np.float32)
    rise = np.linspace(0, 1, samples, dtype=np.float32)
    for side, (one, share) in enumerate(((before, np.sqrt(1 - rise)), (behind, np.sqrt(rise)))):
        if one is not None and one.tone is not None:
            found += room_tone(one.tone, samples, side) * share
    # Chunks fade in and out of silence at the joins; so does their tone.
    return _faded(found)
