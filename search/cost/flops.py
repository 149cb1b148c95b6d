"""Floating-point operations: of the generator by its shape, of codec and verifiers as counted once.

A verifier's operations are counted by torch during its first call and taken to grow with the seconds of audio, which
holds for all but recognisers with a fixed window. Models that do not run in torch count nothing. Only products are
counted (matrices, convolutions, attention), each multiplication and addition as one, as is the custom.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from torch.utils._python_dispatch import TorchDispatchMode

from llasa_core.lm.network import Network

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GeneratorCost:
    """Operations of a generator: for each token, and for each earlier token that it looks at."""

    token: int
    pair: int

    @classmethod
    def of(cls, network: Network) -> GeneratorCost:
        """Two for each weight; two products in attention."""
        weights = network.weight_bytes // network.embedding.element_size()
        return cls(2 * weights, 4 * network.layers * network.heads * network.head_dim)

    def flops(self, first: int, last: int) -> float:
        """Of running the tokens at positions first .. last - 1 of one row."""
        pairs = (last * (last + 1) - first * (first + 1)) // 2
        return float(self.token * (last - first) + self.pair * pairs)


class Meter:
    """Operations a second of audio, by part."""

    def __init__(self) -> None:
        self._rates: dict[str, float] = {}
        self._lock = threading.Lock()

    def of(self, part: str, seconds: float, work: Callable[[], T]) -> tuple[T, float]:
        """(what the work returns, its operations). ``seconds`` of audio are what it works on."""
        if part in self._rates or seconds <= 0:
            return work(), self._rates.get(part, 0.0) * seconds
        with _Counter() as counter:
            found = work()
        with self._lock:
            self._rates[part] = counter.total / seconds
        return found, counter.total


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts products. `torch.utils.flop_counter` cannot be used: under it modules with weight norm fail in inference mode."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func._overloadpacket.__name__
        if name in _CONTRACTED:
            first, second = _CONTRACTED[name]
            # every value of the result is a sum over as many terms as the contracted axes have
            terms = math.prod(args[second].shape[1:]) if first == "filter" else args[second].shape[-1]
            spread = args[0].numel() if name.startswith("conv_transpose") else out.numel()
            self.total += 2.0 * spread * terms
        elif "scaled_dot_product" in name:
            query, key, value = args[:3]
            places = query.shape[:-1].numel() * key.shape[-2]
            self.total += 2.0 * places * (query.shape[-1] + value.shape[-1])
        return out


_CONTRACTED = {
    **dict.fromkeys(("linear", "mm", "bmm", "matmul"), ("axis", 0)),
    **dict.fromkeys(("addmm", "baddbmm"), ("axis", 1)),
    **dict.fromkeys(("conv1d", "conv2d", "convolution"), ("filter", 1)),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d"), ("filter", 1)),
}
"""Products by name: whether a whole filter or the last axis is summed over, and the argument that shows how long it is."""
