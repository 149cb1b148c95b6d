"""What a search returns: every candidate with its scores, the winner, the cost, and how to make it again."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llasa_core.audio import SAMPLE_RATE, Waveform
from llasa_core.lm.lineage import Lineage
from llasa_core.request import Request
from search.cost.ledger import Ledger
from search.results.trace import Step
from verifiers.base import Score


@dataclass(frozen=True, eq=False)
class Candidate:
    """One complete utterance.

    `number` is its place in lineage order (the same whatever else was searched), `rank` 0 is the winner. `scores`
    are of the verifiers that searched, by name; `judged` of the held-out judges, by spec.
    `cut_off`: it reached the longest length and the model had not ended it.
    """

    number: int
    rank: int
    lineage: Lineage
    tokens: tuple[int, ...]
    waveform: Waveform
    scores: Mapping[str, Score]
    judged: Mapping[str, Score] = field(default_factory=dict)
    cut_off: bool = False

    @property
    def seconds(self) -> float:
        return len(self.waveform) / SAMPLE_RATE

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the waveform."""
        return {
            "number": self.number,
            "rank": self.rank,
            "lineage": [list(pair) for pair in self.lineage],
            "seconds": round(self.seconds, 4),
            "cut_off": self.cut_off,
            "scores": {name: score_as_dict(score) for name, score in self.scores.items()},
            "judged": {spec: score_as_dict(score) for spec, score in self.judged.items()},
            "tokens": list(self.tokens),
        }


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The outcome of one request. `candidates` stand in lineage order; `satisfied` is False if none of them met
    all constraints of the selection. `stopped` says what ended the search early, "" if nothing did."""

    request: Request
    candidates: tuple[Candidate, ...]
    satisfied: bool
    ledger: Ledger
    trace: tuple[Step, ...]
    manifest: Mapping[str, Any]
    stopped: str = ""
    directions: Mapping[str, bool] = field(default_factory=dict)

    @property
    def winner(self) -> Candidate:
        return min(self.candidates, key=lambda candidate: candidate.rank)

    @property
    def waveform(self) -> Waveform:
        """float32 [samples], mono 16 kHz: the winner's."""
        return self.winner.waveform

    @property
    def tokens(self) -> tuple[int, ...]:
        return self.winner.tokens

    @property
    def scores(self) -> Mapping[str, Score]:
        return self.winner.scores

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, without waveforms; numbers that are not finite become null."""
        return {
            "text": self.request.text,
            "winner": self.winner.number,
            "satisfied": self.satisfied,
            "stopped": self.stopped,
            "waveform_sha256": hashlib.sha256(self.waveform.tobytes()).hexdigest(),
            "candidates": [candidate.as_dict() for candidate in self.candidates],
            "ledger": self.ledger.as_dict(),
            "trace": [plain(step.as_dict()) for step in self.trace],
            "manifest": plain(self.manifest),
        }


def score_as_dict(score: Score) -> dict[str, Any]:
    return {
        "value": plain(score.value),
        "usable": score.usable,
        "reason": score.reason,
        "evidence": plain(score.evidence),
    }


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: mappings, sequences, text, numbers; everything else by its str()."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if hasattr(value, "tolist"):  # numpy arrays and scalars
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value)
