"""What a file says of itself: title, author, chapters and cover; and ID3, which MP3 files have it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llasa_core.errors import UserError, first_line
from llasa_core.paths import regular_file, shown

COVER_BYTES = 10 * 2**20
COVER_PIXELS = 10_000
"""Most bytes, and most pixels of a side."""
GENRE = "Audiobook"
MADE_WITH = "Spoken by a text-to-speech model, with llasa-search."


@dataclass(frozen=True, slots=True)
class Cover:
    """A JPEG or PNG file as it is. kind: "jpeg" or "png"."""

    content: bytes
    kind: str
    width: int
    height: int

    @property
    def mime(self) -> str:
        return f"image/{self.kind}"

    @property
    def name(self) -> str:
        return f"cover.{'jpg' if self.kind == 'jpeg' else 'png'}"


@dataclass(frozen=True, slots=True)
class Mark:
    """A chapter within a file, in seconds."""

    title: str
    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class Tags:
    """title: of the file. book, author: of all files. track, tracks: its number of how many, from 1. marks:
    the chapters of a file that has several."""

    title: str
    book: str
    author: str
    language: str
    track: int = 1
    tracks: int = 1
    marks: tuple[Mark, ...] = ()
    cover: Cover | None = None


def read_cover(path: Path) -> Cover:
    """Raises UserError for what is no JPEG or PNG picture that decodes, or is too large."""
    from PIL import Image

    file = regular_file(path, "--cover", cure="give a JPEG or PNG picture")
    place = f"--cover {shown(path)}"
    if file.stat().st_size > COVER_BYTES:
        raise UserError(f"{place} has more than {COVER_BYTES:,} bytes: scale it down")
    content = file.read_bytes()
    try:
        with Image.open(file) as picture:
            kind, size = (picture.format or "").lower(), picture.size
            if kind in ("jpeg", "png") and max(size) <= COVER_PIXELS:
                picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = first_line(error).replace(repr(str(file)), "it")
        raise UserError(f"{place} is no picture ({reason}): give a JPEG or PNG file") from None
    if kind not in ("jpeg", "png"):
        raise UserError(f"{place} is a {kind.upper()} picture: save it as JPEG or PNG")
    if max(size) > COVER_PIXELS:
        raise UserError(f"{place} has {size[0]} x {size[1]} pixels: scale it down to {COVER_PIXELS:,}")
    return Cover(content, kind, *size)


def id3(tags: Tags) -> bytes:
    """The tag in front of an MP3 file: ID3v2.4 (id3.org, 2000), all text in UTF-8, chapters as CHAP frames
    (ID3v2 Chapter Frame Addendum 1.0).

    libsndfile's own would have Latin letters alone; the libraries that write ID3 are under the GPL.
    """
    frames = [
        _text("TIT2", tags.title),
        _text("TALB", tags.book),
        _text("TRCK", f"{tags.track}/{tags.tracks}"),
        _text("TCON", GENRE),
        _frame("COMM", b"\x03eng\0" + MADE_WITH.encode()),
    ]
    if tags.author:
        frames += [_text("TPE1", tags.author)]
    if tags.cover is not None:
        head = b"\x03" + tags.cover.mime.encode() + b"\0\x03\0"  # 3: the front cover
        frames.append(_frame("APIC", head + tags.cover.content))
    frames += _chapters(tags.marks)
    body = b"".join(frames)
    return b"ID3\x04\0\0" + _safe(len(body)) + body


def _chapters(marks: Sequence[Mark]) -> list[bytes]:
    if not marks:
        return []
    names = [f"chapter{number}".encode() + b"\0" for number in range(1, len(marks) + 1)]
    # 3: on the top level, and in order. A table of contents names at most 255 chapters.
    contents = b"contents\0\x03" + bytes([min(len(marks), 255)]) + b"".join(names[:255])
    frames = [_frame("CTOC", contents)]
    for name, mark in zip(names, marks, strict=True):
        times = b"".join(round(1000 * one).to_bytes(4, "big") for one in (mark.begins, mark.ends))
        frames.append(_frame("CHAP", name + times + b"\xff" * 8 + _text("TIT2", mark.title)))
    return frames


def _text(name: str, text: str) -> bytes:
    return _frame(name, b"\x03" + text.encode())


def _frame(name: str, content: bytes) -> bytes:
    return name.encode() + _safe(len(content)) + b"\0\0" + content


def _safe(size: int) -> bytes:
    """28 bits in four bytes, of which none has its highest bit."""
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
