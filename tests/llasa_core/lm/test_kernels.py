"""The attention kernels for a GPU, run by Triton's interpreter on a CPU."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from llasa_core.lm.attention import TorchAttention
from llasa_core.lm.prefix import Group, Prefix

pytest.importorskip("triton", reason="Triton is not installed: it comes with torch for CUDA")

from llasa_core.lm.cuda import attention as cuda_attention
from llasa_core.lm.cuda.attention import TritonAttention, rows_of_a_tile, tile_table
from llasa_core.lm.cuda.gate import silu_mul
from llasa_core.lm.network import silu_mul as plain_silu_mul

LAYERS, CONTEXT = 2, 400
PHASES = [Phase.explicit, Phase.generate]
TOLERANCES = {torch.float32: 1e-6, torch.bfloat16: 2**-8}


@dataclass(frozen=True, repr=False)
class Scene:
    """Rows of some prompts, each with tokens of its own behind it, in float64."""

    sharing: int
    kv_heads: int
    dim: int
    groups: list[Group]
    block: torch.Tensor
    positions: torch.Tensor
    tables: tuple[torch.Tensor, torch.Tensor]
    states: torch.Tensor

    @classmethod
    def of(
        cls, sharing: int, kv_heads: int, dim: int, prompts: list[tuple[int, int]], columns: list[int]
    ) -> Scene:
        """``prompts``: tokens and rows of each."""
        torch.manual_seed(len(columns) + sum(columns))
        groups, lengths = [], []
        for tokens, rows in prompts:
            block = torch.randn(LAYERS, 2, kv_heads, tokens, dim, dtype=torch.float64)
            groups.append(Group(len(lengths), len(lengths) + rows, Prefix((0,) * tokens, block)))
            lengths += [tokens] * rows
        angles = torch.arange(CONTEXT)[:, None] / 100 ** (torch.arange(dim // 2) / (dim // 2))[None]
        own = torch.tensor(columns)
        return cls(
            *(sharing, kv_heads, dim, groups),
            torch.randn(LAYERS, len(columns), 2, kv_heads, max(columns) + 5, dim, dtype=torch.float64),
            torch.stack([torch.tensor(lengths) + own, own]),
            (angles.cos().repeat(1, 2).double(), torch.cat([-angles.sin(), angles.sin()], -1).double()),
            torch.randn(LAYERS, len(columns), (sharing + 2) * kv_heads, dim, dtype=torch.float64),
        )

    def cast(self, dtype: torch.dtype) -> Scene:
        groups = [
            Group(g.first, g.last, Prefix(g.prefix.tokens, g.prefix.block.to(dtype))) for g in self.groups
        ]
        cos, sin = (table.to(dtype) for table in self.tables)
        shape = self.sharing, self.kv_heads, self.dim
        return Scene(*shape, groups, self.block.to(dtype), self.positions, (cos, sin), self.states.to(dtype))

    def by_torch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """[layers, rows, heads * dim], and the block behind it."""
        block = self.block.clone()
        columns = block.shape[4]
        attention = TorchAttention(self.groups, block, self.positions, self.tables, columns, False)
        return torch.stack([attention(k, states) for k, states in enumerate(self.states)]), block

    def by_kernels(self) -> tuple[torch.Tensor, torch.Tensor]:
        block = self.block.clone()
        tiles = tile_table(self.groups, self.states.shape[1], self.sharing)
        attention = TritonAttention(tiles, block, self.positions, self.tables, self.sharing)
        return torch.stack([attention(k, states) for k, states in enumerate(self.states)]), block


ROWS_20 = Scene.of(4, 2, 16, [(70, 17), (9, 3)], [(7 * k) % 66 for k in range(20)])
"""From 16 rows on, more of them read a prefix together, by another variant of the kernel."""


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    few = st.lists(st.tuples(st.integers(1, 150), st.integers(1, 3)), min_size=1, max_size=3)
    many = st.tuples(st.tuples(st.integers(1, 80), st.integers(13, 17)), st.tuples(st.just(9), st.just(3)))
    prompts = draw(few | many.map(list))
    rows = sum(count for _, count in prompts)
    columns = draw(st.lists(st.integers(0, 130), min_size=rows, max_size=rows))
    sharing, kv_heads = draw(st.sampled_from([(4, 2), (3, 1), (1, 2), (8, 1)]))
    return Scene.of(sharing, kv_heads, draw(st.sampled_from([16, 64])), prompts, columns)


@pytest.fixture(autouse=True, scope="module")
def few_parts() -> Iterator[None]:
    """The interpreter takes milliseconds a program."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda_attention, "PROGRAMS", 16)
        yield


