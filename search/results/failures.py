"""Catastrophic failures: speech that is not a worse rendering of its text but none.

The kinds are those that the reports on codec language models name: silence, early termination, repetition
and hallucinated content (arXiv 2606.18323, which counts them together by the error rate of a recogniser),
and their older forms, over- and under-generation (Non-Attentive Tacotron, arXiv 2010.04301). Published
counts draw the line by one error rate, such as a WER above 0.3; no agreed definition was
found, so each kind is defined here, from what a recogniser heard and from how the generation ended. A
recogniser errs too: counts belong to the one that they were made by, and a held-out one is the one to report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from search.results.ends import last_missed
from verifiers.base import Score

EMPTY, CUT_OFF, LOOP, INVENTED, WRONG = "empty", "cut off", "loop", "invented words", "mostly wrong"
MISSING_END, REPEATED, ADDED = 2, 3, 3
MOST_WRONG = 0.5
FAILURES = {
    EMPTY: "nothing is said: silence, no whole word, or nothing that could be judged",
    CUT_OFF: f"the model had not ended it, or the last {MISSING_END} words or more are missing",
    LOOP: f"{REPEATED} words or more in a row say again what stands before them, and the text does not",
    INVENTED: f"{ADDED} words or more in a row that the text does not have, and that are no loop",
    WRONG: f"more than half as many errors as the text has words (a WER above {MOST_WRONG:g})",
}
"""By name, in the order in which they are told: what it means. Of Chinese, words are characters."""
COUNTS = ("substitutions", "deletions", "insertions")


def failures_of(score: Score, *, cut_off: bool = False) -> tuple[str, ...] | None:
    """Names of `FAILURES` that are true by this score, none for sound speech; None for a score that says
    nothing of words, or where a cascade did not ask. `cut_off`: the model had not ended the speech."""
    if score.dropped:
        return None
    return failures_in(score.evidence, usable=score.usable or score.short, cut_off=cut_off)


def failures_in(evidence: Mapping[str, Any], *, usable: bool, cut_off: bool) -> tuple[str, ...] | None:
    """As `failures_of`, of a score that was read from a record."""
    if not usable:
        return (EMPTY,)
    if not {"reference", "heard", "words", "added", "changed", *COUNTS} <= evidence.keys():
        return None
    reference, heard = str(evidence["reference"]).split(), str(evidence["heard"]).split()
    if not heard:
        return (EMPTY,)
    looped = repeated(heard) >= repeated(reference) + REPEATED
    errors = sum(int(evidence[kind]) for kind in COUNTS)
    found = {
        CUT_OFF: cut_off or last_missed(evidence) >= MISSING_END,
        LOOP: looped,
        INVENTED: not looped and longest_addition(evidence) >= ADDED,
        WRONG: errors > MOST_WRONG * max(int(evidence["words"]), 1),
    }
    return tuple(name for name in FAILURES if found.get(name))


def repeated(words: Sequence[str]) -> int:
    """Words of the longest stretch that repeats, word for word, what is one period before it: 3 for "go go go
    go", 2 for "the ship the ship"."""
    longest = 0
    for period in range(1, len(words) // 2 + 1):
        run = 0
        for place in range(period, len(words)):
            run = run + 1 if words[place] == words[place - period] else 0
            if run >= period:  # a whole phrase at least
                longest = max(longest, run)
    return longest


def longest_addition(evidence: Mapping[str, Any]) -> int:
    """By how many words what is heard at one place of the text is longer than the text there."""
    longer: Counter[int] = Counter()
    for position, heard in evidence["added"]:
        longer[position] += len(str(heard).split())
    for position, text, heard in evidence["changed"]:
        longer[position] += len(str(heard).split()) - len(str(text).split())
    return max(longer.values(), default=0)
