"""The options of what is made of a spoken book, as they are written. They need nothing of the extra."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

AUDIO = ("wav", "flac", "mp3", "m4b")
CAPTIONS = ("srt", "vtt")
EPUB, CERTIFICATE = "epub", "certificate"
KINDS = (*AUDIO, *CAPTIONS, EPUB, CERTIFICATE)
DEFAULT = "mp3,certificate"
CLIPS = ("auto", "embed", "link", "none")
"""Of the certificate's page: within it, as links to the takes, not at all; auto: within it while it stays
small."""
PER = ("chapter", "book")


@dataclass(frozen=True, slots=True)
class MakingOptions:
    """What `making.read_making` reads. files: KINDS with commas between them. per: "chapter" or "book"; None:
    one m4b for the book, and for all else a file a chapter."""

    files: str = DEFAULT
    per: str | None = None
    loudness: str = "ebu:-18"
    pauses: str = ""
    cover: Path | None = None
    title: str | None = None
    author: str = ""
    aligner: str = "auto"
    clips: str = "auto"
    third_ear: str | None = None
