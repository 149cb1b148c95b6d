"""One candidate of a result: its tokens, sound and scores; and results as plain JSON values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llasa_core.audio import SAMPLE_RATE, Waveform
from llasa_core.lm.lineage import Lineage
from search.results.failures import failures_of
from verifiers.base import Score


@dataclass(frozen=True, eq=False, repr=False)
class Candidate:
    """One complete utterance.

    `number` is its place in lineage order (the same whatever else was searched), `rank` 0 is the winner.
    `scores` are of the verifiers that searched, by name; `judged` of the held-out judges, by spec.
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
    def failures(self) -> dict[str, tuple[str, ...]]:
        """Catastrophic failures (names of `search.results.failures.FAILURES`) by each metric and judge that
        says something of words, or could not judge the speech at all."""
        found = {
            name: failures_of(score, cut_off=self.cut_off)
            for name, score in {**self.scores, **self.judged}.items()
        }
        return {name: failures for name, failures in found.items() if failures is not None}

    @property
    def seconds(self) -> float:
        return len(self.waveform) / SAMPLE_RATE

    def __repr__(self) -> str:
        end = ", cut off" if self.cut_off else ""
        return f"<candidate {self.number}: {self.seconds:.2f} s{end}, {shown_scores(self.scores)}>"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the waveform."""
        return {
            "number": self.number,
            "rank": self.rank,
            "lineage": [list(pair) for pair in self.lineage],
            "seconds": round(self.seconds, 4),
            "cut_off": self.cut_off,
            "failures": {name: list(failures) for name, failures in self.failures.items()},
            "scores": {name: score_as_dict(score) for name, score in self.scores.items()},
            "judged": {spec: score_as_dict(score) for spec, score in self.judged.items()},
            "tokens": list(self.tokens),
        }


def shown_scores(scores: Mapping[str, Score]) -> str:
    """`wer 0.000, sim 0.913`, with "?" for what could not be judged."""
    return ", ".join(
        f"{name} {score.value:.3f}" if score.usable else f"{name} ?" for name, score in scores.items()
    )


def score_as_dict(score: Score) -> dict[str, Any]:
    """Plain JSON values, without embeddings: a model makes them again from the audio."""
    return {
        "value": plain(score.value),
        "usable": score.usable,
        "reason": score.reason,
        "short": score.short,
        "evidence": plain({k: value for k, value in score.evidence.items() if k != "embedding"}),
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
