"""Sampling of the next token from the logits of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llasa_core.sampling import Sampling

if TYPE_CHECKING:
    from torch import Tensor


NOT_A_NUMBER = -1
"""Sampled token of a row whose logits are not numbers."""


def probabilities(logits: Tensor, sampling: Sampling) -> Tensor:
    """Weights float64 [rows, V] proportional to probabilities; exactly 0 for tokens that are filtered out.

    A logit of -inf is a masked token. A row with a logit that is not a number stays not a number.
    """
    import torch

    weights = torch.softmax(logits / (sampling.temperature or 1.0), dim=-1, dtype=torch.float64)
    if 0 < sampling.top_k < weights.shape[-1]:
        threshold = weights.topk(int(sampling.top_k), dim=-1).values[:, -1:]
        weights = weights.masked_fill(weights < threshold, 0.0)
        weights = weights / weights.sum(dim=-1, keepdim=True)
    if sampling.top_p < 1:
        # tokens as likely as the last one of the nucleus stay too: how a device sorts makes no difference
        coarse = weights.float()
        weights.masked_fill_(coarse < _nucleus_threshold(coarse, sampling.top_p), 0.0)
    if sampling.min_p > 0:
        weights = weights.masked_fill(weights < sampling.min_p * weights.amax(dim=-1, keepdim=True), 0.0)
    return weights


def _nucleus_threshold(weights: Tensor, top_p: float) -> Tensor:
    """Smallest weight of the nucleus (the fewest likeliest tokens that sum to top_p): [rows, V] -> [rows, 1].

    In float32, which sorts twice as fast as float64.
    """
    import torch

    rising = _sorted(weights)
    sums = rising.cumsum(dim=-1, dtype=torch.float64)
    beyond = torch.searchsorted(sums, sums[:, -1:] - top_p, right=True)
    return rising.gather(-1, beyond.clamp_(max=weights.shape[-1] - 1))


def _sorted(weights: Tensor) -> Tensor:
    """Each row in ascending order. On a CPU numpy sorts eight times as fast as torch (with AVX-512)."""
    import numpy as np
    import torch

    if weights.device.type == "cpu":
        return torch.from_numpy(np.sort(weights.numpy(), axis=-1))
    return weights.sort(dim=-1).values


def choose(logits: Tensor, uniform: Tensor, sampling: Sampling, seen: Tensor | None = None) -> Tensor:
    """Sample by the inverse of the cumulative distribution: [rows, V], [rows] in [0, 1) -> int64 [rows].

    The distribution is summed in float64 in the order of token ids, so that the same number gives the same
    token in any batch. ``seen``, bool [rows, V]: tokens that the repetition penalty applies to. A row whose
    logits are not numbers gets NOT_A_NUMBER. The device is not waited for.
    """
    import torch

    if seen is not None:
        penalty = sampling.repetition_penalty
        logits = torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)
    weights = probabilities(logits, sampling)
    if sampling.greedy:
        picked, total = weights.argmax(dim=-1), weights.sum(dim=-1)
    else:
        cumulative = weights.cumsum(dim=-1)
        total = cumulative[:, -1]
        # rounding may push the product up to the total; the last token with any probability is sampled then
        target = torch.minimum(uniform.to(cumulative) * total, total * (1 - 2**-53))
        picked = torch.searchsorted(cumulative, target[:, None], right=True)[:, 0]
    return torch.where(total > 0, picked, NOT_A_NUMBER)
