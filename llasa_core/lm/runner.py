"""Prefill and decoding of speech sequences, of any number of requests in one batch."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from llasa_core.errors import UserError
from llasa_core.gpu_memory import gpu_memory, own_share
from llasa_core.lm.batch import STEPS_AHEAD, Batch, first_state
from llasa_core.lm.cuda_graphs import CudaGraphs, StepState, step
from llasa_core.lm.kv_cache import COLUMNS, KVCache
from llasa_core.lm.lineage import Lineage
from llasa_core.lm.prefix import Group
from llasa_core.lm.sampler import NOT_A_NUMBER
from llasa_core.lm.sequence import Prompt, SpeechSequence
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.prompt import check_room
from llasa_core.sampling import Sampling

STEPS_PER_SYNC = {"cpu": 5, "cuda": 25}
"""Steps after which the sampled tokens are read from the device and finished sequences leave the batch."""
STEPS_TOGETHER = 5
"""Steps of one CUDA graph. Between two graphs this thread waits for Python's lock, which those of codec
and verifiers may hold for 5 ms, longer than a GPU needs for a step: five steps give it enough to do
meanwhile. More would hide no more, while the memory of a graph and the time to record it grow with them."""
BATCH_SIZES = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128)
"""Numbers of rows for which CUDA graphs are recorded; above the last one, its multiples."""


class ModelRunner:
    """Runs a `SpeechLM` over sequences whose keys and values share one cache. Callers in several threads wait
    for each other.

    The tokens of a sequence do not depend on the sequences beside it, on the memory limit, or on how many
    calls of `extend` they take: on a CPU in float32 to the last one, on a GPU as far as sums are rounded
    alike in batches of different sizes (`llasa_core.lm.noise`).
    """

    def __init__(self, model: SpeechLM, sampling: Sampling | None = None) -> None:
        """``sampling``: that of the model unless given."""
        self.model = model
        self.sampling = sampling or model.sampling
        self.cache = KVCache(model.network, model.new_record)
        self.column_multiple = 1 if model.device.type == "cpu" else COLUMNS
        """Attention reads a multiple of this many cache columns, so that a GPU sees few different shapes."""
        self.steps_together = STEPS_TOGETHER
        self._lock = threading.RLock()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Inside, this thread alone runs the model, on the model's device."""
        with self._lock, torch.inference_mode(), self.model.on_device():
            yield

    def forget(self) -> None:
        """Let go of all keys and values."""
        with self._lock:
            self.cache.forget()

    def prefill(self, prompt: Prompt) -> SpeechSequence:
        """Run a prompt: a sequence without speech, whose prefix `resume` shares among candidates.

        Raises UserError, before any work, for a prompt that leaves no room in the context.
        """
        room = check_room(len(prompt.ids), self.model.context)
        if len(prompt.ids) < 2:
            raise ValueError("a prompt has at least two tokens")
        with self.alone():
            prefix = self.model.network.prefix(prompt.ids[:-1])
        longest = min(room, self.model.max_tokens)
        return SpeechSequence(prompt.request_id, prompt.seed, prefix, [prompt.ids[-1]], longest)

    def resume(
        self,
        root: SpeechSequence,
        codes: Sequence[int] = (),
        lineage: Lineage = (),
        n_tokens: int | None = None,
        slot: int = -1,
    ) -> SpeechSequence:
        """A sequence behind the prompt of ``root`` that has these codes. The model is not run.

        It stops after ``n_tokens`` more, or at the longest length of ``root``. ``slot``: where the cache may
        hold its keys and values; it looks elsewhere too. Raises ValueError for a code that is not
        in 0 .. n_codes - 1.
        """
        longest = root.max_tokens if n_tokens is None else min(root.max_tokens, len(codes) + n_tokens)
        return replace(
            root,
            token_ids=[root.token_ids[0], *self.model.vocabulary.ids(codes)],
            codes=tuple(codes),
            lineage=lineage,
            max_tokens=longest,
            ended=False,
            slot=slot,
            tokens_recomputed=0,
        )

    def extend(
        self,
        sequences: Sequence[SpeechSequence],
        n_tokens: int,
        watch: Callable[[], None] | None = None,
        pinned: Collection[SpeechSequence] = (),
    ) -> None:
        """Continue every unfinished sequence by up to ``n_tokens`` tokens, in place.

        Sequences that do not fit into the memory limit together are continued one part after the other.
        ``watch`` is called whenever some tokens were added. ``pinned`` are sequences that are not continued
        now and whose keys and values stay in the cache if there is room. Raises ValueError for a negative
        number, UserError if the model's logits are not numbers or not even one sequence fits.
        """
        if n_tokens < 0:
            raise ValueError(f"cannot extend by {n_tokens} tokens")
        running = [s for s in sequences if not s.finished] if n_tokens else []
        if not running:
            return
        with self.alone():
            self._extend(running, n_tokens, watch, pinned)

    def _extend(
        self,
        running: list[SpeechSequence],
        n_tokens: int,
        watch: Callable[[], None] | None,
        pinned: Collection[SpeechSequence],
    ) -> None:
        self.look_at_memory(running)
        together = self._rows_that_fit(max(len(s.token_ids) + min(n_tokens, s.tokens_left) for s in running))
        for first in range(0, len(running), together):
            part, left = running[first : first + together], n_tokens
            while part and left > 0:
                left -= self._decode(part, left, together, watch, pinned)
                part = [s for s in part if not s.finished]

    def _decode(
        self,
        sequences: Sequence[SpeechSequence],
        left: int,
        together: int,
        watch: Callable[[], None] | None,
        pinned: Collection[SpeechSequence],
    ) -> int:
        """Sample at most ``left`` tokens of each sequence, until one of them is finished: how many.

        Tokens that were sampled behind an end are thrown away. Where steps are recorded, the batch is padded
        to one of a few sizes, at most ``together``, by rows that belong to no sequence.
        """
        per_sync = STEPS_PER_SYNC.get(self.model.device.type, STEPS_AHEAD)
        ahead = min(left, max(s.tokens_left for s in sequences))
        ahead = min(ahead, STEPS_AHEAD if self.cache.graphs is None else per_sync)
        size = max(len(sequences), min(self.batch_size(len(sequences)), together))
        batch = self.prepare(sequences, ahead, size, pinned)
        taken = 0
        while taken < ahead and not any(s.finished for s in sequences):
            steps = min(ahead - taken, per_sync)
            self.accept(batch, self.launch(batch, steps)[taken : taken + steps])
            taken += steps
            if watch is not None:
                watch()
        return taken

    def make_resident(self, sequences: Sequence[SpeechSequence]) -> None:
        """Bring the keys and values of the sequences into the cache, as `extend` does: the cost of a fork."""
        with self.alone():
            self.cache.make_resident(sequences, len(sequences), 1)

    def batch_size(self, sequences: int) -> int:
        """Rows of a batch of so many sequences: one of a few sizes where steps are recorded."""
        if self.cache.graphs is None:
            return sequences
        largest = BATCH_SIZES[-1]
        return next((size for size in BATCH_SIZES if sequences <= size), -(-sequences // largest) * largest)

    def prepare(
        self,
        sequences: Sequence[SpeechSequence],
        steps: int,
        size: int,
        pinned: Collection[SpeechSequence] = (),
    ) -> Batch:
        """A batch of ``size`` rows with keys and values in the cache, and random numbers for so many
        steps.
        """
        recorded = self.cache.graphs is not None
        room = self._recordings(steps) * self.steps_together if recorded else steps
        groups = self.cache.make_resident(sequences, size, room, pinned)
        state = first_state(self.model, self.sampling, sequences, groups, size, steps, recorded=recorded)
        # a recorded step copies the values into the tensors that it was recorded on
        return Batch(sequences, groups, state if recorded else state.to(self.model.device))

    def launch(self, batch: Batch, steps: int) -> Tensor:
        """Take so many steps without waiting for the device.

        Returns int64 [turns, rows]: what was sampled since `prepare`, as indices of the cut output.
        """
        model, cache = self.model, self.cache
        width = max(len(s.token_ids) for s in batch.sequences)
        if cache.graphs is not None and batch.state.tiles is not None:
            return self.repeat(batch.state, steps)
        if cache.graphs is not None:
            columns = self._columns(width + steps - 1)
            groups = tuple((g.first, g.last, id(g.prefix)) for g in batch.groups)
            key = len(batch.state.tokens), self.sampling, columns, groups
            work = self.steps_of(batch.groups, columns)
            return cache.graphs.run(key, batch.state, model.device, work, steps, kept=batch.groups)
        same_length = all(len(s.token_ids) == width for s in batch.sequences)
        for now in range(width, width + steps):
            columns = self._columns(now)
            self.steps_of(batch.groups, columns, aligned=same_length and columns == now)(batch.state)
        return batch.state.chosen

    def repeat(self, state: StepState, steps: int) -> Tensor:
        """As `launch`, by the one recording for this number of rows: whatever else differs from batch to
        batch is read on the device. Whole recordings are repeated, so that a few steps more may be taken."""
        key = len(state.tokens), self.sampling
        graphs = cast(CudaGraphs, self.cache.graphs)
        work = self.steps_of((), 0, self.steps_together)
        return graphs.run(key, state, self.model.device, work, self._recordings(steps), kept=None)

    def _recordings(self, steps: int) -> int:
        """How many recordings have so many steps at least."""
        return -(-steps // self.steps_together)

    def steps_of(
        self,
        groups: Sequence[Group],
        columns: int,
        count: int = 1,
        *,
        aligned: bool = False,
        sampling: Sampling | None = None,
    ) -> Callable[[StepState], None]:
        """So many steps of a batch, from and to its state."""
        model, block = self.model, self.cache.block

        def logits_of(state: StepState) -> Tensor:
            return model.network.step(
                groups, block, state.tokens, state.positions, columns, aligned, state.tiles
            )

        def work(state: StepState) -> None:
            for _ in range(count):
                step(logits_of, model.token_ids, sampling or self.sampling, model.race, state)

        return work

    def accept(self, batch: Batch, chosen: Tensor) -> None:
        """Wait for the sampled tokens [steps, rows] and add them to the sequences, up to the end token.

        Raises UserError if the model's logits were not numbers.
        """
        end, rows = self.model.n_codes, chosen.T.tolist()
        for sequence in batch.sequences:
            row, left = rows[sequence.slot], sequence.tokens_left
            codes = row[: min(left, row.index(end) if end in row else len(row))]
            if NOT_A_NUMBER in codes:
                raise UserError(
                    "the generator's logits are not numbers: its weights are damaged or overflow in this "
                    "precision; fetch the weights again or load them in float32"
                )
            sequence.ended = len(codes) < min(left, len(row))
            sequence.codes += tuple(codes)
            sequence.token_ids += self.model.vocabulary.ids(codes)
            self.cache.update(sequence)

    def _columns(self, tokens: int) -> int:
        """Cache columns that attention reads for sequences of up to so many tokens."""
        return -(-tokens // self.column_multiple) * self.column_multiple

    def look_at_memory(self, sequences: Sequence[SpeechSequence]) -> None:
        """Set what the cache may take: what models and prefixes leave of the limit or of the device."""
        model, cache = self.model, self.cache
        lengths = {id(s.prefix): len(s.prefix) for s in sequences}
        prefixes = model.network.bytes_per_token * sum(lengths.values())
        if model.device.type == "cuda":
            cache.free = int(0.8 * gpu_memory(model.device).room(own_share()))
            cache.limit = cache.free + cache.bytes
        else:
            cache.limit = int(0.4 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) - prefixes
        if model.memory is not None:
            cache.limit = model.memory - prefixes

    def _rows_that_fit(self, tokens: int) -> int:
        """How many rows of so many tokens fit into the limit at once. Raises UserError if not one does."""
        cache, limit = self.cache, int(self.cache.limit)
        if cache.bytes_of(1, tokens) > limit:
            cache.drop()  # its slots may be longer than these rows
        needed = cache.bytes_of(1, tokens)
        if needed > limit:
            raise UserError(
                f"one row of {tokens} tokens needs {needed / 2**20:.1f} MiB for its keys and values, "
                f"{max(limit, 0) / 2**20:.1f} MiB are left: raise the memory limit, "
                "or give a shorter prompt or text"
            )
        return limit // needed
