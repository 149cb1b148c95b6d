"""Steps of decoding over tensors that stay where they are, so that a GPU can record a step once and repeat it.

A step launches some hundred small kernels; from Python that takes longer than a GPU needs to run them. As a CUDA graph
(one for each number of rows, each width of the block and each set of prompts) they are launched at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from llasa_core.lm.sampling import Sampling, choose

Work = Callable[[], None]
Record = Callable[[Work], Work]
"""Turns work on tensors into the same work on the same tensors, without Python. Does not carry it out."""
Logits = Callable[[Tensor, Tensor], Tensor]
"""Runs the tokens [rows] at their places [2, rows]: float32 logits [rows, outputs]."""
REMEMBERED = 16
"""Recorded steps of one cache; the longest unused one goes first."""


@dataclass(frozen=True, slots=True)
class State:
    """What a step reads, and leaves for the next one in the same tensors.

    tokens: int64 [rows], model token ids to be run next. places: int64 [2, rows], the position of each in its text and
    its column in the block. uniform: float64 [turns, rows], the numbers that decide. chosen: int64 [turns, rows], what
    was sampled, as indices of the cut output. turn: int64 [1], how many steps were taken. unstarted: bool [rows], rows
    that may not end yet; None if all may. said: bool [rows, outputs], which outputs a row has said, where a penalty asks
    for it.
    """

    tokens: Tensor
    places: Tensor
    uniform: Tensor
    chosen: Tensor
    turn: Tensor
    unstarted: Tensor | None
    said: Tensor | None

    def to(self, device: torch.device) -> State:
        """A copy on the device, or this one if it is there."""
        return State(*(None if t is None else t.to(device) for t in self._tensors()))  # type: ignore[arg-type]

    def load(self, other: State) -> None:
        """Take over the values of another state of the same shapes."""
        for own, new in zip(self._tensors(), other._tensors(), strict=True):
            if own is not None and new is not None:
                own.copy_(new)

    def _tensors(self) -> tuple[Tensor | None, ...]:
        return self.tokens, self.places, self.uniform, self.chosen, self.turn, self.unstarted, self.said


def step(logits_of: Logits, token_ids: Tensor, sampling: Sampling, state: State) -> None:
    """One token of every row. ``token_ids``: int64 [outputs], the last output ends the speech. Nothing is waited for."""
    logits = logits_of(state.tokens, state.places)
    if state.unstarted is not None:
        # Some sentences make the model end at once (p ~ 0.25): never at the first position.
        logits[:, -1].masked_fill_(state.unstarted, -torch.inf)
    picked = choose(logits, state.uniform.index_select(0, state.turn)[0], sampling, state.said)
    state.chosen.index_copy_(0, state.turn, picked[None])
    if state.said is not None:
        state.said.scatter_(1, picked.clamp(min=0)[:, None], True)
    state.tokens.copy_(token_ids.index_select(0, picked.clamp(min=0)))
    state.places.add_(1)
    state.turn.add_(1)
    if state.unstarted is not None:
        state.unstarted.zero_()


class CudaGraphs:
    """Steps that were recorded, each with the state that it works on."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._steps: OrderedDict[Hashable, tuple[State, Work, object]] = OrderedDict()

    def run(
        self,
        key: Hashable,
        state: State,
        device: torch.device,
        work: Callable[[State], None],
        turns: int,
        kept: object,
    ) -> Tensor:
        """Take so many steps from ``state``: ``chosen`` [turns, rows].

        ``work`` takes one step. For each ``key`` it is carried out once as it is, then recorded, and from then on the
        recording is repeated. ``kept`` are objects whose memory the step reads: they live as long as the recording.
        """
        if key in self._steps:
            static, repeat, _ = self._steps[key]
            self._steps.move_to_end(key)
            static.load(state)
        else:
            static = state.to(device)
            once = partial(work, static)
            once()
            turns -= 1
            repeat = self._record(once)
            self._steps[key] = static, repeat, kept
            if len(self._steps) > REMEMBERED:
                self._steps.popitem(last=False)
        for _ in range(turns):
            repeat()
        return static.chosen

    def clear(self) -> None:
        """Forget all of them, and let go what they kept."""
        self._steps.clear()


def cuda_graphs() -> Record:
    """Records work on the current CUDA device. All graphs take their memory from one pool: they never run at once.

    What is recorded has to have been run before, so that libraries have set themselves up.
    """
    pool = torch.cuda.graph_pool_handle()

    def record(work: Work) -> Work:
        graph = torch.cuda.CUDAGraph()
        # another thread may run codec and verifiers meanwhile: what it allocates is no part of this
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            work()
        return graph.replay

    return record
