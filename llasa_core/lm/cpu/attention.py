"""Attention of one token of each row as a single compiled function, for float32 on a CPU.

It makes batches exact: the result of a row is the same to the last bit in any batch and for any number of
columns, so that a candidate is the same speech in every search. Torch cannot give that, since its matrix
products and its fused attention choose the order of sums by the shape of the whole batch: with the nano
model, a row alone and the same row among 16 have equal logits in 40 of 40 steps here, and in none by torch's
fused attention or by plain matrix products, which also take 1.3 and 1.7 to 2.1 times as long.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
import torch
from torch import Tensor

from llasa_core.lm.cpu.compiling import Array, Integers, compiled, inlined, use_threads_of_torch
from llasa_core.lm.prefix import Group

TOGETHER = 4
"""Rows for which a prefix is read at once; it does not affect the results."""


class CompiledAttention:
    """Attention of rows of one token each, layer by layer."""

    def __init__(
        self,
        groups: Sequence[Group],
        block: Tensor,
        positions: Tensor,
        tables: tuple[Tensor, Tensor],
        slots: Tensor | None = None,
    ) -> None:
        """As `TorchAttention`, float32 on a CPU. ``slots``: int64 [rows], if they are not in order.

        Rows of one slot are tokens of one text: each attends to the keys and values of the tokens before it.
        """
        self._groups = groups
        self._block: Array = block.numpy()
        self._positions: Integers = positions.numpy()
        self._tables: tuple[Array, Array] = tables[0].numpy(), tables[1].numpy()
        self._slots: Integers = np.arange(positions.shape[1]) if slots is None else slots.numpy()
        use_threads_of_torch()

    def __call__(self, layer: int, states: Tensor) -> Tensor:
        """As `TorchAttention`."""
        given: Array = states.numpy()
        rows, heads, dim = given.shape
        block = self._block[layer]
        mixed = np.empty((rows, heads - 2 * block.shape[2], dim), np.float32)
        where = self._positions, self._slots, *self._tables
        for group in self._groups:
            _attend(given, *where, group.prefix.array[layer], block, group.first, group.last, mixed)
        return torch.from_numpy(mixed).view(rows, -1)


@compiled
def _attend(
    states: Array,
    positions: Integers,
    slots: Integers,
    cos: Array,
    sin: Array,
    prefix: Array,
    block: Array,
    first: int,
    last: int,
    mixed: Array,
) -> None:
    """One layer and one prefix: rows ``first`` .. ``last - 1``.

    states [rows, heads + 2 * kv_heads, dim]; positions [2, rows]; slots [rows]; cos, sin [context, dim];
    prefix [2, kv_heads, tokens, dim]; block [slots, 2, kv_heads, columns, dim], into which the rows' keys and
    values are written; mixed [rows, heads, dim], the result.
    """
    kv_heads, dim = block.shape[2], states.shape[2]
    heads = states.shape[1] - 2 * kv_heads
    known, sharing, scale = prefix.shape[2], heads // kv_heads, np.float32(1 / np.sqrt(dim))
    for row in numba.prange(first, last):
        position, column, own = positions[0, row], positions[1, row], block[slots[row]]
        for kv in range(kv_heads):
            _rotate(states[row, heads + kv], cos[position], sin[position], own[0, kv, column])
            own[1, kv, column] = states[row, heads + kv_heads + kv]
    parts = (last - first + TOGETHER - 1) // TOGETHER
    for part in numba.prange(parts * kv_heads):
        kv = part % kv_heads
        begin = first + part // kv_heads * TOGETHER
        end = min(begin + TOGETHER, last)
        queries = np.empty(((end - begin) * sharing, dim), np.float32)
        widest = 0
        for row in range(begin, end):
            position = positions[0, row]
            widest = max(widest, positions[1, row] + 1)
            for k in range(sharing):
                query = queries[(row - begin) * sharing + k]
                _rotate(states[row, kv * sharing + k], cos[position], sin[position], query)
                query *= scale
        scores = np.empty((len(queries), known + widest), np.float32)
        for t in range(known):
            for q in range(len(queries)):
                scores[q, t] = _dot(queries[q], prefix[0, kv, t])
        for q in range(len(queries)):
            row = begin + q // sharing
            for t in range(positions[1, row] + 1):
                scores[q, known + t] = _dot(queries[q], block[slots[row], 0, kv, t])
            _softmax(scores[q, : known + positions[1, row] + 1])
        queries[:] = 0
        for t in range(known):
            for q in range(len(queries)):
                _add_scaled(queries[q], scores[q, t], prefix[1, kv, t])
        for q in range(len(queries)):
            row = begin + q // sharing
            for t in range(positions[1, row] + 1):
                _add_scaled(queries[q], scores[q, known + t], block[slots[row], 1, kv, t])
            mixed[row, kv * sharing + q % sharing] = queries[q]


@inlined
def _rotate(states: Array, cos: Array, sin: Array, out: Array) -> None:
    """Rotary position embedding of a query or key [dim]; the sine has its sign in the table."""
    half = len(states) // 2
    for d in range(half):
        a, b = states[d], states[d + half]
        out[d] = a * cos[d] + b * sin[d]
        out[d + half] = b * cos[d + half] + a * sin[d + half]


@inlined
def _dot(a: Array, b: Array) -> np.float32:
    total = np.float32(0)
    for d in range(len(a)):
        total += a[d] * b[d]
    return total


@inlined
def _add_scaled(out: Array, share: np.float32, values: Array) -> None:
    for d in range(len(out)):
        out[d] += share * values[d]


@inlined
def _softmax(scores: Array) -> None:
    """In place: [time]."""
    largest = scores[0]
    for t in range(len(scores)):
        largest = max(largest, scores[t])
    total = np.float32(0)
    for t in range(len(scores)):
        scores[t] = _exp(scores[t] - largest)
        total += scores[t]
    share = np.float32(1) / total
    for t in range(len(scores)):
        scores[t] *= share


@inlined
def _exp(x: np.float32) -> np.float32:
    """e to the power of x <= 0, within 2e-7, which the compiler can vectorise, unlike that of the C library.

    The usual method: 2^k by the bits of a float, and e^y by its series for |y| <= ln(2) / 2.
    """
    z = np.maximum(x * np.float32(1.4426950408889634), np.float32(-126))
    k = np.floor(z + np.float32(0.5))
    y = (z - k) * np.float32(0.6931471805599453)
    series = y * np.float32(1 / 5040) + np.float32(1 / 720)
    series = series * y + np.float32(1 / 120)
    series = series * y + np.float32(1 / 24)
    series = series * y + np.float32(1 / 6)
    series = series * y + np.float32(1 / 2)
    series = (series * y + np.float32(1)) * y + np.float32(1)
    power = np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)
    return series * power  # type: ignore[no-any-return]
