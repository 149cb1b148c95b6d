"""Keys and values of rows in flight, kept by what they stand for: a prefix and the tokens behind it.

A row is its list of tokens. The cache brings the keys and values of the rows that are to be run into the first slots
of one block of memory, with as little work as it can: a row that is still in its slot stays there, a fork copies
what its new slot does not hold already, and what is nowhere is computed from the tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from llasa_core.lm.cuda_graphs import CudaGraphs, Record
from llasa_core.lm.network import Network
from llasa_core.lm.prefix import Group, Prefix

COLUMNS = 128
"""A block grows by whole multiples of this many tokens."""


@dataclass(slots=True)
class Content:
    """What a slot holds, or a row needs: the tokens behind a prefix."""

    prefix: Prefix | None = None
    tokens: list[int] = field(default_factory=list)

    def shared(self, other: Content) -> int:
        """How many first tokens are the same, behind the same prefix."""
        if self.prefix is not other.prefix:
            return 0
        count = min(len(self.tokens), len(other.tokens))
        if self.tokens[:count] == other.tokens[:count]:
            return count
        return next(i for i in range(count) if self.tokens[i] != other.tokens[i])


class KVCache:
    """A block of slots, and which tokens each slot holds. Not safe for concurrent use."""

    def __init__(self, network: Network, record: Record | None = None) -> None:
        """``record``: how the device records a step over the block, if it can."""
        self.network = network
        self.graphs = None if record is None else CudaGraphs(record)
        self.block = network.allocate(0, 0)
        self.held: list[Content] = []
        self.limit: float = math.inf
        """Bytes that the block may take when it grows; what does not fit then is let go and computed again later."""
        self.kept: list[int] = []
        """Slots whose content is wanted later: it is put elsewhere when it is in the way, and its place here is
        that where it lies now; -1 if the limit left no room for it."""

    @property
    def bytes(self) -> int:
        """Size of the block."""
        return self.block.numel() * self.block.element_size()

    def bring(
        self, wanted: Sequence[Content], hints: Sequence[int], room: int
    ) -> tuple[list[int], list[Group], list[int]]:
        """Bring what rows need into the slots 0 .. n - 1, each with ``room`` columns behind it.

        Rows of one prefix get neighbouring slots. ``hints`` name the slot in which a row's tokens, or the first of
        them, are likely found (-1: no idea). Returns the slot of each row, the groups of slots behind one prefix, and
        how many tokens had to be computed for each row.
        """
        columns = max(len(content.tokens) for content in wanted) + room
        kept = [slot for slot in dict.fromkeys(self.kept) if 0 <= slot < len(self.held)]
        if not self._fit(len(wanted) + len(kept), columns):
            kept, self.kept = [], [-1] * len(self.kept)
        self._reserve(len(wanted) + len(kept), columns)
        groups = _groups(wanted)
        sources = [self._source(content, hint) for content, hint in zip(wanted, hints, strict=True)]
        slots = [-1] * len(wanted)
        for group in groups:
            rows = [row for row, content in enumerate(wanted) if content.prefix is group.prefix]
            free = set(range(group.first, group.last))
            for row in rows:
                if sources[row][0] in free:
                    slots[row] = sources[row][0]
                    free.remove(slots[row])
            rest = iter(sorted(free))
            for row in rows:
                if slots[row] < 0:
                    slots[row] = next(rest)
        parked = self._parked(kept, len(wanted))
        idle = [self.held[slot] for slot in parked]
        self._move(
            [*sources, *((slot, len(content.tokens)) for slot, content in zip(parked, idle, strict=True))],
            [*slots, *parked.values()],
        )
        for place, content in zip(parked.values(), idle, strict=True):
            self.held[place] = content
        self.kept = [parked.get(slot, slot) for slot in self.kept]
        computed = []
        for content, slot, (_, length) in zip(wanted, slots, sources, strict=True):
            missing = content.tokens[length:]
            if missing:
                assert content.prefix is not None
                tokens = torch.tensor(missing, device=self.network.device)
                self.network.read(content.prefix, self.block, slot, length, tokens)
            computed.append(len(missing))
            self.held[slot] = Content(content.prefix, list(content.tokens))
        return slots, groups, computed

    def _parked(self, kept: Sequence[int], count: int) -> dict[int, int]:
        """Where what lies in the kept slots goes: those in the way to places behind the first ``count`` slots."""
        staying = {slot for slot in kept if slot >= count}
        free = (slot for slot in range(count, len(self.held)) if slot not in staying)
        return {slot: next(free) for slot in kept if slot < count}

    def _fit(self, slots: int, columns: int) -> bool:
        """Whether so many slots of so many columns are within the limit."""
        columns = max(self.block.shape[4], math.ceil(columns / COLUMNS) * COLUMNS)
        return slots * columns * self.network.bytes_per_token <= self.limit

    def adopt(self, other: KVCache, slots: Sequence[int]) -> list[int]:
        """Copy slots of another cache behind the last one of this: their places here, -1 for a slot that is none."""
        if other is self:
            return list(slots)
        wanted = sorted({slot for slot in slots if 0 <= slot < len(other.held)})
        if not wanted:
            return [-1] * len(slots)
        first = len(self.held)
        used = max(len(other.held[slot].tokens) for slot in wanted)
        self._reserve(first + len(wanted), used)
        self.block[:, first:, :, :, :used] = other.block[:, wanted, :, :, :used]
        self.held[first:] = [Content(other.held[s].prefix, list(other.held[s].tokens)) for s in wanted]
        places = {slot: first + k for k, slot in enumerate(wanted)}
        return [places.get(slot, -1) for slot in slots]

    def _source(self, content: Content, hint: int) -> tuple[int, int]:
        """(slot, how many first tokens of ``content`` it holds); (-1, 0) if none holds any."""
        if 0 <= hint < len(self.held) and self.held[hint].shared(content) == len(content.tokens):
            return hint, len(content.tokens)
        lengths = [held.shared(content) for held in self.held]
        best = max(range(len(lengths)), key=lambda slot: (lengths[slot], slot == hint), default=-1)
        return (best, lengths[best]) if best >= 0 and lengths[best] else (-1, 0)

    def _move(self, sources: Sequence[tuple[int, int]], slots: Sequence[int]) -> None:
        """Copy the first columns of each source to its slot, as far as that does not hold the same tokens."""
        targets = {slot for (source, n), slot in zip(sources, slots, strict=True) if source != slot and n}
        moves: list[tuple[int, int, int, int]] = []
        saved: list[tuple[int, int, int, Tensor]] = []
        for (source, length), slot in zip(sources, slots, strict=True):
            if source == slot or not length:
                continue
            content = Content(self.held[source].prefix, self.held[source].tokens[:length])
            start = self.held[slot].shared(content)
            if start == length:
                continue
            if source not in targets:
                moves.append((source, slot, start, length))
            else:  # it is about to be overwritten
                saved.append((slot, start, length, self.block[:, source, :, :, start:length].clone()))
        if moves:
            self.network.copy(self.block, moves)
        for slot, start, length, columns in saved:
            self.block[:, slot, :, :, start:length] = columns

    def _reserve(self, slots: int, columns: int) -> None:
        """Grow the block to at least so many slots and columns; what it holds stays if there is room for it."""
        had_slots, had_columns = self.block.shape[1], self.block.shape[4]
        if slots <= had_slots and columns <= had_columns:
            return
        columns = max(had_columns, math.ceil(columns / COLUMNS) * COLUMNS)
        fit = self.limit / (columns * self.network.bytes_per_token)
        total = max(slots, had_slots if had_slots <= fit else 0)
        if self.graphs is not None:
            self.graphs.clear()
        block, kept = self.network.allocate(total, columns), min(had_slots, total)
        if kept:
            used = max(len(content.tokens) for content in self.held[:kept])
            block[:, :kept, :, :, :used] = self.block[:, :kept, :, :, :used]
        self.block = block
        self.held = self.held[:kept] + [Content() for _ in range(total - kept)]


def _groups(wanted: Sequence[Content]) -> list[Group]:
    """One range of slots for each prefix, in the order in which they come first."""
    counts: dict[int, int] = {}
    prefixes: dict[int, Prefix] = {}
    for content in wanted:
        assert content.prefix is not None
        key = id(content.prefix)
        counts[key] = counts.get(key, 0) + 1
        prefixes[key] = content.prefix
    groups, first = [], 0
    for key, count in counts.items():
        groups.append(Group(first, first + count, prefixes[key]))
        first += count
    return groups
