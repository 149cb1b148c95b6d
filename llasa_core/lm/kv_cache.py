"""The KV cache: keys and values of sequences in flight, found by the tokens that they stand for.

The cache brings the keys and values of the sequences that run next into the first slots of one block of
memory. A sequence that is still in its slot stays there, a fork copies the columns that its new slot does not
hold already, and keys and values that are in no slot are computed again from the tokens.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from llasa_core.lm.attention import Span
from llasa_core.lm.cuda_graphs import CudaGraphs, NewRecord
from llasa_core.lm.network import Network
from llasa_core.lm.prefix import Group, Prefix
from llasa_core.lm.sequence import CachedTokens, SpeechSequence

COLUMNS = 128
"""A block grows by whole multiples of this many tokens."""
TOGETHER = 4096
"""Lost tokens that are computed again at once."""


class KVCache:
    """A block of slots [layers, slots, 2, kv_heads, columns, head_dim] and the tokens in each slot.

    A column holds one token. Prefixes are not in the block, since the sequences of a request share one. Not
    safe for concurrent use.
    """

    def __init__(self, network: Network, new_record: NewRecord | None = None) -> None:
        """``new_record``: how the device records steps over the block, if it can."""
        self.network = network
        self.graphs = None if new_record is None else CudaGraphs(new_record)
        self.block = network.allocate(0, 0)
        self.cached: list[CachedTokens] = []
        """The tokens of each slot."""
        self.limit: float = math.inf
        """Bytes that the block may take when it grows; slots that do not fit are evicted."""
        self.free: float = math.inf
        """Bytes that are free beside the block. A block that grows beyond them is dropped first, and what it
        held is computed again."""

    @property
    def bytes(self) -> int:
        """Size of the block."""
        return self.block.numel() * self.block.element_size()

    def make_resident(
        self,
        sequences: Sequence[SpeechSequence],
        size: int,
        room: int,
        pinned: Collection[SpeechSequence] = (),
    ) -> list[Group]:
        """Bring keys and values of the sequences into the slots 0 .. ``size`` - 1, each with ``room`` free
        columns.

        Sequences of one prefix get neighbouring slots; slots that are left over join the last sequence's
        prefix. Sets the slot of each sequence and adds to its recomputed tokens. The contents of ``pinned``
        slots are moved out of the way, or evicted if the limit leaves no room for them (slot -1). Returns the
        slots of each prefix.
        """
        spare, last = size - len(sequences), sequences[-1].prefix
        prefixes = [s.prefix for s in sequences] + [last] * spare
        wanted = [s.cached for s in sequences] + [CachedTokens(last)] * spare
        columns = max(len(tokens.ids) for tokens in wanted) + room
        held = [s for s in pinned if self.holds(s)]
        if self.bytes_of(size + len(held), columns) > self.limit:
            held = []
            for sequence in pinned:
                sequence.slot = -1
        self._reserve(size + len(held), columns)
        held = [s for s in held if self.holds(s)]
        groups = _groups(prefixes)
        hints = [s.slot for s in sequences] + [-1] * spare
        sources = [self._source(tokens, hint) for tokens, hint in zip(wanted, hints, strict=True)]
        slots = _assign(prefixes, sources, groups)
        staying = {s.slot for s in held if s.slot >= size}
        free = (slot for slot in range(size, len(self.cached)) if slot not in staying)
        for sequence in held:
            wanted.append(sequence.cached)
            sources.append((sequence.slot, len(sequence.cached.ids)))
            sequence.slot = sequence.slot if sequence.slot >= size else next(free)
            slots.append(sequence.slot)
        self._copy(sources, slots)
        for tokens, slot, (_, length) in zip(wanted, slots, sources, strict=True):
            self.cached[slot] = CachedTokens(tokens.prefix, tokens.ids[:length])
        self._compute_missing(sequences, slots, [length for _, length in sources[: len(sequences)]])
        return groups

    def _compute_missing(
        self, sequences: Sequence[SpeechSequence], slots: Sequence[int], lengths: Sequence[int]
    ) -> None:
        """Run the tokens of sequences that their slots do not hold; ``lengths``: of those that they do."""
        lost: dict[Prefix, list[Span]] = {}
        ids: dict[int, list[int]] = {}
        for sequence, slot, length in zip(sequences, slots, lengths, strict=False):
            ids[slot] = sequence.token_ids[length:-1]
            if ids[slot]:
                lost.setdefault(sequence.prefix, []).append((slot, length, len(ids[slot])))
        for prefix, spans in lost.items():
            for some in _parts(spans):
                tokens = [token for slot, _, _ in some for token in ids[slot]]
                self.network.prefill(
                    prefix, self.block, some, torch.tensor(tokens, device=self.network.device)
                )
        for sequence, slot in zip(sequences, slots, strict=False):
            sequence.slot = slot
            sequence.tokens_recomputed += len(ids[slot])
            self.update(sequence)

    def reserve(self, slots: int, columns: int) -> None:
        """Have room for so many sequences of so many tokens without growing."""
        self._reserve(slots, columns)

    def forget(self) -> None:
        """Let go of all keys and values, and of the block's memory unless steps are recorded on it."""
        if self.graphs is None:
            self.drop()
        self.cached = [CachedTokens() for _ in self.cached]

    def drop(self) -> None:
        """Let go of the block's memory, and of the steps that were recorded on it."""
        if self.graphs is not None:
            self.graphs.clear()
        self.block, self.cached = self.network.allocate(0, 0), []

    def holds(self, sequence: SpeechSequence) -> bool:
        """Whether all keys and values that the next step of the sequence needs are in its slot."""
        if not 0 <= sequence.slot < len(self.cached):
            return False
        wanted = sequence.cached
        return self.cached[sequence.slot].common_length(wanted) == len(wanted.ids)

    def update(self, sequence: SpeechSequence) -> None:
        """Note that the slot of a sequence now holds the tokens that were run since it was made resident."""
        self.cached[sequence.slot] = sequence.cached

    def bytes_of(self, slots: int, columns: int) -> int:
        """Size of a block of so many slots and at least so many columns: it never has fewer than now."""
        columns = max(self.block.shape[4], math.ceil(columns / COLUMNS) * COLUMNS)
        return slots * columns * self.network.bytes_per_token

    def _source(self, wanted: CachedTokens, hint: int) -> tuple[int, int]:
        """The slot that holds most first tokens of ``wanted``, and how many; (-1, 0) if no slot holds any."""
        if 0 <= hint < len(self.cached) and self.cached[hint].common_length(wanted) == len(wanted.ids):
            return hint, len(wanted.ids)
        lengths = [tokens.common_length(wanted) for tokens in self.cached]
        best = max(range(len(lengths)), key=lambda slot: (lengths[slot], slot == hint), default=-1)
        return (best, lengths[best]) if best >= 0 and lengths[best] else (-1, 0)

    def _copy(self, sources: Sequence[tuple[int, int]], slots: Sequence[int]) -> None:
        """Copy the first columns of each source to its slot, but for tokens that the slot already holds."""
        targets = {slot for (source, n), slot in zip(sources, slots, strict=True) if source != slot and n}
        moves: list[tuple[int, int, int, int]] = []
        saved: list[tuple[int, int, int, Tensor]] = []
        for (source, length), slot in zip(sources, slots, strict=True):
            if source == slot or not length:
                continue
            copied = CachedTokens(self.cached[source].prefix, self.cached[source].ids[:length])
            start = self.cached[slot].common_length(copied)
            if start == length:
                continue
            if source not in targets:
                moves.append((source, slot, start, length))
            else:  # the source is about to be overwritten
                saved.append((slot, start, length, self.block[:, source, :, :, start:length].clone()))
        if moves:
            self.network.copy(self.block, moves)
        for slot, start, length, columns in saved:
            self.block[:, slot, :, :, start:length] = columns

    def _reserve(self, slots: int, columns: int) -> None:
        """Grow the block to at least so many slots and columns; keep old slots if there is room."""
        had_slots, had_columns = self.block.shape[1], self.block.shape[4]
        if slots <= had_slots and columns <= had_columns:
            return
        total = max(slots, had_slots if self.bytes_of(had_slots, columns) <= self.limit else 0)
        needed = self.bytes_of(total, columns)
        columns = max(had_columns, math.ceil(columns / COLUMNS) * COLUMNS)
        if self.graphs is not None:
            self.graphs.clear()
        if needed > self.free:
            self.drop()
            total, had_slots = slots, 0
        block, kept = self.network.allocate(total, columns), min(had_slots, total)
        if kept:
            used = max(len(tokens.ids) for tokens in self.cached[:kept])
            block[:, :kept, :, :, :used] = self.block[:, :kept, :, :, :used]
        self.block = block
        self.cached = self.cached[:kept] + [CachedTokens() for _ in range(total - kept)]


