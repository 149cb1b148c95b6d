"""Copies between slots of the KV cache by the threads that later attend to them, for float32 on a CPU.

Where cores share no cache, memory that another core has written is slow to read: a fork took up to four times
as long.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
from torch import Tensor

from llasa_core.lm.cpu.compiling import Array, Integers, compiled, use_threads_of_torch


def copy_columns(block: Tensor, moves: Sequence[tuple[int, int, int, int]]) -> None:
    """``moves``: (source, slot, start, end) of columns to be copied from slot to slot. No slot is both.

    block [layers, slots, 2, kv_heads, columns, dim].
    """
    # a line for each slot, so that each slot is copied by the thread that attends to it
    lines = np.zeros((block.shape[1], 3), np.int64)
    for source, slot, start, end in moves:
        lines[slot] = source, start, end
    use_threads_of_torch()
    _copy(block.numpy(), lines)


@compiled
def _copy(block: Array, lines: Integers) -> None:
    """lines [slots, 3]: source, start and end; nothing is copied where start and end are equal."""
    layers, _, _, kv_heads = block.shape[:4]
    for part in numba.prange(len(lines) * kv_heads):
        slot, kv = part // kv_heads, part % kv_heads
        source, start, end = lines[slot]
        if start < end:
            for layer in range(layers):
                for k in range(2):
                    block[layer, slot, k, kv, start:end] = block[layer, source, k, kv, start:end]
