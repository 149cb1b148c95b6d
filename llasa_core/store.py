"""Keys and values of rows in flight, kept by what they stand for: token histories.

A row is its list of tokens. The store brings the keys and values of the rows that are to be run into the first slots
of one block of memory, with as little work as it can: a row that is still in its slot stays there, a fork copies
what its new slot does not hold already, and what is nowhere is computed from the tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from llasa_core.network import Network

COLUMNS = 128
"""A block grows by whole multiples of this many tokens."""


class Store:
    """A block of slots, and which tokens each slot holds. Not safe for concurrent use."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.block = network.allocate(0, 0)
        self.held: list[list[int]] = []
        """For each slot the tokens whose keys and values it holds, from its first column on."""

    @property
    def bytes(self) -> int:
        """Size of the block."""
        return self.block.numel() * self.block.element_size()

    def bring(self, histories: Sequence[list[int]], hints: Sequence[int], room: int) -> tuple[list[int], int]:
        """Bring histories of one token and more into the slots 0 .. n - 1, each with ``room`` columns behind it.

        ``hints`` name the slot in which a history, or its beginning, is likely found (-1: no idea). Returns the slot
        of each history and how many tokens had to be computed.
        """
        self._reserve(len(histories), max(map(len, histories)) + room)
        sources = [self._source(h, hint) for h, hint in zip(histories, hints, strict=True)]
        slots = [-1] * len(histories)
        for row, (slot, _) in enumerate(sources):
            if 0 <= slot < len(histories) and slot not in slots:
                slots[row] = slot
        free = iter(sorted(set(range(len(histories))) - set(slots)))
        moved = [row for row, slot in enumerate(slots) if slot < 0]
        for row in moved:
            slots[row] = next(free)
        # a source is kept by the row that stays in it, or lies behind the slots that are written
        for row in moved:
            source, length = sources[row]
            self._copy(source, slots[row], length)
        computed = 0
        for history, slot, (_, length) in zip(histories, slots, sources, strict=True):
            missing = history[length:]
            if missing:
                tokens = torch.tensor(missing, device=self.network.device)
                self.network.read(self.block, slot, length, tokens)
                computed += len(missing)
            self.held[slot] = list(history)
        return slots, computed

    def adopt(self, other: Store, slots: Sequence[int]) -> list[int]:
        """Copy slots of another store behind the last one of this: their places here, -1 for a slot that is none."""
        if other is self:
            return list(slots)
        wanted = sorted({slot for slot in slots if 0 <= slot < len(other.held)})
        first = len(self.held)
        used = max((len(other.held[slot]) for slot in wanted), default=0)
        self._reserve(first + len(wanted), used)
        self.block[:, first:, :, :, :used] = other.block[:, wanted, :, :, :used]
        self.held[first:] = [list(other.held[slot]) for slot in wanted]
        places = {slot: first + k for k, slot in enumerate(wanted)}
        return [places.get(slot, -1) for slot in slots]

    def _source(self, history: list[int], hint: int) -> tuple[int, int]:
        """(slot, how many first tokens of ``history`` it holds); (-1, 0) if none holds any."""
        if 0 <= hint < len(self.held) and self.held[hint][: len(history)] == history:
            return hint, len(history)
        lengths = [_common(held, history) for held in self.held]
        best = max(range(len(lengths)), key=lambda slot: (lengths[slot], slot == hint), default=-1)
        return (best, lengths[best]) if best >= 0 and lengths[best] else (-1, 0)

    def _copy(self, source: int, target: int, length: int) -> None:
        """The first ``length`` columns of a slot into another one, as far as it does not hold the same tokens."""
        start = _common(self.held[target], self.held[source][:length])
        if start < length:
            self.block[:, target, :, :, start:length] = self.block[:, source, :, :, start:length]

    def _reserve(self, slots: int, columns: int) -> None:
        """Grow the block to at least so many slots and columns; what it holds stays."""
        had_slots, had_columns = self.block.shape[1], self.block.shape[4]
        if slots <= had_slots and columns <= had_columns:
            return
        columns = max(had_columns, math.ceil(columns / COLUMNS) * COLUMNS)
        block = self.network.allocate(max(had_slots, slots), columns)
        if self.held:
            used = max(map(len, self.held))
            block[:, :had_slots, :, :, :used] = self.block[:, :, :, :, :used]
        self.block = block
        self.held += [[] for _ in range(block.shape[1] - had_slots)]


def _common(left: list[int], right: list[int]) -> int:
    """Length of the common beginning."""
    count = min(len(left), len(right))
    if left[:count] == right[:count]:
        return count
    return next(i for i in range(count) if left[i] != right[i])
