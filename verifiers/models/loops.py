"""Loops: stretches of speech tokens that say again, code for code, what stands right before them."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from llasa_core.audio import CODES_PER_SECOND
from verifiers.base import TOKENS, About, Codes, Likelihood, Score, Target
from verifiers.shared.tokens import BaseTokenVerifier
from verifiers.spec import Readers, number_between

PERIOD_SECONDS = 2.0


class TokenLoops(BaseTokenVerifier):
    """Metric "loops": seconds of the longest stretch that repeats what is one period before it, for any
    period of up to `period` seconds. Lower is better; a held code, as in a pause, is a loop of the shortest
    period.

    Evidence: where the stretch begins and its period, in seconds. It sees exact repetition only: a word that
    is said twice is other codes each time.
    """

    about = About(
        measures="seconds of the longest stretch of speech tokens that repeats the tokens before it",
        needs=(TOKENS,),
        released={"loops": "no weights"},
        min_seconds=0.1,
    )
    higher_is_better = False
    worst = 120.0
    options: ClassVar[Readers] = {"period": number_between(0.02, 20.0)}

    def __init__(self, *, spec: str = "loops", name: str = "loops", period: float = PERIOD_SECONDS) -> None:
        super().__init__(spec=spec, name=name)
        self._period = max(1, round(period * CODES_PER_SECOND))

    def score_codes(
        self, candidates: Sequence[Codes], target: Target, likelihood: Likelihood, partial: bool
    ) -> list[Score]:
        return [self._score(codes) for codes in candidates]

    def _score(self, codes: Codes) -> Score:
        length, start, period = longest_loop(codes, self._period)
        seconds = length / CODES_PER_SECOND
        where = {"starts_seconds": start / CODES_PER_SECOND, "period_seconds": period / CODES_PER_SECOND}
        return Score(seconds, where if length else {})


def longest_loop(codes: Codes, most: int) -> tuple[int, int, int]:
    """(length, start, period) of the longest stretch whose codes are those `period` earlier, period <= most.

    Of equal ones that of the shortest period, then the first. No repetition: (0, 0, 0).
    """
    row = np.asarray(codes)
    best = (0, 0, 0)
    for period in range(1, min(most, len(row) - 1) + 1):
        equal = row[period:] == row[:-period]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], equal, [False]])))
        starts, ends = edges[::2], edges[1::2]
        if len(starts):
            longest = int((ends - starts).argmax())
            length = int(ends[longest] - starts[longest])
            if length > best[0]:
                best = (length, int(starts[longest]) + period, period)
    return best
