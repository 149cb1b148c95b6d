"""The activation of a layer, silu(gate) * up, as one kernel of Triton, without results in between."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Triton's types are not Python's.

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from llasa_core.lm.cuda import attention

BLOCK = 1024


def silu_mul(gate_up: Tensor) -> Tensor:
    """As `llasa_core.lm.network.silu_mul`: [rows, 2 * width] -> [rows, width]."""
    rows, width = len(gate_up), gate_up.shape[1] // 2
    out = torch.empty(rows, width, device=gate_up.device, dtype=gate_up.dtype)
    grid = rows, triton.cdiv(width, BLOCK)
    attention.launch(silu_mul_rows, grid, gate_up, out, width, BLOCK=BLOCK)
    return out


@triton.jit
def silu_mul_rows(gate_up, out, width, BLOCK: tl.constexpr):
    """A part of a row of gate_up [rows, 2 * width] into out [rows, width], in float32 until it is stored."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    gate = tl.load(gate_up + row * 2 * width + at, at < width, 0.0).to(tl.float32)
    up = tl.load(gate_up + (row * 2 + 1) * width + at, at < width, 0.0).to(tl.float32)
    tl.store(out + row * width + at, gate / (1 + tl.exp(-gate)) * up, at < width)
