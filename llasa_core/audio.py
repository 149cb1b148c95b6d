"""Audio files and waveforms: anything soundfile reads comes in, mono 16 kHz float32 is used inside."""

import contextlib
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Samples a second of every waveform inside the project."""
Waveform = NDArray[np.float32]
"""float32 [samples], mono, 16 kHz, full scale -1..1."""

SILENCE_DBFS = -60.0
"""A waveform quieter than this (root mean square) counts as silent."""
CLIP_LEVEL = 0.999
_FLOOR = 1e-10


class AudioError(ValueError):
    """An audio file that cannot be read or written: one line with cause and cure."""


def read_audio(path: str | os.PathLike[str]) -> Waveform:
    """Reads an audio file of any sample rate and channel count: float32 [samples], mono 16 kHz.

    Channels are averaged, then resampled by soxr (very high quality). Raises AudioError if the file is missing,
    empty, or not audio that libsndfile can read.
    """
    file = Path(path)
    if not file.is_file():
        what = "is a folder, not an audio file" if file.is_dir() else "does not exist"
        raise AudioError(f"audio file {file} {what}: give the path of a WAV, FLAC, OGG or MP3 file")
    if file.stat().st_size == 0:
        raise AudioError(f"audio file {file} is empty (0 bytes): record or copy it again")
    try:
        samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        raise AudioError(
            f"audio file {file} cannot be read ({error}): it may be damaged or of an unsupported format; "
            "convert it to WAV"
        ) from None
    if len(samples) == 0:
        raise AudioError(f"audio file {file} holds no samples: record it again")
    mono = samples.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise AudioError(
            f"audio file {file} holds samples that are not numbers: export it again as 16-bit WAV"
        )
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, quality="VHQ")
    return np.ascontiguousarray(mono, dtype=np.float32)


def write_audio(path: str | os.PathLike[str], waveform: Waveform) -> None:
    """Writes [samples] as 16-bit PCM WAV at 16 kHz, whole or not at all.

    Raises AudioError if the folder cannot be written, and as `wav_bytes` does.
    """
    content = wav_bytes(waveform)
    file = Path(path)
    temporary: str | None = None
    try:
        # In the same folder, so that the rename is atomic.
        handle, temporary = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".part", dir=file.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, file)
        temporary = None
    except OSError as error:
        raise AudioError(
            f"cannot write {file} ({error.strerror or error}): choose a folder that exists and can be written"
        ) from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def wav_bytes(waveform: Waveform) -> bytes:
    """[samples] as a 16-bit PCM WAV file at 16 kHz; those beyond full scale are clipped.

    Raises ValueError for a waveform that is not one-dimensional or not finite.
    """
    if waveform.ndim != 1 or not np.isfinite(waveform).all():
        raise ValueError("a waveform to write has to be one-dimensional and finite")
    # In memory: libsndfile does not pass on the error of a disk that is full.
    file = io.BytesIO()
    soundfile.write(file, np.clip(waveform, -1.0, 1.0), SAMPLE_RATE, subtype="PCM_16", format="WAV")
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


def clipped_share(waveform: Waveform) -> float:
    """Share (0..1) of [samples] at full scale."""
    return float(np.mean(np.abs(waveform) >= CLIP_LEVEL)) if len(waveform) else 0.0


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
