"""Attention over keys and values that lie in two places: a prompt that rows share, and what each row said after it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_FUSED_ON_CPU = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Softmax attention and the logarithm of its denominator, by which two of them can be :func:`merged`.

    queries [batch, heads, n, dim], keys and values [batch, heads, time, dim], mask (added to the scores) of a shape
    that expands to [batch, heads, n, time] -> [batch, heads, n, dim] and float32 [batch, heads, n].
    """
    if queries.device.type == "cpu":
        mixed, total = _FUSED_ON_CPU(queries, keys, values, attn_mask=mask)
        return mixed, total
    return attend_plainly(queries, keys, values, mask)


def attend_plainly(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The same, written out: for devices whose fused attention does not give the denominator."""
    scores = (queries @ keys.mT).float() / math.sqrt(queries.shape[-1])
    if mask is not None:
        scores = scores + mask
    return torch.softmax(scores, -1).to(values.dtype) @ values, scores.logsumexp(-1)


def merged(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> Tensor:
    """Attention over both places together, of what :func:`attend` gave for each (as FlashAttention's blocks are)."""
    share = (first[1] - second[1]).sigmoid_().unsqueeze(-1)
    return torch.lerp(second[0], first[0], share.to(first[0].dtype))
