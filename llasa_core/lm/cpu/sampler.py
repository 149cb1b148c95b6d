"""The race of `llasa_core.lm.noise` over the likeliest tokens of each row as one compiled function."""

from __future__ import annotations

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llasa_core.lm.cpu.compiling import (
    Array,
    Integers,
    compiled_exactly,
    inlined_exactly,
    use_threads_of_torch,
)
from llasa_core.lm.noise import ATANH, EXPONENT_OF_ONE, FRACTION, GOLDEN, LN_2, LOW_BITS, MIX_1, MIX_2
from llasa_core.sampling import Sampling

_GOLDEN, _MIX_1, _MIX_2 = np.uint64(GOLDEN), np.uint64(MIX_1), np.uint64(MIX_2)
_FRACTION, _LN_2, _FOUR = np.float32(FRACTION), np.float32(LN_2), np.float32(4)
_A0, _A1, _A2, _A3, _A4 = (np.float32(coefficient) for coefficient in ATANH)
_LOW, _LOW_BITS = np.uint64(2**LOW_BITS - 1), np.uint64(LOW_BITS)
_MOST_HALVINGS = LOW_BITS - 1 + EXPONENT_OF_ONE
BINS, BIN_BITS = 1024, 20
"""Bins of weights from 0 to 1 by the first bits of their float32: eight between powers of two."""


def race(weights: Tensor, keys: Tensor, sampling: Sampling) -> Tensor:
    """As `llasa_core.lm.sampler.race`: float32 [rows, V] in [0, 1], int64 [rows] -> int64 [rows]."""
    use_threads_of_torch()
    picked = np.empty(len(weights), np.int64)
    streams = keys.numpy().view(np.uint64)
    # types that are always the same, since it is compiled for each combination of them
    top_k, top_p, min_p = int(sampling.top_k), float(sampling.top_p), np.float32(sampling.min_p)
    _race(weights.numpy(), streams, top_k, top_p, min_p, picked)
    return torch.from_numpy(picked)


@compiled_exactly
def _race(
    weights: Array, keys: NDArray[np.uint64], top_k: int, top_p: float, min_p: np.float32, picked: Integers
) -> None:
    for row in numba.prange(len(weights)):
        own = weights[row]
        largest, total = np.float32(0), 0.0
        for weight in own:
            largest = max(largest, weight)
            total += weight
        if not total > 0 or not np.isfinite(total):
            picked[row] = -1
            continue
        floor = np.float32(0)
        if 0 < top_k < len(own):
            floor = _floor(own, floor, True, float(top_k))
        if top_p < 1:
            if floor > 0:
                total = 0.0
                for weight in own:
                    if weight >= floor:
                        total += weight
            floor = max(floor, _floor(own, floor, False, top_p * total))
        floor = max(floor, min_p * largest)
        best, found = np.float32(-1), -1
        for token in range(len(own)):
            if own[token] >= floor and own[token] > 0:
                quotient = own[token] / _exponential(keys[row], token)
                if quotient > best:
                    best, found = quotient, token
        picked[row] = found


@inlined_exactly
def _floor(weights: Array, least: np.float32, count: bool, wanted: float) -> np.float32:
    """The smallest of the fewest largest weights, of those from `least` on, whose sum is `wanted`, or that
    are so many."""
    bins = np.zeros(BINS)
    for weight in weights:
        if weight >= least:
            bins[np.float32(weight).view(np.int32) >> BIN_BITS] += 1.0 if count else weight
    above, last = 0.0, BINS - 1
    while last > 0 and above + bins[last] < wanted:
        above += bins[last]
        last -= 1
    inside = np.empty(len(weights), np.float32)
    number = 0
    for weight in weights:
        if weight >= least and np.float32(weight).view(np.int32) >> BIN_BITS == last:
            inside[number] = weight
            number += 1
    if number == 0:  # by rounding, more is wanted than there is
        return least
    ordered = np.sort(inside[:number])
    place = number
    while place > 0 and above < wanted:
        place -= 1
        above += 1.0 if count else ordered[place]
    return ordered[min(place, number - 1)]  # type: ignore[no-any-return]


@inlined_exactly
def _exponential(key: np.uint64, token: int) -> np.float32:
    """As `noise.exponentials`, to the bit."""
    bits = key + (np.uint64(token) + np.uint64(1)) * _GOLDEN
    bits = (bits ^ (bits >> np.uint64(30))) * _MIX_1
    bits = (bits ^ (bits >> np.uint64(27))) * _MIX_2
    bits = bits ^ (bits >> np.uint64(31))
    low = np.float32((bits & _LOW) | np.uint64(1))
    halvings = np.float32(_MOST_HALVINGS - (low.view(np.int32) >> 23))
    fraction = np.float32((bits >> _LOW_BITS) | np.uint64(1)) * _FRACTION
    z = fraction / (_FOUR - fraction)
    square = z * z
    series = (((_A4 * square + _A3) * square + _A2) * square + _A1) * square + _A0
    return halvings * _LN_2 + z * series
