"""Attention over keys and values that lie in two places: a prompt that rows share, and what each row said after it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from llasa_core.lm.prefix import Group, Prefix

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


def turned(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Queries or keys [rows, n, dim] at positions whose cosines and sines are [rows, 1, dim] both."""
    return torch.addcmul(states * cos, states.roll(states.shape[-1] // 2, -1), sin)


class TorchAttention:
    """A step's attention, layer by layer: of one token of each row to its prefix and to what the row said after it."""

    def __init__(
        self,
        groups: Sequence[Group],
        block: Tensor,
        places: Tensor,
        tables: tuple[Tensor, Tensor],
        columns: int,
        abreast: bool,
    ) -> None:
        """As `Network.step`. ``tables``: cosines and sines [context, dim] for :func:`turned`."""
        position, self._column = places
        self._groups = groups
        self._cos, self._sin = (table.index_select(0, position).unsqueeze(1) for table in tables)
        self._count, self._kv_heads = len(position), block.shape[3]
        self._abreast = abreast
        self._mask = None if abreast else self._masked(columns, block.dtype)
        self._rows = None if abreast else torch.arange(self._count, device=block.device)
        # the views of all layers at once: one by one they would take a tenth of the time of a small model
        known = block[:, : self._count]
        self._known = known.unbind(0)
        self._keys, self._values = (
            known[:, :, 0, :, :columns].unbind(0),
            known[:, :, 1, :, :columns].unbind(0),
        )
        self._key_places, self._value_places = known[:, :, :, :, columns - 1].unbind(2)

    def __call__(self, layer: int, states: Tensor) -> Tensor:
        """Queries, keys and values [rows, heads + 2 * kv_heads, dim] -> [rows, heads * dim]; keys and values are kept."""
        count, kv_heads = self._count, self._kv_heads
        both, values = states[:, :-kv_heads], states[:, -kv_heads:]
        both = turned(both, self._cos, self._sin)
        queries, keys = both[:, :-kv_heads], both[:, -kv_heads:]
        if self._abreast:
            self._key_places[layer].copy_(keys)
            self._value_places[layer].copy_(values)
        else:
            self._known[layer][self._rows, :, :, self._column] = torch.stack([keys, values], 1)
        # the queries that share a key stand side by side, as if they were several times
        queries = queries.view(count, kv_heads, -1, queries.shape[-1])
        own = attend(queries, self._keys[layer], self._values[layer], self._mask)
        if len(self._groups) == 1:
            shared = _shared(queries, self._groups[0].prefix, layer)
        else:
            parts = [_shared(queries[g.first : g.last], g.prefix, layer) for g in self._groups]
            mixed, totals = (torch.cat(some) for some in zip(*parts, strict=True))
            shared = mixed, totals
        return merged(shared, own).reshape(count, -1)

    def _masked(self, columns: int, dtype: torch.dtype) -> Tensor:
        """[rows, 1, 1, columns] to be added to the scores: nothing behind a row's own column is looked at."""
        beyond = torch.arange(columns, device=self._column.device) > self._column[:, None]
        mask = torch.zeros(beyond.shape, device=beyond.device, dtype=dtype)
        return mask.masked_fill_(beyond, -torch.inf)[:, None, None]


def _shared(queries: Tensor, prefix: Prefix, layer: int) -> tuple[Tensor, Tensor]:
    """Attention of rows [rows, kv_heads, n, dim] to a prefix, whose keys and values are read once for all."""
    rows, heads, n, dim = queries.shape
    if rows == 1:
        return attend(queries, *prefix.layers[layer])
    together = queries.transpose(0, 1).reshape(1, heads, rows * n, dim)
    mixed, total = attend(together, *prefix.layers[layer])
    return mixed.view(heads, rows, n, dim).transpose(0, 1), total.view(heads, rows, n).transpose(0, 1)


class TorchReading:
    """Attention of a text's tokens, layer by layer: to a prefix and to those before them in one slot of a block."""

    def __init__(
        self, prefix: Prefix, block: Tensor, slot: int, start: int, count: int, tables: tuple[Tensor, Tensor]
    ) -> None:
        """``start``: the column of the first of ``count`` tokens; those before it are there already."""
        self._prefix, self._own = prefix, block[:, slot]
        self._columns = slice(start, start + count)
        known, end = len(prefix) + start, start + count
        places = torch.arange(known, known + count, device=block.device)
        self._cos, self._sin = (table[places, None] for table in tables)
        self._first = known == 0
        everything = torch.arange(len(prefix) + end, device=block.device)
        self._seen = None if self._first else everything <= places[:, None]

    def __call__(self, layer: int, states: Tensor) -> Tensor:
        """As `TorchAttention`, a row for each token."""
        own = self._own[layer]
        kv_heads = own.shape[1]
        both, values = turned(states[:, :-kv_heads], self._cos, self._sin), states[:, -kv_heads:]
        queries, keys = both[:, :-kv_heads], both[:, -kv_heads:]
        own[0, :, self._columns] = keys.transpose(0, 1)
        own[1, :, self._columns] = values.transpose(0, 1)
        seen = torch.cat([self._prefix.block[layer], own[:, :, : self._columns.stop]], 2)
        mixed = F.scaled_dot_product_attention(
            queries.transpose(0, 1)[None],
            seen[None, 0],
            seen[None, 1],
            attn_mask=self._seen,
            is_causal=self._first,
            enable_gqa=queries.shape[1] != kv_heads,
        )
        return mixed[0].transpose(0, 1).reshape(len(states), -1)
