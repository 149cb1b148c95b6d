"""searches.jsonl: one record for each search that was run, and the rows of the table that are made of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from experiments.documents import Schema, checked
from experiments.files import read_log
from experiments.runs.dataset import Row
from llasa_core.audio import SAMPLE_RATE
from search.cost.ledger import Ledger
from search.results.candidate import Candidate
from search.results.failures import failures_of
from search.results.result import SearchResult
from verifiers.base import Score
from verifiers.selection.rules import logp

NAME = "searches.jsonl"
ERRORS = ("substitutions", "deletions", "insertions")
Count = Annotated[int, Field(ge=0, le=2**53)]
Number = Annotated[float, Field(ge=0, le=1e30)]


class Scored(Schema):
    """A score, as far as the table has it; see `experiments.studies.table`."""

    value: float | None
    unusable: Literal["", "short", "dropped", "bad"] = ""
    logp: float | None = None
    words: Count | None = None
    errors: Count | None = None
    transcript: str | None = None
    failures: str | None = None


class Drawn(Schema):
    """A candidate. samples: of its audio. judged: by the judges that heard it."""

    codes: list[Annotated[int, Field(ge=0, le=2**31)]]
    samples: Count
    cut_off: bool
    scores: dict[str, Scored]
    judged: dict[str, Scored]


class Chosen(Schema):
    """What a cell chooses among the first n candidates: their numbers, best first."""

    n: Count
    order: list[Count]
    satisfied: bool


class Spent(Schema):
    """A part of the ledger."""

    tokens_generated: Count
    tokens_prefilled: Count
    flops: dict[str, Number]
    wall: dict[str, Number]


class Search(Schema):
    """A line of the log. cell: whose search was run; chosen: by cell, what it and those that are sub-sampled
    from it choose. spent: by the number of candidates, as text: JSON has no other keys."""

    version: Literal[1] = Field(alias="schema")
    cell: str
    utterance: str
    seed: Count
    text: str
    language: str
    voice: str
    candidates: list[Drawn]
    chosen: dict[str, Chosen]
    spent: dict[str, Spent]
    stopped: str

    @property
    def key(self) -> tuple[str, str, int]:
        return self.cell, self.utterance, self.seed


def search_id(cell: str, utterance: str, seed: int) -> str:
    """What names a search of a cell: 16 hex digits."""
    return hashlib.sha256(f"{cell}\0{utterance}\0{seed}".encode()).hexdigest()[:16]


def record_of(
    cell: str,
    row: Row,
    result: SearchResult,
    chosen: Mapping[str, Chosen],
    spent: Mapping[int, Ledger],
) -> dict[str, Any]:
    """The line of a search. chosen: by cell; spent: by the number of candidates."""
    return {
        "cell": cell,
        "utterance": row.id,
        "seed": result.request.seed,
        "text": row.text,
        "language": row.language,
        "voice": row.voice or ("" if row.prompt_audio is None else row.prompt_audio.name),
        "candidates": [_drawn(candidate) for candidate in result.candidates],
        "chosen": {name: one.model_dump() for name, one in chosen.items()},
        "spent": {
            str(count): {
                "tokens_generated": ledger.tokens_generated,
                "tokens_prefilled": ledger.tokens_prefilled,
                "flops": dict(sorted(ledger.flops.items())),
                "wall": {part: round(seconds, 6) for part, seconds in sorted(ledger.wall.items())},
            }
            for count, ledger in spent.items()
        },
        "stopped": result.stopped,
    }


def read_searches(folder: Path) -> Iterator[Search]:
    """Every record. Raises UserError for a line that is none."""
    path = folder / NAME
    if path.exists():
        for place, found in read_log(path, "the searches"):
            yield checked(Search, found, place)


def rows_of(search: Search, cell: str) -> list[dict[str, Any]]:
    """The rows of the table of one cell, without those of its columns that the grid says."""
    chosen = search.chosen[cell]
    ranks = {number: rank for rank, number in enumerate(chosen.order)}
    spent = search.spent[str(chosen.n)]
    shared = {
        "search": search_id(cell, search.utterance, search.seed),
        "cell": cell,
        "utterance": search.utterance,
        "text": search.text,
        "language": search.language,
        "voice": search.voice,
        "seed": search.seed,
        "satisfied": chosen.satisfied,
        "stopped": search.stopped,
        "tokens_generated": spent.tokens_generated,
        "tokens_prefilled": spent.tokens_prefilled,
        **{f"flops:{part}": count for part, count in spent.flops.items()},
        **{f"wall:{part}": seconds for part, seconds in spent.wall.items()},
        "flops": _without_judges(spent.flops),
        "wall": _without_judges(spent.wall),
    }
    return [
        {
            **shared,
            "candidate": number,
            "rank": ranks[number],
            "winner": ranks[number] == 0,
            "tokens": len(candidate.codes),
            "seconds": candidate.samples / SAMPLE_RATE,
            "cut_off": candidate.cut_off,
            "codes": candidate.codes,
            **_columns("score", candidate.scores),
            **_columns("judge", candidate.judged),
        }
        for number, candidate in enumerate(search.candidates[: len(ranks)])
    ]


def _without_judges(parts: Mapping[str, float]) -> float:
    return math.fsum(value for part, value in parts.items() if not part.startswith("judge "))


def _columns(kind: str, scores: Mapping[str, Scored]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, score in scores.items():
        found |= {
            f"{kind}:{name}": score.value,
            f"unusable:{name}": score.unusable,
            f"logp:{name}": score.logp,
        }
        if score.failures is not None:
            found[f"failures:{name}"] = score.failures
        if score.words is not None:
            found |= {f"words:{name}": score.words, f"errors:{name}": score.errors}
        if score.transcript is not None:
            found[f"transcript:{name}"] = score.transcript
    return found


def _drawn(candidate: Candidate) -> dict[str, Any]:
    def scored(scores: Mapping[str, Score]) -> dict[str, Any]:
        return {name: _scored(score, candidate.cut_off) for name, score in scores.items()}

    return {
        "codes": list(candidate.tokens),
        "samples": len(candidate.waveform),
        "cut_off": candidate.cut_off,
        "scores": scored(candidate.scores),
        "judged": scored(candidate.judged),
    }


def bare(score: Score) -> dict[str, Any]:
    """What selections look at, without the evidence: the fields of `Scored`."""
    state = "" if score.usable else "dropped" if score.dropped else "short" if score.short else "bad"
    found: dict[str, Any] = {"value": score.value if math.isfinite(score.value) else None}
    found |= {"unusable": state} if state else {}
    return found | ({"logp": fine} if math.isfinite(fine := logp(score)) else {})


def _scored(score: Score, cut_off: bool) -> dict[str, Any]:
    evidence, failures, found = score.evidence, failures_of(score, cut_off=cut_off), bare(score)
    if {"words", *ERRORS} <= evidence.keys():
        found |= {"words": int(evidence["words"]), "errors": sum(int(evidence[kind]) for kind in ERRORS)}
    if isinstance(evidence.get("transcript"), str):
        found["transcript"] = evidence["transcript"]
    if failures is not None:
        found["failures"] = ",".join(failures)
    return found
