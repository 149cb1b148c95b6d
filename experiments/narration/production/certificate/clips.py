"""The clips of a certificate: within the page, or linked."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import soundfile

from experiments.narration.production.timeline import Placed, read_take
from llasa_core.audio import SAMPLE_RATE, Waveform

BITS = 32
"""kbit/s of MP3 at 16 kHz: 4 kB a second, and every browser plays it."""
EMBEDDED = 18_000_000
"""Characters of all clips of a page, above which `auto` links to the takes."""
BLOCK = 1 << 15


@dataclass(frozen=True, slots=True)
class Clip:
    """Where a browser finds a take: a data URL or a relative path, "" for nowhere."""

    source: str
    embedded: bool


def encode(waveform: Waveform) -> bytes:
    """MP3 of [samples] at 16 kHz."""
    stream = io.BytesIO()
    level = (160 - BITS) / (160 - 8)  # the range of MPEG-2, whose rates go down to 16 kHz
    with soundfile.SoundFile(
        stream,
        "w",
        SAMPLE_RATE,
        1,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=level,
        bitrate_mode="CONSTANT",
    ) as file:
        for start in range(0, len(waveform), BLOCK):  # libsndfile may crash on long blocks
            file.write(waveform[start : start + BLOCK])
    return stream.getvalue()


def characters(seconds: float) -> int:
    """Of base64, that a clip needs."""
    return round(seconds * BITS * 1000 / 8 * 4 / 3)


def embeds(choice: str, seconds: float) -> bool:
    """Whether clips of so many seconds in all are within the page."""
    return choice == "embed" or (choice == "auto" and characters(seconds) <= EMBEDDED)


def clip(folder: Path, placed: Placed, choice: str, *, embedded: bool) -> Clip:
    if choice == "none":
        return Clip("", False)
    if not embedded:
        return Clip(placed.take.audio, False)
    content = encode(read_take(folder, placed.take))
    return Clip(f"data:audio/mpeg;base64,{base64.b64encode(content).decode()}", True)
