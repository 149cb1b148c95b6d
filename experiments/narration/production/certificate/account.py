"""What a narration is worth in figures: words certified and doubtful, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from experiments.narration.book import count_words
from experiments.narration.production.certificate.worth import Worth
from experiments.narration.production.loudness import Loudness
from experiments.narration.production.meter import Levels
from experiments.narration.production.timeline import Placed, Timeline
from experiments.narration.takes import Narration


@dataclass(frozen=True, slots=True)
class Totals:
    """certified: words of the chunks that passed. spoken_seconds: of the takes; seconds: of the book with its
    pauses. first: chunks that passed at their first search. wall_seconds: of all parts of all searches, which
    may have run side by side."""

    chunks: int
    chunks_certified: int
    first: int
    words: int
    certified: int
    spoken_seconds: float
    certified_seconds: float
    seconds: float
    searches: int
    candidates: int
    tokens: int
    flops: float
    wall_seconds: float

    @property
    def doubtful(self) -> int:
        return self.words - self.certified

    @property
    def wall_per_minute(self) -> float | None:
        """Seconds of work for each certified minute; all work counts, that on doubtful chunks too."""
        return self._per_minute(self.wall_seconds)

    @property
    def flops_per_minute(self) -> float | None:
        return self._per_minute(self.flops)

    def _per_minute(self, cost: float) -> float | None:
        return cost / (self.certified_seconds / 60) if self.certified_seconds else None

    def as_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "doubtful": self.doubtful,
            "wall_seconds_per_certified_minute": self.wall_per_minute,
            "flops_per_certified_minute": self.flops_per_minute,
        }


def totals(timelines: Sequence[Timeline]) -> Totals:
    every = [placed for timeline in timelines for placed in timeline.placed]
    passed = [placed for placed in every if placed.take.passed]
    attempts = [attempt for placed in every for attempt in placed.take.attempts]
    return Totals(
        chunks=len(every),
        chunks_certified=len(passed),
        first=sum(len(placed.take.attempts) == 1 for placed in passed),
        words=sum(count_words(placed.chunk.written) for placed in every),
        certified=sum(count_words(placed.chunk.written) for placed in passed),
        spoken_seconds=round(sum(placed.take.seconds for placed in every), 3),
        certified_seconds=round(sum(placed.take.seconds for placed in passed), 3),
        seconds=round(sum(timeline.seconds for timeline in timelines), 3),
        searches=len(attempts),
        candidates=sum(attempt.candidates for attempt in attempts),
        tokens=sum(attempt.tokens for attempt in attempts),
        flops=sum(attempt.flops for attempt in attempts),
        wall_seconds=round(sum(attempt.seconds for attempt in attempts), 3),
    )


@dataclass(frozen=True, slots=True)
class Drift:
    """How like the chapter's own voice the chunks of a chapter are: cosines, by the speaker verifier. lowest:
    the id of the chunk that is the least like it."""

    mean: float
    least: float
    lowest: str
    by: str


def drift(narration: Narration, timeline: Timeline) -> Drift | None:
    """None where no speaker verifier was there, or a chapter has one chunk of each speaker."""
    found = {
        placed.chunk.id: narration.drifts[placed.chunk.key]
        for placed in timeline.placed
        if placed.chunk.key in narration.drifts
    }
    if not found:
        return None
    lowest = min(found, key=lambda one: (found[one], one))
    ears = {placed.take.measures.speaker_ear for placed in timeline.placed} - {""}
    return Drift(float(np.mean(list(found.values()))), found[lowest], lowest, ", ".join(sorted(ears)))


@dataclass(frozen=True, slots=True)
class Certificate:
    """All that the page and the JSON file tell."""

    narration: Narration
    timelines: Sequence[Timeline]
    levels: Mapping[int, Levels]
    loudness: Loudness
    totals: Totals
    drifts: Mapping[int, Drift]
    worth: Worth | None = None

    @property
    def doubtful(self) -> list[Placed]:
        """The chunks that did not pass, those with the most doubts first."""
        found = [
            placed for timeline in self.timelines for placed in timeline.placed if not placed.take.passed
        ]
        return sorted(found, key=lambda placed: (-len(placed.take.doubts), placed.chunk.number))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; the manifests of all chunks are in it."""
        plan = self.narration.plan
        return {
            "schema": 1,
            "title": plan.title,
            "language": plan.language,
            "source": plan.source,
            "source_sha256": plan.source_sha256,
            "seed": plan.seed,
            "settings": plan.settings,
            "ears": plan.ears,
            "one_family": plan.one_family,
            "loudness": str(self.loudness),
            "totals": self.totals.as_dict(),
            "worth": None if self.worth is None else self.worth.as_dict(),
            "book": asdict(self.levels[0]),
            "chapters": [self._chapter(timeline) for timeline in self.timelines],
        }

    def _chapter(self, timeline: Timeline) -> dict[str, Any]:
        number = timeline.chapter.number
        found = self.drifts.get(number)
        return {
            "number": number,
            "title": timeline.chapter.title,
            "seconds": round(timeline.seconds, 3),
            "levels": asdict(self.levels[number]),
            "drift": None if found is None else asdict(found),
            "chunks": [self._chunk(placed) for placed in timeline.placed],
        }

    def _chunk(self, placed: Placed) -> dict[str, Any]:
        take = placed.take.model_dump(mode="json", exclude={"version", "id", "key", "session", "elapsed"})
        take["measures"].pop("embedding")
        chunk = placed.chunk.model_dump(mode="json", exclude={"text", "spoken"})
        return {
            **chunk,
            "begins": round(placed.begins, 3),
            "ends_at": round(placed.ends, 3),
            "gain": round(placed.gain, 2),
            "voice_like_chapter": self.narration.drifts.get(placed.chunk.key),
            **take,
        }


def certify(
    narration: Narration,
    timelines: Sequence[Timeline],
    levels: Mapping[int, Levels],
    loudness: Loudness,
    worth: Worth | None = None,
) -> Certificate:
    """worth: how often a third ear agreed, where that was measured."""
    drifts = {one.chapter.number: found for one in timelines if (found := drift(narration, one)) is not None}
    return Certificate(narration, timelines, levels, loudness, totals(timelines), drifts, worth)