def _parts(spans: Sequence[Span]) -> list[list[Span]]:
    """Spans that are run together: of some `TOGETHER` tokens."""
    parts: list[list[Span]] = []
    tokens = TOGETHER
    for span in spans:
        if tokens >= TOGETHER:
            parts.append([])
            tokens = 0
        parts[-1].append(span)
        tokens += span[2]
    return parts


def _groups(prefixes: Sequence[Prefix]) -> list[Group]:
    """One range of slots for each prefix, in the order in which the prefixes come first."""
    groups, first = [], 0
    for prefix in dict.fromkeys(prefixes):
        last = first + sum(other is prefix for other in prefixes)
        groups.append(Group(first, last, prefix))
        first = last
    return groups


def _assign(
    prefixes: Sequence[Prefix], sources: Sequence[tuple[int, int]], groups: Sequence[Group]
) -> list[int]:
    """A slot for each row: its source if it is a free slot of the row's group, else another free one."""
    slots = [-1] * len(prefixes)
    for group in groups:
        rows = [row for row, prefix in enumerate(prefixes) if prefix is group.prefix]
        free = set(range(group.first, group.last))
        for row in rows:
            if sources[row][0] in free:
                slots[row] = sources[row][0]
                free.remove(slots[row])
        rest = iter(sorted(free))
        for row in rows:
            if slots[row] < 0:
                slots[row] = next(rest)
    return slots
