"""Attention of one token of each row: in operations of torch, and as one compiled function."""

import subprocess
import sys

import numba
import numpy as np
import pytest
import torch

from llasa_core.lm.attention import (
    TorchAttention,
    TorchPrefillAttention,
    attend,
    merge_states,
    reference_attention,
)
from llasa_core.lm.cpu import attention as compiled_attention
from llasa_core.lm.cpu import compiling
from llasa_core.lm.cpu.attention import CompiledAttention
from llasa_core.lm.network import PADDED_INPUTS, Network
from llasa_core.lm.prefix import Group, Prefix
from tests.tiny import build_llama

LAYERS, DIM, COLUMNS = 2, 16, 40


@pytest.mark.parametrize("queries", [1, 3])
def test_attention_in_two_places_is_attention_over_both(queries):
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 4, queries, 8), torch.randn(2, 4, 30, 8), torch.randn(2, 4, 30, 8)
    mask = torch.zeros(2, 1, 1, 30).masked_fill_(torch.arange(30) > 26, -torch.inf)
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    for form in (attend, reference_attention):
        parts = [form(q, k[:, :, a:b], v[:, :, a:b], mask[..., a:b]) for a, b in ((0, 11), (11, 30))]
        torch.testing.assert_close(merge_states(*parts), expected, atol=1e-5, rtol=1e-5)


