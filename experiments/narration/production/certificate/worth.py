"""What a certificate is worth: how often an ear that did not search finds an error in what passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.narration.production.timeline import Placed, Timeline, read_take
from experiments.narration.speaking.standard import family
from experiments.narration.takes import Plan
from experiments.narration.third_ear import counts_of, share_with, share_without
from llasa_core.errors import UserError
from search.roles import weights
from verifiers import registry
from verifiers.base import Target
from verifiers.errors import VerifierError
from verifiers.instances import load_shared
from verifiers.stats import Interval


@dataclass(frozen=True, slots=True)
class Worth:
    """passed: the share of the chunks that passed in which the third ear found no error; flagged: the share
    of the others in which it found one; None where there is no such chunk. A take that it cannot judge has
    errors. errors, words: of the chunks that passed. related: whether an ear of its family searched: a weaker
    judge."""

    ear: str
    family: str
    related: bool
    passed: Interval | None
    flagged: Interval | None
    errors: int
    words: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "ear": self.ear,
            "family": self.family,
            "related": self.related,
            "passed_without_error": _plain(self.passed),
            "flagged_with_error": _plain(self.flagged),
            "errors_in_passed": self.errors,
            "words_in_passed": self.words,
        }


def _plain(share: Interval | None) -> dict[str, float] | None:
    if share is None:
        return None
    return {"share": share.mean, "low": share.low, "high": share.high, "chunks": share.n}


def check_third_ear(spec: str) -> None:
    """Raises UserError for a spec of no recogniser, or one that is not to be had; loads nothing."""
    try:
        registry.check(spec)
        needs = tuple(registry.needs(spec))
    except VerifierError as error:
        raise UserError(f"--third-ear: {error}") from None
    if needs != ("text",):
        raise UserError(f"--third-ear {spec} hears no words: give a recogniser, such as whisper:base")


def check_held_out(spec: str, plan: Plan) -> None:
    """Raises UserError if the ear is one of those that searched."""
    same = next((ear for ear in plan.ears if weights(ear) == weights(spec)), None)
    if same is not None:
        raise UserError(f"--third-ear {spec} searched, as {same}: give another one")


def measure(folder: Path, plan: Plan, timelines: Sequence[Timeline], spec: str) -> Worth:
    """Has the third ear hear every take. Raises UserError as the checks do, and if it cannot be loaded."""
    check_third_ear(spec)
    check_held_out(spec, plan)
    errors: dict[bool, list[int]] = {True: [], False: []}
    words = 0
    try:
        ear = load_shared(spec)
        for placed in (placed for timeline in timelines for placed in timeline.placed):
            score = ear.score([read_take(folder, placed.take)], _target(placed, plan))[0]
            found = counts_of(score)
            errors[placed.take.passed].append(found.errors)
            words += found.words if placed.take.passed else 0
    except VerifierError as error:
        raise UserError(f"--third-ear: {error}") from None
    return Worth(
        ear=spec,
        family=family(spec),
        related=family(spec) in plan.ears.values(),
        passed=share_without(errors[True]),
        flagged=share_with(errors[False]),
        errors=sum(errors[True]),
        words=words,
    )


def _target(placed: Placed, plan: Plan) -> Target:
    return Target(text=placed.take.spoken, language=plan.language, written=placed.take.text)
