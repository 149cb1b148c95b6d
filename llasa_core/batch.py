"""Rows of speech in the making: extended together, forked and pruned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from llasa_core.lineage import Lineage, branched, row_key, uniforms
from llasa_core.sampling import Sampling, choose

if TYPE_CHECKING:
    from llasa_core.decoding import Generator


@dataclass(slots=True)
class Row:
    """Bookkeeping of one row: everything but its keys and values."""

    request_id: str
    seed: int
    pending: int
    """Token id that was chosen last and that the model has not run yet."""
    max_tokens: int
    codes: tuple[int, ...] = ()
    lineage: Lineage = ()
    ended: bool = False

    @property
    def finished(self) -> bool:
        return self.ended or len(self.codes) >= self.max_tokens


class KeysValues:
    """Keys and values of some rows, all of the same width: shorter ones are padded on the left.

    `pads` is int64 [rows]: how many positions at the left are no tokens of the row.
    """

    def __init__(self, cache: DynamicCache, pads: Tensor) -> None:
        self.cache = cache
        self.pads = pads
        self.padded = bool(pads.any())

    @property
    def width(self) -> int:
        return int(self.cache.get_seq_length())

    def selected(self, indices: Sequence[int]) -> KeysValues:
        """These rows, repeated, dropped and re-ordered; padding that no row needs any more is cut off."""
        index = torch.tensor(list(indices), dtype=torch.long, device=self.pads.device)
        pads = self.pads[index]
        spare = int(pads.min()) if self.padded and len(index) else 0
        layers = [
            (
                layer.keys[:, :, spare:].index_select(0, index),
                layer.values[:, :, spare:].index_select(0, index),
            )
            for layer in self.cache.layers
        ]
        return KeysValues(_cache(layers), pads - spare)

    @classmethod
    def concatenated(cls, parts: Sequence[KeysValues]) -> KeysValues:
        """The rows of all parts, left-padded to the widest. At least one part."""
        parts = [part for part in parts if len(part.pads)] or parts[:1]
        width = max(part.width for part in parts)
        layers = [
            (
                torch.cat([_widened(layer.keys, width) for layer in layers]),
                torch.cat([_widened(layer.values, width) for layer in layers]),
            )
            for layers in zip(*(part.cache.layers for part in parts), strict=True)
        ]
        pads = torch.cat([part.pads + (width - part.width) for part in parts])
        return cls(_cache(layers), pads)


def _cache(layers: Sequence[tuple[Tensor, Tensor]]) -> DynamicCache:
    """A cache of these (keys, values), which are taken as they are: `DynamicCache(layers)` would copy them."""
    cache = DynamicCache()
    cache.layers = []
    for keys, values in layers:
        layer = DynamicLayer()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values
        cache.layers.append(layer)
    return cache


def _widened(states: Tensor, width: int) -> Tensor:
    """[rows, heads, T, dim] -> [rows, heads, width, dim], zeros on the left."""
    return torch.nn.functional.pad(states, (0, 0, width - states.shape[2], 0))


class Batch:
    """Rows of one or several requests.

    `extend` works in place; `fork` and `append` give a new batch and leave the old one as it was. A finished row is
    only remembered, never run.
    """

    def __init__(
        self,
        generator: Generator,
        sampling: Sampling,
        rows: Sequence[Row],
        kv: KeysValues,
        *,
        tokens_prefilled: int = 0,
        tokens_generated: int = 0,
    ) -> None:
        """`kv` holds the unfinished rows, in the order of `rows`."""
        self._generator = generator
        self._sampling = sampling
        self._rows = list(rows)
        self._kv = kv
        self.tokens_prefilled = tokens_prefilled
        """Prompt tokens run for this batch and those it came from."""
        self.tokens_generated = tokens_generated
        """Tokens sampled for this batch and those it came from, end tokens and pruned rows included."""

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def tokens(self) -> list[list[int]]:
        """Codes 0 .. n_codes - 1 of each row so far, without the prompt and the end token."""
        return [list(row.codes) for row in self._rows]

    @property
    def finished(self) -> list[bool]:
        """Whether each row has ended or has reached its longest length."""
        return [row.finished for row in self._rows]

    @property
    def ended(self) -> list[bool]:
        """Whether each row has come to its end token; finished without it means cut off."""
        return [row.ended for row in self._rows]

    @property
    def lineages(self) -> list[Lineage]:
        return [row.lineage for row in self._rows]

    @property
    def request_ids(self) -> list[str]:
        return [row.request_id for row in self._rows]

    @torch.inference_mode()
    def extend(self, n_tokens: int) -> None:
        """Continues every unfinished row by up to `n_tokens` tokens, in place.

        Raises ValueError for a negative number, UserError if the model's logits are not numbers.
        """
        if n_tokens < 0:
            raise ValueError(f"cannot extend by {n_tokens} tokens")
        running = [row for row in self._rows if not row.finished]
        limits = np.array([row.max_tokens - len(row.codes) for row in running], dtype=np.int64)
        n_steps = min(n_tokens, int(limits.max(initial=0)))
        if n_steps == 0:
            return
        device, end = self._generator.device, self._generator.n_codes
        starts = np.array([len(row.codes) for row in running], dtype=np.int64)
        keys = np.array([row_key(r.seed, r.request_id, r.lineage) for r in running], dtype=np.uint64)
        uniform = torch.from_numpy(uniforms(keys, starts, n_steps)).to(device)
        pending = torch.tensor([row.pending for row in running], device=device)
        chosen = np.full((len(running), n_steps), end, dtype=np.int64)
        lengths = np.zeros(len(running), dtype=np.int64)
        alive = np.arange(len(running))
        alive_on_device = torch.arange(len(running), device=device)
        unstarted = torch.from_numpy(starts == 0).to(device)
        for step in range(n_steps):
            logits = self._generator.step(pending, self._kv)
            if step == 0:
                # Some sentences make the model end at once (p ~ 0.25): never at the first position.
                logits[:, end].masked_fill_(unstarted, -torch.inf)
            picked = choose(logits, uniform[alive_on_device, step], self._sampling)
            pending = self._generator.token_ids[picked]
            codes = picked.cpu().numpy()
            chosen[alive, step] = codes
            lengths[alive] += codes != end
            self.tokens_generated += len(alive)
            going = (codes != end) & (lengths[alive] < limits[alive])
            if not going.all():
                keep = np.flatnonzero(going)
                alive = alive[keep]
                kept = torch.from_numpy(keep).to(device)
                pending, alive_on_device = pending[kept], alive_on_device[kept]
                self._kv = self._kv.selected(keep.tolist())
                if not len(alive):
                    break
        pending_ids = dict(zip(alive.tolist(), pending.tolist(), strict=True))
        for index, row in enumerate(running):
            length = int(lengths[index])
            row.codes += tuple(chosen[index, :length].tolist())
            row.ended = length < min(n_steps, int(limits[index]))
            row.pending = pending_ids.get(index, row.pending)

    def fork(self, indices: Sequence[int], branches: Sequence[int] | None = None) -> Batch:
        """A new batch of the rows `indices`: repeated, dropped and re-ordered. The model is not run.

        The k-th copy of a row gets branch k unless `branches` says otherwise; branch 0 goes on as the row would
        have, any other draws numbers of its own. Raises IndexError for a row that is not there, ValueError if two
        rows would draw the same numbers.
        """
        if any(not 0 <= index < len(self._rows) for index in indices):
            raise IndexError(f"rows to fork have to be in 0..{len(self._rows) - 1}")
        if branches is None:
            seen: Counter[int] = Counter()
            branches = []
            for index in indices:
                branches.append(seen[index])
                seen[index] += 1
        if len(branches) != len(indices) or any(branch < 0 for branch in branches):
            raise ValueError("give one branch, 0 or more, for each row")
        rows = []
        for index, branch in zip(indices, branches, strict=True):
            row = self._rows[index]
            rows.append(replace(row, lineage=branched(row.lineage, len(row.codes), branch)))
        streams = [(row.seed, row.request_id, row.lineage) for row in rows]
        if len(set(streams)) < len(streams):
            raise ValueError(
                "two rows would draw the same numbers: extend between two forks, or name the branches"
            )
        slots = {index: slot for slot, index in enumerate(self._unfinished())}
        kv = self._kv.selected([slots[index] for index in indices if index in slots])
        return self._with(rows, kv)

    def append(self, other: Batch) -> Batch:
        """A new batch of these rows and then those of `other`. Raises ValueError for another generator or sampling."""
        if other._generator is not self._generator or other._sampling != self._sampling:
            raise ValueError("only batches of the same generator and sampling can be joined")
        joined = self._with(
            [replace(row) for row in (*self._rows, *other._rows)],
            KeysValues.concatenated([self._kv, other._kv]),
        )
        joined.tokens_prefilled += other.tokens_prefilled
        joined.tokens_generated += other.tokens_generated
        return joined

    def _unfinished(self) -> list[int]:
        return [index for index, row in enumerate(self._rows) if not row.finished]

    def _with(self, rows: Sequence[Row], kv: KeysValues) -> Batch:
        return Batch(
            self._generator,
            self._sampling,
            rows,
            kv,
            tokens_prefilled=self.tokens_prefilled,
            tokens_generated=self.tokens_generated,
        )
