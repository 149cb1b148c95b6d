"""Sampling of the next token from the logits of the model."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from llasa_core.lm.noise import exponentials
from llasa_core.sampling import Sampling

NOT_A_NUMBER = -1
"""Sampled token of a row whose logits are not numbers."""
TIES = 64
"""Tokens as likely as the last one of the top-k that are looked at beside it."""


Race = Callable[[Tensor, Tensor, Sampling], Tensor]
"""`race`, or what does the same on some device."""


def choose(
    logits: Tensor, keys: Tensor, sampling: Sampling, race: Race, seen: Tensor | None = None
) -> Tensor:
    """Sample one token of each row: float32 logits [rows, V], keys int64 [rows] -> int64 [rows].

    ``keys``: of row and position (`lineage.position_keys`). ``race``: as for the device. ``seen``, bool
    [rows, V]: tokens that the repetition penalty applies to. A logit of -inf is a masked token. A row whose
    logits are not numbers gets NOT_A_NUMBER. The device is not waited for.
    """
    if seen is not None:
        penalty = sampling.repetition_penalty
        logits = torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)
    if sampling.greedy:
        return torch.where(logits.amax(-1).isfinite(), logits.argmax(-1), NOT_A_NUMBER)
    return race(torch.softmax(logits / sampling.temperature, -1), keys, sampling)


def race(weights: Tensor, keys: Tensor, sampling: Sampling) -> Tensor:
    """The token, of those that the settings leave, whose weight over its exponential number is largest.

    weights: float32 [rows, V], probabilities. Returns int64 [rows].
    """
    count = weights.shape[-1]
    if sampling.top_k > 0 and sampling.top_k + TIES < count:
        # in any order: a token's number is its own wherever it stands
        found, tokens = weights.topk(sampling.top_k + TIES, -1)
        picked = _winner(found, exponentials(keys, tokens), sampling)
        return torch.where(picked < 0, picked, tokens.gather(-1, picked.clamp(min=0)[:, None])[:, 0])
    return _winner(weights, exponentials(keys, torch.arange(count, device=weights.device)), sampling)


def _winner(weights: Tensor, numbers: Tensor, sampling: Sampling) -> Tensor:
    """Index of the largest quotient among the weights that are kept, int64 [rows]."""
    left = kept(weights, sampling)
    total = left.sum(-1)
    return torch.where(total > 0, (left / numbers).argmax(-1), NOT_A_NUMBER)


def kept(weights: Tensor, sampling: Sampling) -> Tensor:
    """Probabilities [rows, n] with those that top-k, top-p and min-p filter out set to 0, not renormalised.

    Tokens as likely as the last one that is kept are kept too. A row with a weight that is not a number stays
    not a number.
    """
    if 0 < sampling.top_k < weights.shape[-1]:
        last = weights.topk(sampling.top_k, -1).values[:, -1:]
        weights = weights.masked_fill(weights < last, 0.0)
    if sampling.top_p < 1:
        ordered = weights.sort(-1, descending=True).values
        sums = ordered.cumsum(-1, dtype=torch.float64)
        fewest = (sums - ordered < sampling.top_p * sums[:, -1:]).sum(-1, keepdim=True)
        weights = weights.masked_fill(weights < ordered.gather(-1, (fewest - 1).clamp_(min=0)), 0.0)
    if sampling.min_p > 0:
        weights = weights.masked_fill(weights < sampling.min_p * weights.amax(-1, keepdim=True), 0.0)
    return weights