class Scene:
    """Rows of two prompts, each with some tokens of its own behind it."""

    def __init__(self, heads: int, kv_heads: int, columns: list[int]) -> None:
        torch.manual_seed(heads + kv_heads + len(columns))
        self.heads, self.kv_heads, rows = heads, kv_heads, len(columns)
        self.block = torch.randn(LAYERS, rows, 2, kv_heads, COLUMNS, DIM)
        self.prefixes = [Prefix((0,) * n, torch.randn(LAYERS, 2, kv_heads, n, DIM)) for n in (33, 7)]
        cut = (rows + 1) // 2
        ends = [(0, cut), (cut, rows)] if cut < rows else [(0, rows)]
        self.groups = [Group(*end, prefix) for end, prefix in zip(ends, self.prefixes, strict=False)]
        known = [len(g.prefix) for g in self.groups for _ in range(g.first, g.last)]
        self.positions = torch.tensor([[k + c for k, c in zip(known, columns, strict=True)], columns])
        angles = torch.rand(100, DIM // 2)
        self.tables = angles.cos().repeat(1, 2), torch.cat([-angles.sin(), angles.sin()], -1)
        self.states = torch.randn(LAYERS, rows, heads + 2 * kv_heads, DIM)

    def written_out(self) -> tuple[torch.Tensor, torch.Tensor]:
        """[layers, rows, heads * dim] and the block behind it."""
        block = self.block.clone()
        attention = TorchAttention(self.groups, block, self.positions, self.tables, COLUMNS, False)
        return torch.stack([attention(k, states) for k, states in enumerate(self.states)]), block

    def compiled(self, rows: list[int] | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """The same, of some of the rows (of one prompt) in that order."""
        if rows is None:
            groups, rows = self.groups, list(range(len(self.block[0])))
        else:
            (prefix,) = (g.prefix for g in self.groups if g.first <= rows[0] < g.last)
            groups = [Group(0, len(rows), prefix)]
        block = self.block[:, rows].clone()
        attention = CompiledAttention(groups, block, self.positions[:, rows].contiguous(), self.tables)
        return torch.stack([attention(k, states[rows]) for k, states in enumerate(self.states)]), block


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (6, 1)])
@pytest.mark.parametrize("columns", [[0], [5], [3, 0, 39, 17, 17, 2, 8], list(range(19))])
def test_the_compiled_function_is_attention(heads: int, kv_heads: int, columns: list[int]) -> None:
    scene = Scene(heads, kv_heads, columns)
    for found, expected in zip(scene.compiled(), scene.written_out(), strict=True):
        torch.testing.assert_close(found, expected, atol=2e-6, rtol=2e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_no_row_depends_on_those_beside_it_to_the_last_bit(threads: int) -> None:
    scene = Scene(4, 2, [3, 0, 39, 17, 17, 2, 8, 30, 11, 1])
    expected, _ = scene.compiled()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for rows in ([0], [4, 2], [1, 3, 0], [0, 1, 2, 3, 4], [9], [7, 5]):
            assert torch.equal(scene.compiled(rows)[0], expected[:, rows])
    finally:
        torch.set_num_threads(before)


def test_a_prefill_equals_the_steps_that_generated_the_tokens_to_the_last_bit() -> None:
    """Tokens at once give the keys, values and results that they gave one by one; and those of torch,
    nearly.
    """
    scene = Scene(4, 2, [12])
    (prefix, *_), count = scene.prefixes, 9
    states = torch.randn(LAYERS, count, 8, DIM)
    one_by_one, at_once, by_torch = (scene.block.clone() for _ in range(3))
    columns = torch.arange(3, 3 + count)
    positions = torch.stack([columns + len(prefix), columns])
    stepped = []
    for k in range(count):
        attention = CompiledAttention(
            [Group(0, 1, prefix)], one_by_one, positions[:, k : k + 1], scene.tables
        )
        stepped.append(torch.stack([attention(layer, states[layer, k : k + 1]) for layer in range(LAYERS)]))
    slots = torch.zeros(count, dtype=torch.long)
    reading = CompiledAttention([Group(0, count, prefix)], at_once, positions, scene.tables, slots)
    read = torch.stack([reading(layer, states[layer]) for layer in range(LAYERS)])
    assert torch.equal(read, torch.cat(stepped, 1)) and torch.equal(at_once, one_by_one)
    torch_reading = TorchPrefillAttention(prefix, by_torch, [(0, 3, count)], scene.tables)
    expected = torch.stack([torch_reading(layer, states[layer]) for layer in range(LAYERS)])
    torch.testing.assert_close(read, expected, atol=2e-6, rtol=2e-5)
    torch.testing.assert_close(at_once, by_torch, atol=2e-6, rtol=2e-5)


def test_numba_leaves_torch_its_threads() -> None:
    """In a process of its own: numba sets itself up once."""
    code = """
import torch
torch.set_num_threads(1)
from llasa_core.lm.cpu.compiling import use_threads_of_torch
use_threads_of_torch()
print(torch.get_num_threads())
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["1"]


def test_one_thread_without_openmp_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(4, 2, [3, 0, 39, 17, 17, 2, 8])
    expected, _ = scene.compiled()
    function = compiled_attention._attend.py_func  # type: ignore[attr-defined]
    monkeypatch.setattr(function, "__qualname__", "_attend")
    monkeypatch.setattr(compiling, "OPENMP", False)
    alone = compiling.compiled(function)
    assert function.__qualname__ == "_attend_alone"  # or it would be loaded from the files of the other
    monkeypatch.setattr(compiled_attention, "_attend", alone)
    torch.testing.assert_close(scene.compiled()[0], expected, atol=1e-6, rtol=1e-6)


def test_what_is_not_a_number_stays_so() -> None:
    scene = Scene(4, 2, [3, 5])
    scene.states[0, 1, 0] = torch.nan
    mixed, _ = scene.compiled()
    assert mixed[0, 1, :DIM].isnan().all()
    assert mixed[0, 1, DIM:].isfinite().all() and mixed[0, 0].isfinite().all()


def test_powers_of_e() -> None:
    @numba.njit
    def powers(x):  # type: ignore[no-untyped-def]
        return np.array([compiled_attention._exp(value) for value in x])

    x = -np.linspace(0, 90, 100_001).astype(np.float32)
    expected = np.exp(x.astype(np.float64))
    np.testing.assert_allclose(powers(x), expected, atol=1e-37, rtol=8e-6)
    np.testing.assert_allclose(powers(x), expected, atol=2e-7, rtol=0)
    assert powers(np.float32([0.0]))[0] == 1 and np.isnan(powers(np.float32([np.nan]))[0])


def test_columns_are_copied_from_slot_to_slot() -> None:
    torch.manual_seed(0)
    network, moves = (
        Network(build_llama(50), torch.arange(10), 64),
        [(3, 0, 0, 9), (3, 1, 4, 30), (6, 5, 7, 8)],
    )
    block = torch.randn(network.layers, 7, 2, network.kv_heads, 32, network.head_dim)
    expected, found = block.clone(), block.clone()
    for source, slot, start, end in moves:
        expected[:, slot, :, :, start:end] = block[:, source, :, :, start:end]
    network.copy(found, moves)
    assert torch.equal(found, expected) and not torch.equal(found, block)
    network.compiled, found = None, block.clone()
    network.copy(found, moves)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("inputs", [64, PADDED_INPUTS // 2, PADDED_INPUTS, 2 * PADDED_INPUTS])
def test_a_product_of_one_row_is_that_of_the_row_in_a_batch(inputs: int) -> None:
    torch.manual_seed(0)
    network = Network(build_llama(50), torch.arange(10), 64)
    weight, x, other = torch.randn(96, inputs), torch.randn(9, inputs), torch.randn(9, 96)
    product, added = network._linear(weight), network._residual_linear(weight)
    torch.testing.assert_close(product(x), x @ weight.T, atol=1e-4, rtol=1e-4)
    for rows in (1, 2, 3, 5, 8):
        assert torch.equal(product(x[:rows].contiguous()), product(x)[:rows])
        assert torch.equal(added(x[:rows].contiguous(), other[:rows].contiguous()), added(x, other)[:rows])
