"""Random numbers of a token: the same bits on a CPU, on a GPU, in Triton and in torch.

A sampled token is the one whose weight divided by its number is largest, the numbers being exponentially
distributed (an exponential race; with logarithms, the Gumbel-max trick). A token's number depends on the
sequence, the position and the token alone, so that another token is sampled only where rounding lifts its
quotient above the largest one. By the inverse of the cumulative distribution a difference in any weight
shifts all tokens behind it: with the rounding of bfloat16, 6 to 33 % of the tokens differ, by the race 0.5 to
2 %.

A number is made of 64 hashed bits by float32 operations that every device rounds alike, with no library's
logarithm in them: -log(1 - u) = h ln 2 + 2 atanh(r / (4 - r)), where h counts the leading zeros of the low
24 bits and r is the high 40 bits as a fraction, since an exponential number is a geometric number of halvings
and one within a halving.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

GOLDEN, MIX_1, MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
"""Of SplitMix64 (Steele, Lea, Flood 2014)."""
LOW_BITS = 24
FRACTION = 2.0**-40
LN_2 = math.log(2)
ATANH = (2.0000000078777496, 0.6666631593507945, 0.4002485372355046, 0.27961418833378493, 0.281746572705819)
"""2 atanh(z) / z by powers of z^2, for z in [0, 1/3]: relative error 4e-9 (Chebyshev)."""
EXPONENT_OF_ONE = 127


def exponentials(keys: Tensor, tokens: Tensor) -> Tensor:
    """Exponentially distributed numbers, float32 [rows, n].

    keys: int64 [rows], of row and position (`lineage.position_keys`). tokens: int64 [n] or [rows, n], indices
    of the cut output.
    """
    bits = _mixed(keys[:, None] + (tokens + 1) * _signed(GOLDEN))
    high = _shifted(bits, LOW_BITS) | 1
    low = (bits & (2**LOW_BITS - 1)) | 1
    exponent = (low.to(torch.float32).view(torch.int32) >> 23) - EXPONENT_OF_ONE
    halvings = (LOW_BITS - 1 - exponent).to(torch.float32)
    fraction = high.to(torch.float32) * FRACTION
    z = fraction / (4 - fraction)
    square = z * z
    series: Tensor = torch.full_like(z, ATANH[-1])
    for coefficient in reversed(ATANH[:-1]):
        series = series * square + coefficient
    numbers: Tensor = halvings * LN_2 + z * series
    return numbers


def _mixed(state: Tensor) -> Tensor:
    """The finaliser of SplitMix64, in int64, which wraps around as unsigned numbers do."""
    state = (state ^ _shifted(state, 30)) * _signed(MIX_1)
    state = (state ^ _shifted(state, 27)) * _signed(MIX_2)
    mixed: Tensor = state ^ _shifted(state, 31)
    return mixed


def _shifted(state: Tensor, by: int) -> Tensor:
    """Shifted to the right, zeros from the left."""
    shifted: Tensor = (state >> by) & (2 ** (64 - by) - 1)
    return shifted


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number
