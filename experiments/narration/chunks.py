"""Chunks: what the model speaks at once. Sentences are packed, or split, to the length that it reads best."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from experiments.narration.book import Book, Boundary, Chapter, Paragraph, join, letters
from experiments.narration.headings import numbered
from experiments.narration.lexicon import Entry, respelled
from experiments.narration.sentences import ends_sentence
from experiments.narration.splitting import split_near, split_sentence
from llasa_core.text import spoken_form
from llasa_core.text.length import predict_seconds

PAPER_CHARACTERS = 100
"""Llasa's paper reads a text of up to 100 characters at once, one of up to 200 in two chunks, and so on."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How long chunks are, in predicted seconds. target: filled up to with sentences. most: a longer
    sentence is split. least: a chunk below it is carried by a neighbour of its paragraph, or guarded.
    paper: the paper's rule instead of `target`, by characters of the paragraph. pace: a name of PACES."""

    target: float = 12.0
    most: float = 16.0
    least: float = 1.5
    paper: bool = False
    pace: str = "llasa"

    @classmethod
    def of(cls, pace: str, *, paper: bool = False) -> Packing:
        """For the models that speak at this pace."""
        return replace(PACKINGS[pace], paper=paper)


PACKINGS = {"llasa": Packing(), "nano": Packing(target=6.0, most=8.0, least=1.0, pace="nano")}
"""llasa: its context leaves some 20 s beside a voice prompt, and a prediction may be a quarter off; not
measured.

nano: it was trained on sentences of a few seconds.
"""


@dataclass(frozen=True)
class Chunk:
    """written: a stretch of a paragraph as it stands in the book. text: the same as the lexicon has it, and
    with the Roman number of a heading in words, which is what a `Request` takes; spoken: the words that the
    model gets. chapter, paragraph: their places, the latter counted from 0 in its chapter. ends: what ends
    behind the chunk, for the pause. place: number among equal chunks before it in the book. guarded: too
    short for the model to read safely, and without a neighbour.
    seconds: predicted. lexicon: the keys of the entries that touched the chunk."""

    written: str
    text: str
    spoken: str
    chapter: int
    paragraph: int
    ends: Boundary
    place: int
    seconds: float
    guarded: bool = False
    heading: bool = False
    speaker: str | None = None
    emotion: str | None = None
    lexicon: tuple[str, ...] = ()

    @cached_property
    def id(self) -> str:
        """A name for the chunk that stays while other chunks and the lexicon change."""
        return _hash(self.written, self.speaker, self.place)

    @cached_property
    def key(self) -> str:
        """Of all in the chunk that its audio depends on: another key, and it has to be spoken again."""
        return _hash(self.id, self.text, self.spoken, self.speaker, self.emotion, *self.lexicon)


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:12]


def chunks(book: Book, packing: Packing, lexicon: Sequence[Entry] = ()) -> tuple[Chunk, ...]:
    """The chunks of a whole book, in order. The words of the chunks' `written` are those of its sentences.

    Paragraphs do not share chunks, and what is packed together depends on what is written in the paragraph
    alone: a changed sentence changes its own chunk, and others of its paragraph only if they are packed
    otherwise then.

    Raises UserError for a pattern of the lexicon that takes too long.
    """
    found: list[Chunk] = []
    seen: Counter[tuple[str, str | None]] = Counter()
    for chapter in book.chapters:
        for number, paragraph in enumerate(chapter.paragraphs):
            texts = _packed(paragraph, packing, book.language)
            for last, text in ((text is texts[-1], text) for text in texts):
                one = _chunk(text, book.language, packing, lexicon, heading=paragraph.heading)
                name = (text.text, paragraph.speaker)
                found.append(
                    replace(
                        one,
                        chapter=chapter.number,
                        paragraph=number,
                        ends=_end(chapter, number) if last else text.ends,
                        place=seen[name],
                        heading=paragraph.heading,
                        speaker=paragraph.speaker,
                        emotion=paragraph.emotion,
                    )
                )
                seen[name] += 1
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Text of a paragraph, its predicted seconds, and what ends behind it."""

    text: str
    seconds: float
    ends: Boundary = Boundary.SENTENCE


def _chunk(
    stretch: _Stretch, language: str, packing: Packing, lexicon: Sequence[Entry], heading: bool
) -> Chunk:
    text, touched = respelled(stretch.text, lexicon)
    if heading:
        text = numbered(text, language)
    return Chunk(
        written=stretch.text,
        text=text,
        spoken=spoken_form(text, language).spoken,
        chapter=0,
        paragraph=0,
        ends=stretch.ends,
        place=0,
        seconds=round(stretch.seconds, 2),
        guarded=stretch.seconds < packing.least,
        lexicon=tuple(entry.key for entry in touched),
    )


def _end(chapter: Chapter, number: int) -> Boundary:
    following = chapter.paragraphs[number + 1 : number + 2]
    if not following:
        return Boundary.CHAPTER
    if following[0].continues:
        last = chapter.paragraphs[number].sentences[-1]
        return Boundary.SENTENCE if ends_sentence(last) else Boundary.CLAUSE
    return Boundary.SECTION if following[0].section else Boundary.PARAGRAPH


def _packed(paragraph: Paragraph, packing: Packing, language: str) -> list[_Stretch]:
    """Neighbouring sentences together, from the left, up to the target; short ones with a neighbour."""
    measure = _measure(language, packing.pace)
    if packing.paper:
        return _by_the_paper(paragraph, measure, language)
    pieces: list[_Stretch] = []
    for sentence in paragraph.sentences:
        parts = split_sentence(sentence, packing.most, measure, language)
        pieces += [_Stretch(part, measure(part), Boundary.CLAUSE) for part in parts]
        pieces[-1] = replace(pieces[-1], ends=Boundary.SENTENCE)
    packed: list[_Stretch] = []
    for piece in pieces:
        together = _joined(packed[-1], piece) if packed else None
        short = packed and min(packed[-1].seconds, piece.seconds) < packing.least
        if together is not None and together.seconds <= (packing.most if short else packing.target):
            packed[-1] = together
        else:
            packed.append(piece)
    return packed


def _joined(left: _Stretch, right: _Stretch) -> _Stretch:
    return _Stretch(join([left.text, right.text]), left.seconds + right.seconds, right.ends)


def _by_the_paper(paragraph: Paragraph, measure: Callable[[str], float], language: str) -> list[_Stretch]:
    """`len > 100` -> 2 chunks of about equal length, `> 200` -> 3, and so on, cut at the best places near
    there."""
    text = join(list(paragraph.sentences))
    count = max(len(text) - 1, 0) // PAPER_CHARACTERS + 1
    ends = {letters(join(list(paragraph.sentences[: n + 1]))) for n in range(len(paragraph.sentences))}
    parts = split_near(text, count, paragraph.sentences, language)
    found, before = [], ""
    for part in parts:
        before += letters(part)
        boundary = Boundary.SENTENCE if before in ends else Boundary.CLAUSE
        found.append(_Stretch(part, measure(part), boundary))
    return found


def _measure(language: str, pace: str) -> Callable[[str], float]:
    return lambda text: _seconds(text, language, pace)


@lru_cache(maxsize=4096)
def _seconds(text: str, language: str, pace: str) -> float:
    return predict_seconds(text, language, pace)
