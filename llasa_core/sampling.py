"""How the next token is chosen from the model's logits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llasa_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling settings, applied in this order: temperature, top-k, top-p, min-p.

    Temperature 0 is greedy (the released models nearly fail with it, and rarely stop below 0.4); top_k 0, top_p 1
    and min_p 0 are off. The default is that of the released model card. Raises UserError for values out of range.
    """

    temperature: float = 0.9
    top_p: float = 0.95
    top_k: int = 0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UserError(f"temperature {self.temperature}: give 0 (greedy) or more, such as 0.9")
        if not 0 < self.top_p <= 1:
            raise UserError(f"top-p {self.top_p}: give more than 0 and at most 1, such as 0.95")
        if self.top_k < 0 or self.top_k != int(self.top_k):
            raise UserError(f"top-k {self.top_k}: give 0 (off) or a whole number of tokens")
        if not 0 <= self.min_p <= 1:
            raise UserError(f"min-p {self.min_p}: give 0 (off) to 1")

    @property
    def greedy(self) -> bool:
        return self.temperature == 0


def probabilities(logits: Tensor, sampling: Sampling) -> Tensor:
    """Unnormalised float64 probabilities [rows, V] after the filters; a token filtered out has exactly 0.

    Raises UserError for logits that are not numbers (-inf is allowed: a masked token).
    """
    import torch

    scaled = logits.double() / (sampling.temperature or 1.0)
    top = scaled.amax(dim=-1, keepdim=True)
    if not bool(torch.isfinite(top).all()):
        raise UserError(
            "the generator's logits are not numbers: its weights are damaged or overflow in this precision; "
            "fetch the weights again or load them in float32"
        )
    weights = torch.exp(scaled - top)
    if 0 < sampling.top_k < weights.shape[-1]:
        threshold = weights.topk(int(sampling.top_k), dim=-1).values[:, -1:]
        weights = weights.masked_fill(weights < threshold, 0.0)
    if sampling.top_p < 1:
        # Stable: among equals the lower token goes first, on every device.
        ordered, order = weights.sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(dim=-1) - ordered
        ordered = ordered.masked_fill(before >= sampling.top_p * ordered.sum(dim=-1, keepdim=True), 0.0)
        weights = torch.zeros_like(weights).scatter_(-1, order, ordered)
    if sampling.min_p > 0:
        weights = weights.masked_fill(weights < sampling.min_p * weights.amax(dim=-1, keepdim=True), 0.0)
    return weights


def choose(logits: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
    """Token of each row by the inverse of the cumulative distribution: [rows, V], [rows] in [0, 1) -> [rows].

    The distribution is summed in float64 in the order of token ids, so the same number gives the same token
    whatever else is in the batch. Raises UserError for logits that are not numbers.
    """
    import torch

    weights = probabilities(logits, sampling)
    if sampling.greedy:
        return weights.argmax(dim=-1)
    cumulative = weights.cumsum(dim=-1)
    total = cumulative[:, -1:].contiguous()
    target = uniform.to(cumulative)[:, None] * total
    picked = torch.searchsorted(cumulative, target, right=True)
    # Rounding may push the target up to the total: the last token that has any probability is the answer then.
    last = torch.searchsorted(cumulative, total)
    return torch.minimum(picked, last).squeeze(-1)
