"""What a search did, step by step: plain JSON lines from which every branch can be looked at and listened
to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from search.asks import Ask, Beam, Beams, Branch, Extend, Measure, Start, rewound
from search.cost.ledger import Ledger
from verifiers.base import Score


def node_id(beam: Beam) -> str:
    """A beam at its present length: `position-branch` of each fork, then `@tokens`. The root is `@0`."""
    return ".".join(f"{position}-{branch}" for position, branch in beam.lineage) + f"@{len(beam.tokens)}"


@dataclass(frozen=True, slots=True)
class Step:
    """One ask and its answer. at, seconds: wall time since the search began, and of this ask. spent: all that
    the search had spent when it had the answer.

    An "extend" has one entry in ``nodes`` for each beam that it continued, a "measure" one in ``scores``;
    other asks need no model and leave nothing to look at.
    """

    ask: str
    at: float
    seconds: float
    beams: int
    nodes: tuple[dict[str, Any], ...] = ()
    verifier: str = ""
    partial: bool = False
    scores: tuple[dict[str, Any], ...] = ()
    spent: Ledger = field(default_factory=Ledger)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; what an ask does not have is left out."""
        found: dict[str, Any] = {
            "ask": self.ask,
            "at": round(self.at, 4),
            "seconds": round(self.seconds, 4),
            "beams": self.beams,
        }
        if self.nodes:
            found["nodes"] = list(self.nodes)
        if self.verifier:
            found |= {"verifier": self.verifier, "partial": self.partial, "scores": list(self.scores)}
        return found


def step_of(ask: Ask, answer: Any, at: float, seconds: float) -> Step:
    """The record of one ask."""
    match ask:
        case Start():
            return Step("start", at, seconds, 1)
        case Branch():
            return Step("branch", at, seconds, len(answer))
        case Extend(beams, _):
            return Step("extend", at, seconds, len(answer), nodes=_nodes(beams, answer))
        case Measure(beams, verifier, partial):
            return Step(
                "measure",
                at,
                seconds,
                len(beams),
                verifier=verifier,
                partial=partial,
                scores=_scores(beams, answer),
            )


def _nodes(before: Beams, after: Beams) -> tuple[dict[str, Any], ...]:
    """id, parent (the beam before it was branched and extended), new codes from token ``start`` on, how it
    ended."""
    return tuple(
        {
            "id": node_id(new),
            "parent": node_id(rewound(old, len(old.tokens))),
            "start": len(old.tokens),
            "codes": list(new.tokens[len(old.tokens) :]),
            "finished": new.finished,
            "cut_off": new.cut_off,
        }
        for old, new in zip(before, after, strict=True)
        if not old.finished
    )


def _scores(beams: Beams, scores: Sequence[Score]) -> tuple[dict[str, Any], ...]:
    """id of each beam with value, usable, reason, and the transcript where there is one."""
    found = []
    for beam, score in zip(beams, scores, strict=True):
        record = {
            "id": node_id(beam),
            "value": score.value,
            "usable": score.usable,
            "reason": score.reason,
        }
        if "transcript" in score.evidence:
            record["transcript"] = score.evidence["transcript"]
        found.append(record)
    return tuple(found)
