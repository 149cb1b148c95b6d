"""Audio files and waveforms: anything soundfile reads comes in, mono 16 kHz float32 is used inside."""

import io
import logging
import os
import wave

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from llasa_core.errors import LlasaError, first_line
from llasa_core.paths import regular_file, shown, write_whole

SAMPLE_RATE = 16_000
"""Samples a second of every waveform inside the project."""
CODES_PER_SECOND = 50
"""Speech codes of X-codec2, and so speech tokens, a second (arXiv 2502.04128, section 3.2)."""
Waveform = NDArray[np.float32]
"""float32 [samples], mono, 16 kHz, full scale -1..1."""

SILENCE_DBFS = -60.0
"""A waveform quieter than this (root mean square) counts as silent."""
CLIP_LEVEL = 0.999
MAX_SECONDS = 600.0
"""The longest audio file that is read. A model's context holds 40 s."""
RATES = (4_000, 384_000)
MAX_CHANNELS = 16
_BLOCK = 1 << 16
"""Samples of a channel that are decoded at once."""
_FLOOR = 1e-10
_CURE = "give the path of a WAV, FLAC, OGG or MP3 file"
_LOG = logging.getLogger(__name__)


class AudioError(LlasaError):
    """An audio file that cannot be read or written."""


def read_audio(path: str | os.PathLike[str], max_seconds: float = MAX_SECONDS) -> Waveform:
    """Reads an audio file of any usual sample rate and channel count: float32 [samples], mono 16 kHz.

    Channels are averaged, then resampled by soxr (very high quality). If the channels cancel each other, as
    those of a stereo file with one inverted channel, the loudest channel is taken; samples beyond full scale
    are scaled down; a warning is logged for both. The header is looked at before anything is decoded, and
    decoding ends at `max_seconds` whatever the header says. Raises AudioError for a file that is missing, no
    regular file, empty, too long, of an unusual rate, or not audio that libsndfile can read.
    """
    file = regular_file(path, "audio file", error=AudioError, cure=_CURE)
    name = f"audio file {shown(file)}"
    if file.stat().st_size == 0:
        raise AudioError(f"{name} is empty (0 bytes): record or copy it again")
    try:
        # As bytes, since a name need not be UTF-8.
        with soundfile.SoundFile(os.fsencode(file)) as sound:
            _check_header(sound, name, max_seconds)
            rate = sound.samplerate
            mono = _mono(sound, name, max_seconds)
    except (soundfile.LibsndfileError, OSError, RuntimeError, TypeError) as error:
        reason = first_line(error).replace(repr(os.fsencode(file)), "it")
        raise AudioError(
            f"{name} cannot be read ({reason}): it may be damaged or of an unsupported format; "
            "convert it to WAV"
        ) from None
    if len(mono) == 0:
        raise AudioError(f"{name} holds no samples: record it again")
    if not np.isfinite(mono).all():
        raise AudioError(f"{name} holds samples that are not numbers: export it again as 16-bit WAV")
    peak = float(np.abs(mono).max())
    if peak > 1.0:
        _LOG.warning("%s is louder than full scale (peak %.3g): it is scaled down", name, peak)
        mono = mono / np.float32(peak)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, quality="VHQ")
    return np.ascontiguousarray(mono, dtype=np.float32)


def _check_header(sound: soundfile.SoundFile, name: str, max_seconds: float) -> None:
    if not RATES[0] <= sound.samplerate <= RATES[1]:
        raise AudioError(
            f"{name} states {sound.samplerate} samples a second: export it at {RATES[0]} to {RATES[1]} Hz"
        )
    if sound.channels > MAX_CHANNELS:
        raise AudioError(f"{name} has {sound.channels} channels: export it in mono or stereo")
    # The length of some formats is only known at their end; libsndfile states the largest number then.
    if max_seconds < sound.frames / sound.samplerate and sound.frames < 1 << 62:
        raise AudioError(_too_long(name, sound.frames / sound.samplerate, max_seconds))


def _too_long(name: str, length: float, max_seconds: float) -> str:
    return f"{name} is {length:,.0f} s long, at most {max_seconds:,.0f} s are read: cut it into parts"


