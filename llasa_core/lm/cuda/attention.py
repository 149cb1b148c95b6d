"""Attention of a decoding step on a GPU: `TorchAttention`'s result from the kernels in `kernels`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from llasa_core.lm.cuda import kernels
from llasa_core.lm.prefix import Group

BLOCKS = {torch.float32: (32, 2), torch.bfloat16: (64, 3), torch.float16: (64, 3)}
"""Keys that a program takes at a time, and stages of its loop (Triton's `num_stages`): in float32 fewer, to
fit into the shared memory of small GPUs with heads of 128 dimensions."""
LEAST_QUERIES = 16
"""Of a tile: the smallest product of Triton."""
PROGRAMS, MOST_PARTS = 256, 8
"""A prefix is cut into parts until there are about so many programs, for the many processors of a GPU."""
TYPES = {torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}


class TritonAttention:
    """Attention of rows of one token each. Which prefixes they have is read from `tiles` on the device."""

    def __init__(
        self, tiles: Tensor, block: Tensor, positions: Tensor, tables: tuple[Tensor, Tensor], sharing: int
    ) -> None:
        """``tiles``: int64 [rows, 4], of `tile_table`. ``sharing``: queries of a head of keys. The rest as in
        `TorchAttention`."""
        self._tiles, self._block, self._positions, self._tables = tiles, block, positions, tables
        self._sharing = sharing
        self._rows, self._kv_heads, self._dim = positions.shape[1], block.shape[3], block.shape[5]
        parts = max(1, min(MOST_PARTS, PROGRAMS // (self._rows * self._kv_heads)))
        shape = parts, self._rows, self._kv_heads * sharing
        self._out = torch.empty(*shape, self._dim, device=block.device)
        self._lse = torch.empty(*shape, device=block.device)

    def __call__(self, layer: int, states: Tensor) -> Tensor:
        """As `TorchAttention`."""
        rows, kv_heads, dim, sharing = self._rows, self._kv_heads, self._dim, self._sharing
        parts, _, heads = self._lse.shape
        padded = triton.next_power_of_2(sharing)
        kept = TYPES[self._block.dtype]
        block_of_keys, stages = BLOCKS[self._block.dtype]
        # the interpreter multiplies with numpy, which has no bfloat16
        dot = tl.float32 if states.device.type == "cpu" else kept
        shared: dict[str, Any] = {
            "KV": kv_heads,
            "SHARING": sharing,
            "D": dim,
            "BLOCK": block_of_keys,
            "SCALE": 1 / math.sqrt(dim),
            "KEYS": kept,
            "DOT": dot,
            "num_stages": stages,
        }
        launch(
            kernels.attend_to_prefixes,
            (len(self._tiles), kv_heads, parts),
            *(states, *self._tables, self._positions, self._tiles, self._out, self._lse, layer, rows),
            PADDED=padded,
            ROWS=rows_of_a_tile(rows, sharing),
            **shared,
        )
        block = self._block[layer]
        mixed = torch.empty(rows, heads, dim, device=states.device, dtype=states.dtype)
        launch(
            kernels.attend_to_own,
            (rows, kv_heads),
            *(states, *self._tables, self._positions, block, self._out, self._lse, mixed),
            *(block.stride(0), block.shape[3], rows),
            PADDED=max(padded, LEAST_QUERIES),
            PARTS=parts,
            **shared,
        )
        return mixed.view(rows, -1)


def launch(kernel: Any, grid: tuple[int, ...], *arguments: Any, **constants: Any) -> None:
    """Give a kernel to the current device."""
    kernel[grid](*arguments, **constants)


def rows_of_a_tile(rows: int, sharing: int) -> int:
    """Rows that read a prefix together: more where there are many, so that it is read seldom."""
    fewest = LEAST_QUERIES // min(LEAST_QUERIES, int(triton.next_power_of_2(sharing)))
    return max(fewest, 16 if rows >= 16 else 4)


def tile_table(groups: Sequence[Group], rows: int, sharing: int) -> Tensor:
    """int64 [rows, 4]: first row, number of rows, address of the prefix and its tokens, of each tile; tiles
    that are not needed have no rows."""
    each = rows_of_a_tile(rows, sharing)
    table = [
        (first, min(each, group.last - first), group.prefix.block.data_ptr(), len(group.prefix))
        for group in groups
        for first in range(group.first, group.last, each)
    ]
    return torch.tensor(table + [(0, 0, 0, 0)] * (rows - len(table)), dtype=torch.long)
