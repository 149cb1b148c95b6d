"""What is made of a spoken book, as it is carried out."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.narration.production.alignment import check_aligner
from experiments.narration.production.certificate.worth import check_third_ear
from experiments.narration.production.encoding import check_writer
from experiments.narration.production.loudness import Loudness, parse_loudness
from experiments.narration.production.options import (
    AUDIO,
    CAPTIONS,
    CERTIFICATE,
    CLIPS,
    EPUB,
    KINDS,
    PER,
    MakingOptions,
)
from experiments.narration.production.tags import Cover, read_cover
from experiments.narration.production.timeline import Pauses, parse_pauses
from llasa_core.errors import UserError, nearest


@dataclass(frozen=True, slots=True)
class Making:
    """The options as they are read. title: "" for that of the book."""

    files: tuple[str, ...]
    per: str | None
    loudness: Loudness
    pauses: Pauses
    cover: Cover | None
    title: str
    author: str
    aligner: str
    clips: str
    third_ear: str | None

    def whole(self, kind: str) -> bool:
        """Whether there is one file of this kind for the book."""
        return (self.per or ("book" if kind == "m4b" else "chapter")) == "book"

    @property
    def audio(self) -> tuple[str, ...]:
        return tuple(one for one in self.files if one in AUDIO)

    @property
    def captions(self) -> tuple[str, ...]:
        return tuple(one for one in self.files if one in CAPTIONS)

    @property
    def times_words(self) -> bool:
        return bool(self.captions) or EPUB in self.files


def read_making(given: MakingOptions) -> Making:
    """Raises UserError for whatever is wrong; reads the cover, and loads no model."""
    files = tuple(dict.fromkeys(filter(None, (one.strip().lower() for one in given.files.split(",")))))
    if not files:
        raise UserError(f"--files names nothing to make: give some of {', '.join(KINDS)}")
    for one in files:
        if one not in KINDS:
            raise UserError(f"--files: nothing is called {one[:20]!r}{nearest(one, KINDS)}")
        check_writer(one)
    if given.per not in (None, *PER):
        raise UserError(f"--per {given.per!r}: give chapter or book")
    if given.clips not in CLIPS:
        raise UserError(f"--certificate-audio {given.clips!r}: give one of {', '.join(CLIPS)}")
    check_aligner(given.aligner)
    if given.third_ear is not None:
        if CERTIFICATE not in files:
            raise UserError("--third-ear is for the certificate: add certificate to --files")
        check_third_ear(given.third_ear)
    if given.cover is not None and not {"mp3", "m4b", EPUB} & set(files):
        raise UserError("--cover: of the --files only mp3, m4b and epub hold a cover; leave it out")
    return Making(
        files,
        given.per,
        parse_loudness(given.loudness),
        parse_pauses(given.pauses),
        None if given.cover is None else read_cover(given.cover),
        _line(given.title or ""),
        _line(given.author),
        given.aligner,
        given.clips,
        given.third_ear,
    )


def _line(text: str) -> str:
    return " ".join(text.split())
