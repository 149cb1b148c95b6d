"""Audio files: WAV, FLAC and MP3 by libsndfile, M4B (AAC) by PyAV.

The same samples and tags give the same bytes: no file holds a time or a number by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from experiments.files import Closing
from experiments.narration.production.loudness import RATE, Samples
from experiments.narration.production.tags import GENRE, MADE_WITH, Tags, id3
from llasa_core.errors import UserError

MP3_BITS, EPUB_BITS = 192, 64
"""kbit/s of MP3, constant: what ACX wants, and what speech in one channel needs."""
AAC_BITS = 96_000
"""A second, mono: more than enough for speech up to 8 kHz."""
FRAME = 1024
"""Samples of a frame of AAC."""
MOST_WAV_BYTES = 2**32 - 2**16
BLOCK = 1 << 15


class Writer(Protocol):
    """An audio file that is being written."""

    def write(self, samples: Samples) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class SoundfileWriter(Closing):
    """WAV and FLAC with 16 bits a sample, and MP3 with so many `bits` (kbit/s)."""

    def __init__(self, path: Path, kind: str, tags: Tags | None = None, bits: int = MP3_BITS) -> None:
        self._path, self._kind = path, kind
        self._prefix = id3(tags) if kind == "mp3" and tags is not None else b""
        self._raw = path.with_name(f"{path.name}.raw") if self._prefix else path
        settings: dict[str, Any] = {"subtype": "PCM_16"}
        if kind == "mp3":
            settings = {
                "subtype": "MPEG_LAYER_III",
                "compression_level": (320 - bits) / (320 - 32),  # from 320 to 32 kbit/s
                "bitrate_mode": "CONSTANT",
            }
        self._file = soundfile.SoundFile(self._raw, "w", RATE, 1, format=kind.upper(), **settings)
        self._written = 0
        if kind == "flac" and tags is not None:
            self._file.title, self._file.album = tags.title, tags.book
            self._file.artist, self._file.genre = tags.author or tags.book, GENRE
            self._file.comment, self._file.tracknumber = MADE_WITH, str(tags.track)

    def write(self, samples: Samples) -> None:
        self._written += 2 * len(samples)
        if self._kind == "wav" and self._written > MOST_WAV_BYTES:
            raise UserError("a WAV file holds at most 13 hours: give --per chapter, or flac in place of wav")
        for start in range(0, len(samples), BLOCK):  # libsndfile may crash on long blocks
            block = samples[start : start + BLOCK]
            # libsndfile would round for FLAC, and cut off for WAV.
            self._file.write(block if self._kind == "mp3" else _whole_numbers(block))

    def close(self) -> None:
        self._file.close()
        if self._prefix and self._raw.is_file():
            with self._path.open("wb") as whole, self._raw.open("rb") as raw:
                whole.write(self._prefix)
                while content := raw.read(1 << 20):
                    whole.write(content)
            self._raw.unlink()


def _whole_numbers(samples: Samples) -> NDArray[np.int16]:
    """Samples of 16 bits."""
    return np.asarray(np.rint(samples * 32_768.0).clip(-32_768, 32_767), np.int16)


class M4BWriter(Closing):
    """AAC in MP4 of the brand "M4B ", with chapters, tags and the cover."""

    def __init__(self, path: Path, tags: Tags) -> None:
        import av

        self._av = av
        options = {"movflags": "+faststart", "fflags": "+bitexact", "brand": "M4B "}
        self._container = av.open(str(path), "w", format="mp4", options=options)
        self._container.metadata.update(
            {
                "title": tags.title,
                "album": tags.book,
                "artist": tags.author,
                "album_artist": tags.author,
                "genre": GENRE,
                "comment": MADE_WITH,
                "track": f"{tags.track}/{tags.tracks}",
                "media_type": "2",  # an audiobook
            }
        )
        self._stream: Any = self._container.add_stream(
            "aac", rate=RATE, layout="mono", options={"flags": "+bitexact"}
        )
        self._stream.bit_rate = AAC_BITS
        cover = self._add_cover(path, tags)
        self._container.set_chapters(
            [
                {
                    "id": number,
                    "start": round(1000 * mark.begins),
                    "end": round(1000 * mark.ends),
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": mark.title},
                }
                for number, mark in enumerate(tags.marks, 1)
            ]
        )
        self._container.start_encoding()
        if cover is not None:
            self._container.mux(cover)
        self._rest = np.zeros(0, np.float32)
        self._place = 0

    def _add_cover(self, path: Path, tags: Tags) -> Any:
        """The picture as a packet of a stream of its own."""
        if tags.cover is None:
            return None
        file = path.with_name(f"{path.name}.{tags.cover.name}")
        file.write_bytes(tags.cover.content)
        try:
            with self._av.open(str(file)) as picture:
                source = picture.streams.video[0]
                stream = self._container.add_stream_from_template(source)
                stream.disposition = self._av.stream.Disposition.attached_pic
                packet = next(iter(picture.demux(source)))
                packet.stream, packet.pts, packet.dts = stream, 0, 0
                return packet
        finally:
            file.unlink()

    def write(self, samples: Samples) -> None:
        self._rest = np.concatenate([self._rest, samples])
        whole = len(self._rest) // FRAME * FRAME
        for start in range(0, whole, FRAME):
            self._encode(self._rest[start : start + FRAME])
        self._rest = self._rest[whole:]

    def close(self) -> None:
        if len(self._rest):
            self._encode(self._rest)
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def _encode(self, samples: Samples) -> None:
        frame = self._av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples[None]), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._place, Fraction(1, RATE)
        self._place += len(samples)
        self._container.mux(self._stream.encode(frame))


def _soundfile(kind: str) -> Callable[[Path, Tags], Writer]:
    return lambda path, tags: SoundfileWriter(path, kind, tags)


WRITERS: dict[str, Callable[[Path, Tags], Writer]] = {
    "wav": _soundfile("wav"),
    "flac": _soundfile("flac"),
    "mp3": _soundfile("mp3"),
    "m4b": M4BWriter,
}


def epub_mp3(path: Path) -> Writer:
    """A small MP3 file without tags."""
    return SoundfileWriter(path, "mp3", bits=EPUB_BITS)


def check_writer(kind: str) -> None:
    """Raises UserError if the library for this kind of file is missing."""
    if kind == "m4b" and not find_spec("av"):
        raise UserError(
            "m4b needs PyAV, whose wheels hold parts under the GPL (x264, x265) and which no other extra "
            "brings: pip install 'llasa-search[m4b]'"
        )
