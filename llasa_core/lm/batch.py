"""Rows of speech in the making: extended together, forked and pruned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from llasa_core.errors import UserError
from llasa_core.lm.cuda_graphs import State, step
from llasa_core.lm.kv_cache import Content, KVCache
from llasa_core.lm.lineage import Lineage, branched, row_key, uniforms
from llasa_core.lm.prefix import Group, Prefix
from llasa_core.lm.sampling import NOT_A_NUMBER, Sampling

if TYPE_CHECKING:
    from llasa_core.lm.speech_lm import SpeechLM

UNINTERRUPTED = {"cpu": 5, "cuda": 25}
"""Tokens that are sampled before the device is waited for, and rows that have ended leave."""
AHEAD = 25
"""Tokens for which rows are given room, and numbers are drawn, at a time."""


@dataclass(slots=True)
class Row:
    """One row: a list of tokens, and how it goes on."""

    request_id: str
    seed: int
    prefix: Prefix
    """The prompt but for its last token."""
    history: list[int]
    """Model token ids: the last one of the prompt, then what was generated. The last one has not been run yet."""
    max_tokens: int
    codes: tuple[int, ...] = ()
    lineage: Lineage = ()
    ended: bool = False
    slot: int = -1
    """Where the cache last had it."""
    computed: int = 0
    """Tokens that were run again because it had lost its place."""

    @property
    def finished(self) -> bool:
        return self.ended or len(self.codes) >= self.max_tokens

    @property
    def content(self) -> Content:
        """What has been run behind the prefix."""
        return Content(self.prefix, self.history[:-1])

    @property
    def left(self) -> int:
        """Tokens until its longest length."""
        return self.max_tokens - len(self.codes)


class Batch:
    """Rows of one or several requests.

    `extend` works in place; `fork` and `append` give a new batch and leave the old one as it was. A finished row is
    only remembered, never run.
    """

    def __init__(
        self,
        generator: SpeechLM,
        sampling: Sampling,
        rows: Sequence[Row],
        cache: KVCache,
        *,
        tokens_computed: int = 0,
        tokens_generated: int = 0,
    ) -> None:
        self._generator = generator
        self._sampling = sampling
        self._rows = list(rows)
        self._cache = cache
        self.tokens_computed = tokens_computed
        """Tokens of prompts, and of rows that had lost their place, run for this batch and those it came from."""
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
    def extend(self, n_tokens: int, watch: Callable[[], None] | None = None) -> None:
        """Continues every unfinished row by up to `n_tokens` tokens, in place.

        If not all rows fit into the generator's memory limit, some are continued after the others. `watch` is called
        whenever some tokens have come to all of those. Raises ValueError for a negative number, UserError if the
        model's logits are not numbers or not even one row fits.
        """
        if n_tokens < 0:
            raise ValueError(f"cannot extend by {n_tokens} tokens")
        going = [row for row in self._rows if not row.finished] if n_tokens else []
        if not going:
            return
        longest = max(len(row.history) + min(n_tokens, row.left) for row in going)
        prefixes = {id(row.prefix): row.prefix for row in going}
        self._cache.limit = self._generator.memory_left(self._cache, prefixes.values())
        together = self._generator.rows_that_fit(longest, self._cache.limit)
        for first in range(0, len(going), together):
            rows, left = going[first : first + together], n_tokens
            while rows and left > 0:
                left -= self._run(rows, left, together, watch)
                rows = [row for row in rows if not row.finished]

    def _run(self, rows: list[Row], left: int, together: int, watch: Callable[[], None] | None) -> int:
        """Sample tokens of each row, at most ``left``, until one of them is finished: how many.

        The device is waited for every few tokens; those behind an end are thrown away. On a GPU the number of rows is
        filled up to one of a few, at most `together`, by rows that say nothing.
        """
        generator, recorded = self._generator, self._cache.graphs is not None
        size = max(len(rows), min(generator.rows(len(rows)), together))
        uninterrupted = UNINTERRUPTED.get(generator.device.type, AHEAD)
        ahead = min(left, max(row.left for row in rows), uninterrupted if recorded else AHEAD)
        groups = self._place(rows, ahead, size)
        state = self._state(rows, ahead, size)
        taken = 0
        while taken < ahead and not any(row.finished for row in rows):
            steps = min(ahead - taken, uninterrupted)
            said = self._steps(rows, groups, state, steps)[taken : taken + steps].T.tolist()
            for row in rows:
                self._take(row, said[row.slot])
            taken += steps
            if watch is not None:
                watch()
        return taken

    def _steps(self, rows: Sequence[Row], groups: list[Group], state: State, steps: int) -> torch.Tensor:
        """Go on from the state by so many steps, without waiting for the device: what was chosen so far, [turns, rows]."""
        generator, cache = self._generator, self._cache
        width = max(len(row.history) for row in rows)
        if cache.graphs is not None:
            seen = generator.columns(width + steps - 1)
            key = (seen, self._sampling, tuple((g.first, g.last, id(g.prefix)) for g in groups))
            logits_of = partial(generator.network.step, groups, cache.block, columns=seen)
            work = partial(step, logits_of, generator.token_ids, self._sampling)
            return cache.graphs.run(key, state, generator.device, work, steps, kept=groups)
        same_length = all(len(row.history) == width for row in rows)
        for now in range(width, width + steps):
            seen = generator.columns(now)
            # where columns come in buckets, what is looked at mostly goes on behind the rows' own column
            abreast = same_length and seen == now
            logits_of = partial(generator.network.step, groups, cache.block, columns=seen, abreast=abreast)
            step(logits_of, generator.token_ids, self._sampling, state)
        return state.chosen

    def _state(self, rows: Sequence[Row], steps: int, size: int) -> State:
        """What `steps` steps start from, each row at its slot of `size`; on a GPU with room for as many as there may be."""
        generator = self._generator
        recorded = self._cache.graphs is not None
        turns = AHEAD if recorded else steps
        slots = [row.slot for row in rows]
        starts = np.array([len(row.codes) for row in rows], dtype=np.int64)
        keys = np.array([row_key(r.seed, r.request_id, r.lineage) for r in rows], dtype=np.uint64)
        # filled by numpy, which takes a quarter of the time for so few numbers
        tokens, places = np.zeros(size, dtype=np.int64), np.zeros((2, size), dtype=np.int64)
        uniform, unstarted = np.zeros((turns, size)), np.zeros(size, dtype=np.bool_)
        tokens[slots] = [row.history[-1] for row in rows]
        places[1, slots] = columns = [len(row.history) - 1 for row in rows]
        places[0, slots] = [len(row.prefix) + column for row, column in zip(rows, columns, strict=True)]
        uniform[:steps, slots] = uniforms(keys, starts, steps).T
        unstarted[slots] = starts == 0
        state = State(
            tokens=torch.from_numpy(tokens),
            places=torch.from_numpy(places),
            uniform=torch.from_numpy(uniform),
            chosen=torch.zeros(turns, size, dtype=torch.long),
            turn=torch.zeros(1, dtype=torch.long),
            unstarted=torch.from_numpy(unstarted) if recorded or unstarted.any() else None,
            said=self._said(rows, size),
        )
        return state if recorded else state.to(generator.device)

    @torch.inference_mode()
    def place(self) -> None:
        """Brings the keys and values of all unfinished rows where `extend` needs them, which it does itself otherwise.

        It is what a fork costs.
        """
        going = [row for row in self._rows if not row.finished]
        if going:
            self._place(going, 1, len(going))

    def _place(self, rows: Sequence[Row], room: int, size: int) -> list[Group]:
        """Brings rows to slots with so many columns behind them; slots up to `size` stand behind the last one's prefix."""
        wanted, hints = [row.content for row in rows], [row.slot for row in rows]
        spare = size - len(rows)
        wanted += [Content(rows[-1].prefix)] * spare
        slots, groups, computed = self._cache.bring(wanted, hints + [-1] * spare, room)
        self.tokens_computed += sum(computed)
        for row, slot, tokens in zip(rows, slots, computed, strict=False):
            row.slot = slot
            row.computed += tokens
        return groups

    def _take(self, row: Row, chosen: list[int]) -> None:
        """Give a row what was sampled for it, as far as it goes, and note what its slot holds now."""
        end = self._generator.n_codes
        codes = chosen[: min(row.left, chosen.index(end) if end in chosen else len(chosen))]
        if NOT_A_NUMBER in codes:
            raise UserError(
                "the generator's logits are not numbers: its weights are damaged or overflow in this precision; "
                "fetch the weights again or load them in float32"
            )
        row.ended = len(codes) < min(row.left, len(chosen))
        self.tokens_generated += len(codes) + row.ended
        row.codes += tuple(codes)
        row.history = row.history + self._generator.vocabulary.ids(codes)
        self._cache.held[row.slot] = row.content

    def _said(self, rows: Sequence[Row], size: int) -> torch.Tensor | None:
        """bool [size, n_codes + 1]: which codes a row has said; None where no penalty asks for it."""
        if self._sampling.repetition_penalty == 1:
            return None
        said = torch.zeros(size, self._generator.n_codes + 1, dtype=torch.bool)
        for row in rows:
            said[row.slot, list(row.codes)] = True
        return said

    def resumed(self, row: int, codes: Sequence[int], lineage: Lineage, longest: int, slot: int = -1) -> Row:
        """A row behind the prompt of ``row`` that has said ``codes`` and may become ``longest`` tokens long.

        Rows of any batches of one generator and one cache make a batch: `Batch(generator, sampling, rows, cache)`.
        ``slot``: where its keys and values may lie; they are looked for elsewhere too, or computed.
        """
        like = self._rows[row]
        return replace(
            like,
            history=[like.history[0], *self._generator.vocabulary.ids(codes)],
            codes=tuple(codes),
            lineage=lineage,
            max_tokens=min(longest, like.max_tokens),
            ended=False,
            slot=slot,
            computed=0,
        )

    @property
    def longest(self) -> list[int]:
        """How long each row may become, in tokens."""
        return [row.max_tokens for row in self._rows]

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
        return self._with(rows)

    @torch.inference_mode()
    def append(self, other: Batch) -> Batch:
        """A new batch of these rows and then those of `other`. Raises ValueError for another generator or sampling."""
        if other._generator is not self._generator or other._sampling != self._sampling:
            raise ValueError("only batches of the same generator and sampling can be joined")
        running = [row for row in other._rows if not row.finished]
        slots = dict(
            zip(map(id, running), self._cache.adopt(other._cache, [r.slot for r in running]), strict=True)
        )
        adopted = [replace(row, slot=slots.get(id(row), -1)) for row in other._rows]
        joined = self._with([*(replace(row) for row in self._rows), *adopted])
        joined.tokens_computed += other.tokens_computed
        joined.tokens_generated += other.tokens_generated
        return joined

    def _with(self, rows: Sequence[Row]) -> Batch:
        return Batch(
            self._generator,
            self._sampling,
            rows,
            self._cache,
            tokens_computed=self.tokens_computed,
            tokens_generated=self.tokens_generated,
        )
