"""The keys and values of a prompt, which all sequences of a request share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Prefix:
    """A prompt without its last token: keys and values [layers, 2, kv_heads, tokens, head_dim]."""

    tokens: tuple[int, ...]
    block: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def layers(self) -> tuple[tuple[Tensor, Tensor], ...]:
        """Keys and values of each layer, [1, kv_heads, tokens, head_dim] each."""
        return tuple((layer[:1], layer[1:]) for layer in self.block.unbind(0))

    @cached_property
    def array(self) -> NDArray[np.float32]:
        """The block as an array that shares its memory; only for float32 on a CPU."""
        array: NDArray[np.float32] = self.block.numpy()
        return array


@dataclass(frozen=True, slots=True)
class Group:
    """The rows ``first`` .. ``last - 1`` of a batch, whose sequences share one prefix."""

    first: int
    last: int
    prefix: Prefix
