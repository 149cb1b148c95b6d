"""Attention to keys and values in two places: a prefix that sequences share, and slots of the KV cache."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from llasa_core.lm.prefix import Group, Prefix

Span: TypeAlias = tuple[int, int, int]
"""Tokens of one text that are run together: its slot, the column of the first of them, and how many."""
_FUSED_ON_CPU = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Softmax attention and the log-sum-exp of its scores, which :func:`merge_states` needs.

    queries [batch, heads, n, dim], keys and values [batch, heads, time, dim], mask (added to the scores) of a
    shape that expands to [batch, heads, n, time] -> [batch, heads, n, dim] and float32 [batch, heads, n].
    """
    if queries.device.type == "cpu":
        mixed, total = _FUSED_ON_CPU(queries, keys, values, attn_mask=mask)
        return mixed, total
    return reference_attention(queries, keys, values, mask)


def reference_attention(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """As `attend`, in plain operations: for devices whose fused attention does not return the log-sum-exp."""
    scores = (queries @ keys.mT).float() / math.sqrt(queries.shape[-1])
    if mask is not None:
        scores = scores + mask
    return torch.softmax(scores, -1).to(values.dtype) @ values, scores.logsumexp(-1)


def merge_states(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> Tensor:
    """Attention over two sets of keys, from what :func:`attend` returned for each (as in FlashAttention)."""
    share = (first[1] - second[1]).sigmoid_().unsqueeze(-1)
    return torch.lerp(second[0], first[0], share.to(first[0].dtype))


def apply_rotary(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of queries or keys [rows, n, dim]; cos and sin [rows, 1, dim], signs in the sine."""
    return torch.addcmul(states * cos, states.roll(states.shape[-1] // 2, -1), sin)


class TorchAttention:
    """Attention of a decoding step: one token of each row attends to its prefix and its slot of the cache."""

    def __init__(
        self,
        groups: Sequence[Group],
        block: Tensor,
        positions: Tensor,
        tables: tuple[Tensor, Tensor],
        columns: int,
        aligned: bool,
    ) -> None:
        """As `Network.step`. ``tables``: cosines and sines [context, dim] for :func:`apply_rotary`."""
        position, self._column = positions
        self._groups = groups
        self._cos, self._sin = (table.index_select(0, position).unsqueeze(1) for table in tables)
        self._count, self._kv_heads = len(position), block.shape[3]
        self._aligned = aligned
        self._mask = None if aligned else self._causal_mask(columns, block.dtype)
        self._rows = None if aligned else torch.arange(self._count, device=block.device)
        # views of all layers at once: one by one they would take a tenth of the time of a small model
        cached = block[:, : self._count]
        self._cached = cached.unbind(0)
        self._keys, self._values = (
            cached[:, :, 0, :, :columns].unbind(0),
            cached[:, :, 1, :, :columns].unbind(0),
        )
        self._last_keys, self._last_values = cached[:, :, :, :, columns - 1].unbind(2)

    def __call__(self, layer: int, states: Tensor) -> Tensor:
        """Queries, keys, values [rows, heads + 2 * kv_heads, dim] -> [rows, heads * dim]. Fills the cache."""
        count, kv_heads = self._count, self._kv_heads
        rotated = apply_rotary(states[:, :-kv_heads], self._cos, self._sin)
        queries, keys, values = rotated[:, :-kv_heads], rotated[:, -kv_heads:], states[:, -kv_heads:]
        if self._aligned:
            self._last_keys[layer].copy_(keys)
            self._last_values[layer].copy_(values)
        else:
            self._cached[layer][self._rows, :, :, self._column] = torch.stack([keys, values], 1)
        # grouped queries: the queries that share a key are treated as several tokens of one head
        queries = queries.view(count, kv_heads, -1, queries.shape[-1])
        own = attend(queries, self._keys[layer], self._values[layer], self._mask)
        if len(self._groups) == 1:
            shared = _attend_to_prefix(queries, self._groups[0].prefix, layer)
        else:
            parts = [_attend_to_prefix(queries[g.first : g.last], g.prefix, layer) for g in self._groups]
            mixed, totals = (torch.cat(some) for some in zip(*parts, strict=True))
            shared = mixed, totals
        return merge_states(shared, own).reshape(count, -1)

    def _causal_mask(self, columns: int, dtype: torch.dtype) -> Tensor:
        """[rows, 1, 1, columns], added to the scores: -inf for columns behind a row's own one."""
        beyond = torch.arange(columns, device=self._column.device) > self._column[:, None]
        mask = torch.zeros(beyond.shape, device=beyond.device, dtype=dtype)
        return mask.masked_fill_(beyond, -torch.inf)[:, None, None]


def _attend_to_prefix(queries: Tensor, prefix: Prefix, layer: int) -> tuple[Tensor, Tensor]:
    """Attention of rows [rows, kv_heads, n, dim] to a prefix, which is read once for all rows."""
    rows, heads, n, dim = queries.shape
    if rows == 1:
        return attend(queries, *prefix.layers[layer])
    together = queries.transpose(0, 1).reshape(1, heads, rows * n, dim)
    mixed, total = attend(together, *prefix.layers[layer])
    return mixed.view(heads, rows, n, dim).transpose(0, 1), total.view(heads, rows, n).transpose(0, 1)


class TorchPrefillAttention:
    """Attention of the tokens of texts to a prefix, to the tokens before them in their slots, and to each
    other."""

    def __init__(
        self, prefix: Prefix, block: Tensor, spans: Sequence[Span], tables: tuple[Tensor, Tensor]
    ) -> None:
        """``spans``: the texts, whose tokens come one text after the other; the columns before a text's first
        token are filled already."""
        self._counts = [count for _, _, count in spans]
        self._texts = [_Text(prefix, block[:, slot], start, count, tables) for slot, start, count in spans]

    def __call__(self, layer: int, states: Tensor) -> Tensor:
        """As `TorchAttention`, with a row for each token."""
        parts = torch.split(states, self._counts)
        return torch.cat([text(layer, part) for text, part in zip(self._texts, parts, strict=True)])


class _Text:
    """The attention of one text's tokens. ``own``: its slot [layers, 2, kv_heads, columns, dim]."""

    def __init__(
        self, prefix: Prefix, own: Tensor, start: int, count: int, tables: tuple[Tensor, Tensor]
    ) -> None:
        self._prefix, self._own = prefix, own
        self._columns = slice(start, start + count)
        known, end = len(prefix) + start, start + count
        positions = torch.arange(known, known + count, device=own.device)
        self._cos, self._sin = (table[positions, None] for table in tables)
        self._causal = known == 0
        everything = torch.arange(len(prefix) + end, device=own.device)
        self._mask = None if self._causal else everything <= positions[:, None]

    def __call__(self, layer: int, states: Tensor) -> Tensor:
        own = self._own[layer]
        kv_heads = own.shape[1]
        rotated = apply_rotary(states[:, :-kv_heads], self._cos, self._sin)
        queries, keys, values = rotated[:, :-kv_heads], rotated[:, -kv_heads:], states[:, -kv_heads:]
        own[0, :, self._columns] = keys.transpose(0, 1)
        own[1, :, self._columns] = values.transpose(0, 1)
        known = torch.cat([self._prefix.block[layer], own[:, :, : self._columns.stop]], 2)
        if self._mask is not None:
            # a GPU has no fused attention that takes a mask and fewer keys than queries
            known = known.repeat_interleave(queries.shape[1] // kv_heads, 1)
        mixed = F.scaled_dot_product_attention(
            queries.transpose(0, 1)[None],
            known[None, 0],
            known[None, 1],
            attn_mask=self._mask,
            is_causal=self._causal,
            enable_gqa=queries.shape[1] != known.shape[1],
        )
        return mixed[0].transpose(0, 1).reshape(len(states), -1)