def _mono(sound: soundfile.SoundFile, name: str, max_seconds: float) -> Waveform:
    """The mean over the channels, or the loudest channel if they cancel each other: [frames]."""
    limit = int(max_seconds * sound.samplerate)
    mean, power = _mixed(sound, None, limit)
    if len(mean) > limit:
        raise AudioError(_too_long(name, len(mean) / sound.samplerate, max_seconds))
    # Channels that have nothing to do with each other leave this much of their mean power.
    if len(mean) and np.square(mean, dtype=np.float64).sum() < 0.1 * power.mean() / sound.channels:
        loudest = int(power.argmax())
        _LOG.warning("the channels of %s cancel each other: channel %d is taken", name, loudest + 1)
        sound.seek(0)
        mean, _ = _mixed(sound, loudest, limit)
    return mean


def _mixed(
    sound: soundfile.SoundFile, channel: int | None, limit: int
) -> tuple[Waveform, NDArray[np.float64]]:
    """One channel, or the mean over all: [frames], ending soon after `limit`; and the energy of all
    channels."""
    blocks: list[Waveform] = []
    energy = np.zeros(sound.channels)
    while sum(map(len, blocks)) <= limit:
        block = sound.read(_BLOCK, dtype="float32", always_2d=True)
        if len(block) == 0:
            break
        energy += np.square(block, dtype=np.float64).sum(axis=0)
        with np.errstate(over="ignore"):  # what is infinite then is refused
            blocks.append(
                block.mean(axis=1, dtype=np.float32) if channel is None else block[:, channel].copy()
            )
    return np.concatenate([np.zeros(0, np.float32), *blocks]), energy


def write_audio(path: str | os.PathLike[str], waveform: Waveform) -> None:
    """Writes [samples] as 16-bit PCM WAV at 16 kHz, whole or not at all.

    Raises AudioError if the folder cannot be written, and as `wav_bytes` does.
    """
    content = wav_bytes(waveform)
    try:
        write_whole(path, content)
    except OSError as error:
        raise AudioError(
            f"cannot write {shown(path)} ({error.strerror or error}): "
            "choose a folder that exists and can be written"
        ) from None


def wav_bytes(waveform: Waveform) -> bytes:
    """[samples] as a 16-bit PCM WAV file at 16 kHz; those beyond full scale are clipped.

    Raises ValueError for a waveform that is not one-dimensional or not finite.
    """
    if waveform.ndim != 1 or not np.isfinite(waveform).all():
        raise ValueError("a waveform to write has to be one-dimensional and finite")
    # The arithmetic of libsndfile, but not itself: its callbacks into Python swallow a Ctrl-C.
    wide = np.rint(waveform.astype(np.float64) * 2.0**31).clip(-(2.0**31), 2.0**31 - 1).astype(np.int64)
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes((wide >> 16).astype("<i2").tobytes())
    return file.getvalue()


def seconds(waveform: Waveform) -> float:
    """Duration of [samples] in seconds."""
    return len(waveform) / SAMPLE_RATE


def loudness_dbfs(waveform: Waveform) -> float:
    """Root mean square of [samples] in dB relative to full scale; -100 for digital silence or no samples."""
    if len(waveform) == 0:
        return -100.0
    power = float(np.mean(np.square(waveform, dtype=np.float64)))
    return 10.0 * float(np.log10(max(power, _FLOOR)))


def is_silent(waveform: Waveform) -> bool:
    """Whether [samples] are quieter than SILENCE_DBFS."""
    return loudness_dbfs(waveform) < SILENCE_DBFS


def silence_around(waveform: Waveform) -> tuple[float, float]:
    """Seconds of silence before and after the sound: of frames of 20 ms that are 40 dB below the loudest."""
    frame = SAMPLE_RATE // 50
    count = len(waveform) // frame
    if count == 0:
        return 0.0, 0.0
    levels = np.sqrt(
        np.square(waveform[: count * frame].reshape(count, frame), dtype=np.float64).mean(axis=1)
    )
    loud = np.flatnonzero(levels > levels.max() / 100)
    if not len(loud):
        return 0.0, 0.0
    return float(loud[0]) / 50, seconds(waveform[(int(loud[-1]) + 1) * frame :])


def clipped_share(waveform: Waveform) -> float:
    """Share (0..1) of [samples] at full scale."""
    return float(np.mean(np.abs(waveform) >= CLIP_LEVEL)) if len(waveform) else 0.0
