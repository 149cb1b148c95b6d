"""The first tokens of a prompt, which rows share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Prefix:
    """The first tokens of a prompt and their keys and values, [layers, 2, kv_heads, tokens, head_dim]."""

    tokens: tuple[int, ...]
    block: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def layers(self) -> tuple[tuple[Tensor, Tensor], ...]:
        """Keys and values of each layer, [1, kv_heads, tokens, head_dim] both."""
        return tuple((layer[:1], layer[1:]) for layer in self.block.unbind(0))

    @cached_property
    def array(self) -> NDArray[np.float32]:
        """The block in the same memory, where that is a CPU's and float32."""
        array: NDArray[np.float32] = self.block.numpy()
        return array


@dataclass(frozen=True, slots=True)
class Group:
    """Rows ``first`` .. ``last - 1`` stand behind one prefix."""

    first: int
    last: int
    prefix: Prefix