@pytest.fixture(autouse=True, scope="module")
def rounding() -> Iterator[None]:
    """The interpreter cuts float32 off to bfloat16; a GPU rounds to the nearest."""
    from triton.runtime import interpreter

    convert = interpreter._convert_float

    def rounded(data: Any, given: Any, wanted: Any, mode: Any) -> Any:
        if not (given.is_fp32() and wanted.is_bf16()):
            return convert(data, given, wanted, mode)
        values = torch.from_numpy(np.ascontiguousarray(data).view(np.float32))
        return values.bfloat16().view(torch.int16).numpy().view(np.uint16)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interpreter, "_convert_float", rounded)
        yield


def furthest(found: torch.Tensor, exact: torch.Tensor) -> float:
    return float((found.double() - exact).abs().max())


@settings(max_examples=8, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
@given(scene=scenes())
@example(scene=ROWS_20)
def test_in_float32_the_kernels_are_attention_in_float64(scene: Scene) -> None:
    (exact, block), (found, filled) = scene.by_torch(), scene.cast(torch.float32).by_kernels()
    assert furthest(found, exact) < 1e-5 and furthest(filled, block) < 1e-5


@settings(max_examples=8, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
@given(scene=scenes())
@example(scene=ROWS_20)
def test_in_bfloat16_they_are_as_near_as_plain_operations(scene: Scene) -> None:
    rounded = scene.cast(torch.bfloat16)
    exact, block = rounded.cast(torch.float64).by_torch()
    (plain, plainly_filled), (found, filled) = rounded.by_torch(), rounded.by_kernels()
    # as far as plain operations, and half a unit in the last place: one rounding more
    for ours, theirs, right in ((found, plain, exact), (filled, plainly_filled, block)):
        unit = 2**-8 * float(right.abs().max())
        assert furthest(ours, right) <= furthest(theirs, right) + unit


def test_a_prefix_is_read_by_tiles_of_rows_and_the_rest_of_the_table_is_empty() -> None:
    prefixes = [Prefix((0,) * n, torch.zeros(1, 2, 1, n, 16)) for n in (7, 9)]
    table = tile_table([Group(0, 18, prefixes[0]), Group(18, 20, prefixes[1])], 20, sharing=4)
    first, second = (prefix.block.data_ptr() for prefix in prefixes)
    assert table[:3].tolist() == [[0, 16, first, 7], [16, 2, first, 7], [18, 2, second, 9]]
    assert table.shape == (20, 4) and not table[3:].any()
    # no tile has fewer queries than a product of the hardware
    assert [rows_of_a_tile(2, sharing) for sharing in (1, 3, 4, 8, 32)] == [16, 4, 4, 4, 4]


def test_what_lies_behind_a_rows_column_is_not_read() -> None:
    scene = Scene.of(4, 2, 16, [(20, 3)], [3, 0, 40]).cast(torch.float32)
    expected, _ = scene.by_kernels()
    for row, column in enumerate(scene.positions[1].tolist()):
        scene.block[:, row, :, :, column:] = torch.nan
    found, _ = scene.by_kernels()
    assert torch.equal(found, expected)


def test_many_parts_of_a_prefix_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also more parts than a prefix has blocks."""
    scene = Scene.of(4, 1, 16, [(200, 2), (3, 1)], [5, 70, 0]).cast(torch.float32)
    found = []
    monkeypatch.setattr(cuda_attention, "PROGRAMS", 256)
    for parts in (1, 3, 8):
        monkeypatch.setattr(cuda_attention, "MOST_PARTS", parts)
        found.append(scene.by_kernels()[0])
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], atol=2e-6, rtol=0)


@pytest.mark.filterwarnings("ignore:overflow encountered in exp")
@settings(max_examples=15, phases=[Phase.generate])
@given(st.integers(1, 5), st.integers(1, 2600), st.floats(0.1, 30), st.sampled_from(list(TOLERANCES)))
def test_the_activation_is_that_of_float64(rows: int, width: int, spread: float, dtype: torch.dtype) -> None:
    """Rounded once, when it is stored. Also of gates so negative that their exponential overflows."""
    states = torch.randn(rows, 2 * width, generator=torch.Generator().manual_seed(width)) * spread
    states[0, 0], states[0, -1] = -150, 7
    found, exact = silu_mul(states.to(dtype)), plain_silu_mul(states.to(dtype).double())
    assert found.dtype == dtype and found.shape == (rows, width)
    torch.testing.assert_close(found.double(), exact, rtol=TOLERANCES[dtype], atol=1e-30)


@pytest.mark.processes
def test_the_kernels_compile_for_gpus_that_are_not_here() -> None:
    """To machine code, by the assembler that Triton brings: the interpreter takes what no compiler would."""
    command = [sys.executable, "-m", "tests.llasa_core.lm.compile_kernels"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "compiled", done.stderr[-2000:]
