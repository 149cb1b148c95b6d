"""The folder of a narration: what is to be spoken, in the book's order, and what was spoken of it.

`plan.json` is written anew by each `narrate`; `takes.jsonl` only grows. A chunk's take is the last line with
its key, so that an edited text finds what is spoken of it already.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import Field

from experiments.documents import Schema, checked, read_json
from experiments.files import SCHEMA, check_version, read_log, write_whole
from experiments.narration.book import Boundary
from llasa_core.errors import UserError
from llasa_core.paths import shown
from llasa_core.request import MAX_SEED

PLAN = "plan.json"
TAKES = "takes.jsonl"
AUDIO = "audio"
Count = Annotated[int, Field(ge=0, le=2**53)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Ends: TypeAlias = Literal["clause", "sentence", "paragraph", "section", "chapter"]
WordKind: TypeAlias = Literal["equal", "substituted", "missing", "inserted"]
DoubtKind: TypeAlias = Literal[
    "word",  # an ear heard another word, none, or one too many
    "unheard",  # an ear could not judge the audio
    "click",
    "burst",
    "cut-off",
    "silence",
    "loop",
    "extra",  # sound behind the last word
    "signal",  # clipping, an offset
    "pace",
    "loudness",
    "voice",  # unlike the prompt
    "drift",  # unlike the rest of the chapter; found when a folder is read
]


class PlannedChapter(Schema):
    """number: from 1, in the whole book, also where only some chapters were chosen."""

    number: Count
    title: str


class PlannedChunk(Schema):
    """A `Chunk` and its place. number: from 0, in the order of the book. ends: what ends behind it, for the
    pause. predicted: seconds."""

    id: str
    key: str
    number: Count
    chapter: Count
    paragraph: Count
    place: Count
    ends: Ends
    written: str
    text: str
    spoken: str
    predicted: Seconds
    guarded: bool
    heading: bool
    speaker: str | None
    emotion: str | None
    lexicon: list[str]

    @property
    def boundary(self) -> Boundary:
        return Boundary(self.ends)


class Plan(Schema):
    """plan.json. source: the book's file as it was given, and the hash of its content. settings: of the
    search, what decides the takes beside the text (`Settings.describe`, voices, seed). ears: specs of those
    that decided, each with its family; one_family: whether all ears are of one family, a weaker proof."""

    version: Literal[1] = Field(alias="schema")
    title: str
    language: str
    source: str
    source_sha256: str
    seed: Seed
    settings: dict[str, Any]
    ears: dict[str, str]
    one_family: bool
    chapters: list[PlannedChapter]
    chunks: list[PlannedChunk]


class Word(Schema):
    """A word, or a run of words, of an alignment. expected: "" where it is inserted; heard: "" where it is
    missing. seconds: where it is in the take, if the ear knows."""

    kind: WordKind
    expected: str
    heard: str
    begins: Seconds | None = None
    ends: Seconds | None = None


class Heard(Schema):
    """What one ear heard. ear: its spec. errors: words that are wrong by acceptance (`llasa_core.text`).
    words: of the text. usable: False if the ear could not judge the audio; then reason says why."""

    ear: str
    family: str
    transcript: str
    errors: Count
    words: Count
    alignment: list[Word]
    usable: bool = True
    reason: str = ""


class Doubt(Schema):
    """Something amiss. says: one sentence for the reader. ear: the spec of the ear that heard it. at: seconds
    from the begin of the take. word: the word of the text that is meant."""

    kind: DoubtKind
    says: str
    ear: str | None = None
    at: Seconds | None = None
    word: str | None = None


class Measures(Schema):
    """pace: syllables a second of what is not silent. dbfs: root mean square, peak: of the largest sample,
    both in dB of full scale. length_ratio: seconds spoken for each second predicted. similarity: cosine of
    the voice with the prompt's by `speaker_ear`; None without a voice or a speaker verifier. embedding: of
    the voice, of unit length, [] without."""

    pace: float | None
    dbfs: float
    peak: float
    length_ratio: float | None
    similarity: float | None = None
    speaker_ear: str = ""
    embedding: list[float] = Field(default_factory=list)


class Attempt(Schema):
    """One search. strategy: its spec. seed: of its requests. parts: the texts that were spoken one by one and
    joined, if the chunk was split. why: what was amiss with its winner, a sentence each. never: words of the
    text that no ear heard right in any of its candidates."""

    rung: Count
    strategy: str
    seed: Seed
    parts: list[str]
    candidates: Count
    tokens: Count
    seconds: Seconds
    flops: float
    passed: bool
    why: list[str]
    never: list[str] = Field(default_factory=list)


class Take(Schema):
    """What was spoken of a chunk: the best audio of all attempts so far. `written` and the places in the book
    are in the plan; text and spoken are here too, as `redo` may have other ones.

    audio: FLAC, 16 kHz mono, relative to the folder, as it was spoken and not mastered. asked: voice,
    language, emotion and seed, as `Row.asked`. ledger: of all attempts together, as `Ledger.as_dict`.
    manifests: of the searches that the audio comes from, one for each part. joined: seconds from the begin at
    which parts meet. redo: how often the chunk was done again by hand. session, elapsed: of the process that
    wrote the line, and seconds since it began to speak."""

    version: Literal[1] = Field(alias="schema")
    id: str
    key: str
    text: str
    spoken: str
    audio: str
    audio_sha256: str
    seconds: Seconds
    passed: bool
    doubts: list[Doubt]
    heard: list[Heard]
    measures: Measures
    attempts: list[Attempt]
    ledger: dict[str, Any]
    seed: Seed
    asked: dict[str, Any]
    manifests: list[dict[str, Any]]
    joined: list[Seconds] = Field(default_factory=list)
    redo: Count = 0
    session: Count
    elapsed: Seconds

    @property
    def tokens(self) -> int:
        """Speech tokens of all attempts."""
        return sum(attempt.tokens for attempt in self.attempts)

    @property
    def flops(self) -> float:
        return sum(attempt.flops for attempt in self.attempts)


@dataclass(frozen=True)
class Narration:
    """A folder as it is now. takes: by key, of all that was ever spoken into it."""

    folder: Path
    plan: Plan
    takes: Mapping[str, Take]

    @cached_property
    def in_order(self) -> tuple[tuple[PlannedChunk, Take | None], ...]:
        """The chunks of the book in its order, each with its take, None if it is still to be spoken. A take
        that is unlike the rest of its chapter has a doubt of the kind "drift", and does not pass."""
        found = [(chunk, self.takes.get(chunk.key)) for chunk in self.plan.chunks]
        return tuple((chunk, take and self._with_drift(chunk, take)) for chunk, take in found)

    @cached_property
    def drifts(self) -> Mapping[str, float]:
        """By key of a chunk: the cosine of its voice with the mean voice of the other chunks of its chapter
        that have the same speaker. Depends on the takes alone, not on the order in which they were spoken."""
        groups: dict[tuple[int, str | None], dict[str, np.ndarray]] = {}
        for chunk in self.plan.chunks:
            take = self.takes.get(chunk.key)
            if take is not None and take.measures.embedding:
                group = groups.setdefault((chunk.chapter, chunk.speaker), {})
                group[chunk.key] = np.asarray(take.measures.embedding)
        found = {}
        for group in groups.values():
            total = np.sum(list(group.values()), axis=0)
            for key, own in group.items():
                others = total - own
                length = float(np.linalg.norm(others))
                if len(group) > 1 and length > 0:
                    found[key] = float(own @ others / length)
        return found

    def _with_drift(self, chunk: PlannedChunk, take: Take) -> Take:
        drift = self.drifts.get(chunk.key)
        if drift is None or drift >= LEAST_LIKE_CHAPTER:
            return take
        says = f"The voice is unlike the rest of the chapter ({drift:.2f}, at least {LEAST_LIKE_CHAPTER:g})."
        doubts = [*take.doubts, Doubt(kind="drift", says=says)]
        return take.model_copy(update={"doubts": doubts, "passed": False})


LEAST_LIKE_CHAPTER = 0.6
"""Least cosine (GE2E) of a chunk's voice with the mean of the other chunks of its chapter. One voice has 0.8
or more with itself, and 0.36 to 0.64 with others."""


def read_narration(folder: Path) -> Narration:
    """Raises UserError for a folder that holds no narration, or files of another version or origin."""
    if not (folder / PLAN).is_file():
        raise UserError(f"{shown(folder)} holds no {PLAN}: give the folder of a narration")
    place = shown(folder / PLAN)
    plan = checked(Plan, check_version(read_json(folder / PLAN, "the plan"), place), place)
    return Narration(folder, plan, {take.key: take for take in read_takes(folder)})


def read_takes(folder: Path) -> Iterator[Take]:
    """Every line of the log, in the order in which they were written; of a key the last one counts. None if
    nothing was spoken yet. Raises UserError for a line that is no take of this version."""
    if (folder / TAKES).exists():
        for place, found in read_log(folder / TAKES, "the takes"):
            yield checked(Take, found, place)


def write_plan(folder: Path, plan: Plan) -> None:
    """Raises UserError if it cannot be written."""
    found = {"schema": SCHEMA, **plan.model_dump(mode="json", exclude={"version"})}
    write_whole(folder / PLAN, json.dumps(found, indent=1, ensure_ascii=False).encode() + b"\n")
