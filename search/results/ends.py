"""How a text ended that was not simply spoken: what `run` counts, and what results, records and pages say."""

from collections.abc import Mapping
from typing import Any

from verifiers.base import Score

CUT_OFF, UNMET, NOTHING_COMPLETE, SHORTENED = "cut off", "unmet", "nothing complete", "shortened"
NOT_REACHED = "emotion not reached"
ENDS = {
    CUT_OFF: "the speech is cut off: the model had not ended it",
    NOTHING_COMPLETE: "the budget was spent before any candidate was complete",
    SHORTENED: "the end of the text is missing",
    UNMET: "no candidate met all constraints",
    NOT_REACHED: "the speech does not have the emotion that was asked for",
}
"""By name, in the order in which they are told: what it means."""


def ends_of(
    scores: Mapping[str, Score], *, cut_off: bool, constraints_met: bool, nothing_complete: bool
) -> tuple[str, ...]:
    """The names of what is true of a winner with these scores."""
    found = {
        CUT_OFF: cut_off,
        NOTHING_COMPLETE: nothing_complete,
        SHORTENED: any(lacks_the_end(score) for score in scores.values()),
        UNMET: not constraints_met,
        NOT_REACHED: bool(missed_emotion(scores)),
    }
    return tuple(name for name in ENDS if found[name])


def missed_emotion(scores: Mapping[str, Score]) -> str:
    """What was found in place of the emotion that was asked for, such as "sad 0.18, neutral 0.40", by the
    first verifier that says so; "" if it is reached, or nothing tells."""
    for score in scores.values():
        if score.usable and "reached" in score.evidence:
            return "" if score.evidence["reached"] else str(score.evidence.get("found", "another emotion"))
    return ""


def lacks_the_end(score: Score) -> bool:
    """Whether a recogniser heard nothing of the last words of the text."""
    return score.usable and last_missed(score.evidence) > 0


def last_missed(evidence: Mapping[str, Any]) -> int:
    """How many of the last words of the text were not heard, by the evidence of a recogniser."""
    reference, missed = evidence.get("reference"), evidence.get("missed")
    if not (isinstance(reference, str) and missed):
        return 0
    try:
        behind = last = len(reference.split())
        for position, expected in reversed(missed):
            if position + len(expected.split()) < behind:
                break
            behind = int(position)
        return last - behind
    except (TypeError, ValueError, AttributeError, LookupError):
        return 0  # the evidence of another package may mean something else by these names
