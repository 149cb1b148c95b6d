"""Floating-point operations: of the generator by its shape, of codec and verifiers as counted once.

A verifier's operations are counted by torch during its first call and taken to grow with the seconds of audio, which
holds for all but recognisers with a fixed window. Models that do not run in torch count nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from llasa_core.network import Network

T = TypeVar("T")


def generator_flops(network: Network, first: int, last: int) -> float:
    """Of running the tokens at positions first .. last - 1 of one row: two for each weight, and attention."""
    weights = network.weight_bytes // network.embedding.element_size()
    positions = (last * (last + 1) - first * (first + 1)) // 2
    attention = 4 * network.layers * network.heads * network.head_dim * positions
    return float(2 * weights * (last - first) + attention)


class Meter:
    """Operations a second of audio, by part."""

    def __init__(self) -> None:
        self._rates: dict[str, float] = {}
        self._lock = threading.Lock()

    def of(self, part: str, seconds: float, work: Callable[[], T]) -> tuple[T, float]:
        """(what the work returns, its operations). ``seconds`` of audio are what it works on."""
        if part in self._rates or seconds <= 0:
            return work(), self._rates.get(part, 0.0) * seconds
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            found = work()
        with self._lock:
            self._rates[part] = counter.get_total_flops() / seconds
        return found, float(counter.get_total_flops())
