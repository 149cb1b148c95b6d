"""Sampling settings. `llasa_core.lm.sampler` applies them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from llasa_core.errors import UserError


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling settings, applied in this order: repetition penalty, temperature, top-k, top-p, min-p.

    Temperature 0 is greedy (the released models nearly fail with it, and rarely stop below 0.4); top_k 0,
    top_p 1 and min_p 0 are off. The repetition penalty (Keskar et al. 2019, as in transformers) makes codes
    less likely that the candidate itself contains; codes of the voice prompt do not count; 1 is off. Raises
    UserError for values out of range.
    """

    temperature: float = 0.9
    top_p: float = 0.95
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UserError(f"temperature {self.temperature}: give 0 (greedy) or more, such as 0.9")
        if not 0 < self.top_p <= 1:
            raise UserError(f"top-p {self.top_p}: give more than 0 and at most 1, such as 0.95")
        if self.top_k < 0 or self.top_k != int(self.top_k):
            raise UserError(f"top-k {self.top_k}: give 0 (off) or a whole number of tokens")
        if not 0 <= self.min_p <= 1:
            raise UserError(f"min-p {self.min_p}: give 0 (off) to 1")
        if not (math.isfinite(self.repetition_penalty) and self.repetition_penalty > 0):
            raise UserError(
                f"repetition penalty {self.repetition_penalty}: give 1 (off) or more, such as 1.1"
            )

    @property
    def greedy(self) -> bool:
        return self.temperature == 0


MODEL_CARD = Sampling(temperature=0.9, top_p=0.95, top_k=50)
"""What the card of the released models does: it calls `generate` of transformers with this temperature and
top-p, and names no top-k, so that the 50 of transformers apply."""
