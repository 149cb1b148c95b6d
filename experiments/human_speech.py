"""Human speech to measure with, never to train on."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from llasa_core.audio import SAMPLE_RATE, Waveform, read_audio
from verifiers.shared.windows import split_windows

HUMAN = ("beckett", "clone-test", "endgame_nagg_nell", "two_cities")
"""Recordings of the package moonshine-voice (MIT): four voices."""
READERS = ("beckett", "clone-test", "two_cities")
"""Those with one speaker."""
SHORTEST = 1.0
"""Seconds of a piece of a recording."""


def human_pieces(longest: float) -> list[Waveform]:
    """Human speech, cut where it is quiet into pieces of at most so many seconds; float32 [samples] each.

    None where the package moonshine-voice is not installed.
    """
    return [piece for name in HUMAN for piece in _pieces(name, longest)]


def human_readers(longest: float) -> list[list[Waveform]]:
    """The pieces of each of READERS, as `human_pieces`; none where the package is not installed."""
    return [pieces for name in READERS if (pieces := _pieces(name, longest))]


def _pieces(name: str, longest: float) -> list[Waveform]:
    try:
        package = metadata.distribution("moonshine-voice")
    except metadata.PackageNotFoundError:
        return []
    audio = read_audio(Path(str(package.locate_file(f"moonshine_voice/assets/{name}.wav"))))
    pieces = split_windows(audio, round(longest * SAMPLE_RATE))
    return [piece for piece in pieces if len(piece) >= SHORTEST * SAMPLE_RATE]
