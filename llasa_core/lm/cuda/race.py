"""`llasa_core.lm.sampler.race` as one kernel of Triton: no sort, and no float64.

A program has one row. It finds the smallest weight that is kept by halving the range of bit patterns of
float32, which are ordered as the numbers are, and so reads the row some thirty times. With top-k that is a
hundred weights, which torch's own top-k finds; without it 65,537, which stay in the cache.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Triton's types are not Python's.

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from llasa_core.lm import noise
from llasa_core.lm.cuda import attention
from llasa_core.lm.sampler import TIES
from llasa_core.sampling import Sampling

BLOCK, WARPS = 8192, 16
"""Weights that a program takes at a time, and its warps: many, for many loads under way."""
NUMBERS = 1024
"""Random numbers that a program writes."""
BITS_OF_ONE = tl.constexpr(0x3F800001)
"""One more than those of the float32 number 1, which no weight is above."""
GOLDEN, MIX_1, MIX_2 = tl.constexpr(noise.GOLDEN), tl.constexpr(noise.MIX_1), tl.constexpr(noise.MIX_2)
LN_2, FRACTION = tl.constexpr(noise.LN_2), tl.constexpr(noise.FRACTION)
LOW_BITS, LOW = tl.constexpr(noise.LOW_BITS), tl.constexpr(2**noise.LOW_BITS - 1)
MOST_HALVINGS = tl.constexpr(noise.LOW_BITS - 1 + noise.EXPONENT_OF_ONE)
A0, A1, A2, A3, A4 = (tl.constexpr(coefficient) for coefficient in noise.ATANH)


def race(weights: Tensor, keys: Tensor, sampling: Sampling) -> Tensor:
    """As `llasa_core.lm.sampler.race`: float32 [rows, V], int64 [rows] -> int64 [rows]."""
    tokens = None
    if 0 < sampling.top_k < weights.shape[1] - TIES:
        weights, tokens = weights.topk(sampling.top_k + TIES, -1, sorted=False)
    rows, count = weights.shape
    block = min(BLOCK, triton.next_power_of_2(count))
    picked = torch.empty(rows, dtype=torch.long, device=weights.device)
    attention.launch(
        race_rows,
        (rows,),
        *(weights.contiguous(), keys if tokens is None else tokens.contiguous(), keys, picked),
        *(count, sampling.top_k, sampling.top_p, sampling.min_p),
        LISTED=tokens is not None,
        BY_COUNT=0 < sampling.top_k < count,
        BY_MASS=sampling.top_p < 1,
        BLOCK=block,
        num_warps=WARPS if block == BLOCK else 4,
        enable_fp_fusion=False,  # every operation is rounded as it is written
    )
    return picked


def exponentials(keys: Tensor, count: int) -> Tensor:
    """`noise.exponentials` of the tokens 0 .. ``count`` - 1 as `race` makes them: float32 [rows, count]."""
    found = torch.empty(len(keys), count, device=keys.device)
    grid = len(keys), triton.cdiv(count, NUMBERS)
    attention.launch(write_exponentials, grid, keys, found, count, BLOCK=NUMBERS, enable_fp_fusion=False)
    return found


@triton.jit
def write_exponentials(keys, out, count, BLOCK: tl.constexpr):
    """A part of a row of keys int64 [rows] and out [rows, count]."""
    row = tl.program_id(0).to(tl.int64)
    token = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    key = tl.load(keys + row).to(tl.uint64, bitcast=True)
    tl.store(out + row * count + token, exponential(key, token), token < count)


@triton.jit
def exponential(key, token):
    """As `noise.exponentials`, to the bit."""
    bits = key + (token + 1).to(tl.uint64) * GOLDEN
    bits = (bits ^ (bits >> 30)) * MIX_1
    bits = (bits ^ (bits >> 27)) * MIX_2
    bits = bits ^ (bits >> 31)
    low = ((bits & LOW) | 1).to(tl.int32).to(tl.float32)
    exponent = low.to(tl.int32, bitcast=True) >> 23
    halvings = (-exponent + MOST_HALVINGS).to(tl.float32)
    fraction = ((bits >> LOW_BITS) | 1).to(tl.int64).to(tl.float32) * FRACTION
    z = tl.div_rn(fraction, 4 - fraction)
    square = z * z
    series = (((square * A4 + A3) * square + A2) * square + A1) * square + A0
    return halvings * LN_2 + z * series


@triton.jit
def _sum_from(row, count, least, COUNTED: tl.constexpr, BLOCK: tl.constexpr):
    """Of the weights that are at least `least`; or how many there are."""
    total = 0.0
    for begin in range(0, count, BLOCK):
        at = begin + tl.arange(0, BLOCK)
        weight = tl.load(row + at, at < count, 0.0)
        some = (weight >= least) & (at < count)
        if COUNTED:
            total += tl.sum(some.to(tl.float32), 0)
        else:
            total += tl.sum(tl.where(some, weight, 0.0), 0)
    return total


@triton.jit
def _floor(row, count, least, wanted, COUNTED: tl.constexpr, BLOCK: tl.constexpr):
    """A number, not below `least`, from which on the weights sum to `wanted` or are so many, and none of them
    can be left out."""
    low = least.to(tl.int32, bitcast=True)
    high = low * 0 + BITS_OF_ONE
    while high - low > 1:
        middle = low + (high - low) // 2
        total = _sum_from(row, count, middle.to(tl.float32, bitcast=True), COUNTED, BLOCK)
        low = tl.where(total >= wanted, middle, low)
        high = tl.where(total >= wanted, high, middle)
        if COUNTED:  # just so many: nearer to the last of them there is nothing
            high = tl.where(total == wanted, low + 1, high)
    return low.to(tl.float32, bitcast=True)


@triton.jit(do_not_specialize=["count", "top_k"])
def race_rows(
    weights,
    tokens,
    keys,
    picked,
    count,
    top_k,
    top_p,
    min_p,
    LISTED: tl.constexpr,
    BY_COUNT: tl.constexpr,
    BY_MASS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One row of weights float32 [rows, count], keys int64 [rows], picked int64 [rows]. tokens: if LISTED,
    int64 [rows, count], those of the weights, else their columns are."""
    number = tl.program_id(0)
    row = weights + number.to(tl.int64) * count
    listed = tokens + number.to(tl.int64) * count
    key = tl.load(keys + number).to(tl.uint64, bitcast=True)
    floor = top_p * 0.0
    if BY_COUNT:
        floor = _floor(row, count, floor, top_k.to(tl.float32), True, BLOCK)
    if BY_MASS:
        total = _sum_from(row, count, floor, False, BLOCK)
        floor = _floor(row, count, floor, top_p * total, False, BLOCK)
    if min_p > 0:
        largest = 0.0
        for begin in range(0, count, BLOCK):
            at = begin + tl.arange(0, BLOCK)
            largest = tl.maximum(largest, tl.max(tl.load(row + at, at < count, 0.0), 0))
        floor = tl.maximum(floor, min_p * largest)
    best, found, broken = -1.0, -1, 0
    for begin in range(0, count, BLOCK):
        at = begin + tl.arange(0, BLOCK)
        weight = tl.load(row + at, at < count, 0.0)
        broken += tl.sum(tl.where(weight >= 0, 0, 1), 0)  # what is not a number is not
        token = at.to(tl.int64)
        if LISTED:
            token = tl.load(listed + at, at < count, 0)
        quotient = tl.div_rn(weight, exponential(key, token))
        quotient = tl.where((weight >= floor) & (weight > 0), quotient, -1.0)
        largest, place = tl.max(quotient, 0, return_indices=True)
        better = largest > best
        best = tl.where(better, largest, best)
        found = tl.where(better, begin + place, found)
    lost = (broken > 0) | (found < 0)
    if LISTED:
        found = tl.load(listed + tl.maximum(found, 0))
    tl.store(picked + number, tl.where(lost, -1, found))
