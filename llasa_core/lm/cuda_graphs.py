"""Decoding steps over tensors that keep their addresses, so that a GPU can record them as a CUDA graph.

A step launches some hundred small kernels; from Python that takes longer than a GPU needs to run them. A CUDA
graph launches those of several steps at once. With the kernels of `llasa_core.lm.cuda` there is one for each
batch size; else one of a single step for each batch size, number of columns and set of prefixes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from llasa_core.device import out_of_memory
from llasa_core.lm.sampler import Race, choose
from llasa_core.sampling import Sampling

LOG = logging.getLogger(__name__)
Work = Callable[[], None]
Record = Callable[[Work], Work]
"""Turns work on tensors into the same work on the same tensors, without Python. Does not do the work."""
NewRecord = Callable[[], Record]
"""Begins a set of recordings, which share memory and are dropped together."""
GRAPHS = "LLASA_SEARCH_GRAPHS"
"""Variable that is 0 where no steps are to be recorded."""
MAX_GRAPHS = 16
"""Recordings of one cache; when there would be more, all are dropped."""


@dataclass(frozen=True, slots=True)
class StepState:
    """Input and output of a step; each step leaves the input of the next one in the same tensors.

    tokens: int64 [rows], model token ids to be run next. positions: int64 [2, rows], the position of each
    token in its text and its column in the cache. noise: int64 [turns, rows], `position_keys` of the rows.
    chosen: int64 [turns, rows], the sampled tokens as indices of the cut output. turn: int64 [1], number of
    steps taken. at_start: bool [rows], rows that may not end yet; None if every row may. seen: bool [rows,
    outputs], outputs that the repetition penalty applies to; None without a penalty. tiles: int64 [rows, 4],
    the rows of each prefix as `TritonAttention` reads them; None where other attention runs.
    """

    tokens: Tensor
    positions: Tensor
    noise: Tensor
    chosen: Tensor
    turn: Tensor
    at_start: Tensor | None
    seen: Tensor | None
    tiles: Tensor | None = None

    def to(self, device: torch.device) -> StepState:
        """The state on the device."""
        return StepState(*(None if t is None else t.to(device) for t in self._tensors()))  # type: ignore[arg-type]

    def load(self, other: StepState) -> None:
        """Copy the values of another state of the same shapes into these tensors."""
        for own, new in zip(self._tensors(), other._tensors(), strict=True):
            if own is not None and new is not None:
                own.copy_(new)

    def _tensors(self) -> tuple[Tensor | None, ...]:
        return (
            *(self.tokens, self.positions, self.noise, self.chosen),
            *(self.turn, self.at_start, self.seen, self.tiles),
        )


Logits = Callable[[StepState], Tensor]
"""Runs the model on the tokens of a state: float32 logits [rows, outputs]."""


def step(logits_of: Logits, token_ids: Tensor, sampling: Sampling, race: Race, state: StepState) -> None:
    """Sample one token of every row, without waiting for the device.

    ``token_ids``: int64 [outputs], model token id of each output; the last output ends the speech. ``race``:
    as for the device.
    """
    logits = logits_of(state)
    if state.at_start is not None:
        # some sentences make the model end at once (p ~ 0.25): the end token is masked at the first position
        logits[:, -1].masked_fill_(state.at_start, -torch.inf)
    picked = choose(logits, state.noise.index_select(0, state.turn)[0], sampling, race, state.seen)
    state.chosen.index_copy_(0, state.turn, picked[None])
    if state.seen is not None:
        state.seen.scatter_(1, picked.clamp(min=0)[:, None], True)
    state.tokens.copy_(token_ids.index_select(0, picked.clamp(min=0)))
    state.positions.add_(1)
    state.turn.add_(1)
    if state.at_start is not None:
        state.at_start.zero_()


class CudaGraphs:
    """Recorded steps, each with the state that it was recorded on."""

    def __init__(self, new_record: NewRecord) -> None:
        self._new_record = new_record
        self._record: Record | None = None
        self._steps: dict[Hashable, tuple[StepState, Work, object]] = {}

    def run(
        self,
        key: Hashable,
        state: StepState,
        device: torch.device,
        work: Callable[[StepState], None],
        times: int,
        kept: object,
    ) -> Tensor:
        """Do ``work`` so many times, from ``state`` on: the sampled tokens, int64 [turns, rows].

        ``work`` takes some steps. For each new ``key`` it runs once without a graph, is then recorded, and
        the graph is replayed from then on. ``kept``: objects whose memory the steps read; they live as long
        as it. Where memory runs out while they are recorded, they run without a graph.
        """
        if key in self._steps:
            static, repeat, _ = self._steps[key]
            static.load(state)
        else:
            if len(self._steps) >= MAX_GRAPHS:
                self.clear()
            static = state.to(device)
            once = partial(work, static)
            once()
            times -= 1
            repeat = self._recorded(once)
            self._steps[key] = static, repeat, kept
        for _ in range(times):
            repeat()
        return static.chosen

    def _recorded(self, work: Work) -> Work:
        if self._record is None:
            self._record = self._new_record()
        try:
            return self._record(work)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        # what other graphs hold may be just what is missing, and a pool in which a recording failed is not
        # used again
        self.clear()
        LOG.warning(
            "no memory is left to record decoding steps as a CUDA graph: they run without one, slower"
        )
        return work

    def clear(self) -> None:
        """Drop all graphs, the objects that they held, and their memory, which no later graph may use."""
        self._steps.clear()
        self._record = None


def may_record() -> bool:
    """Whether the variable does not say that no steps are to be recorded."""
    return os.environ.get(GRAPHS, "1") != "0"


def cuda_graphs(device: torch.device) -> Record:
    """Records work on a CUDA device. The graphs share a memory pool, since they never run at once; once they
    are dropped the pool must not be used again.

    The work has to have run once before, so that libraries have initialised themselves.
    """
    pool = torch.cuda.graph_pool_handle()
    # torch hands out the same few streams of a priority again and again: one of the usual priority could be
    # the stream of the thread that listens, whose work would then be recorded too
    stream = torch.cuda.Stream(device, priority=-1)  # type: ignore[no-untyped-call]

    def record(work: Work) -> Work:
        graph = torch.cuda.CUDAGraph()
        # Another thread may run codec and verifiers meanwhile; its allocations are not part of this graph.
        # The stream is given: by default it is one of the device on which the process first recorded.
        capture = torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local")
        with torch.cuda.device(device):
            before = torch.cuda.current_stream(device)
            try:
                with capture:
                    work()
            finally:
                # a recording that fails leaves the thread on the stream that it was recorded on
                torch.cuda.set_stream(before)
        return graph.replay

    return record
