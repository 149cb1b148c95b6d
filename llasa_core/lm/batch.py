"""Sequences that take their next steps together, and the tensors that these steps begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from llasa_core.lm.cuda_graphs import StepState
from llasa_core.lm.lineage import position_keys, row_key
from llasa_core.lm.prefix import Group
from llasa_core.lm.sequence import SpeechSequence
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.sampling import Sampling

STEPS_AHEAD = 25
"""Steps for which cache columns are reserved and random numbers drawn at a time."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences that take their next steps together; the row of each one is its slot in the KV cache."""

    sequences: Sequence[SpeechSequence]
    groups: Sequence[Group]
    state: StepState


def first_state(
    model: SpeechLM,
    sampling: Sampling,
    sequences: Sequence[SpeechSequence],
    groups: Sequence[Group],
    size: int,
    steps: int,
    *,
    recorded: bool,
) -> StepState:
    """On the host: what a batch of ``size`` rows begins with, and the keys of its random numbers for so many
    steps.

    Rows that are no sequence's slot are zero. ``recorded``: the shapes do not depend on the sequences.
    """
    turns = STEPS_AHEAD if recorded else steps
    slots = [s.slot for s in sequences]
    starts = np.array([len(s.codes) for s in sequences], dtype=np.int64)
    keys = np.array([row_key(s.seed, s.request_id, s.lineage) for s in sequences], dtype=np.uint64)
    # filled by numpy, which takes a quarter of the time for so few numbers
    tokens, positions = np.zeros(size, dtype=np.int64), np.zeros((2, size), dtype=np.int64)
    noise, at_start = np.zeros((turns, size), dtype=np.int64), np.zeros(size, dtype=np.bool_)
    tokens[slots] = [s.token_ids[-1] for s in sequences]
    positions[1, slots] = columns = [len(s.token_ids) - 1 for s in sequences]
    positions[0, slots] = [len(s.prefix) + column for s, column in zip(sequences, columns, strict=True)]
    noise[:steps, slots] = position_keys(keys, starts, steps).view(np.int64).T
    at_start[slots] = starts == 0
    return StepState(
        tokens=torch.from_numpy(tokens),
        positions=torch.from_numpy(positions),
        noise=torch.from_numpy(noise),
        chosen=torch.zeros(turns, size, dtype=torch.long),
        turn=torch.zeros(1, dtype=torch.long),
        at_start=torch.from_numpy(at_start) if recorded or at_start.any() else None,
        seen=_seen_codes(model, sampling, sequences, size),
        tiles=model.network.tiles(groups, size),
    )


def _seen_codes(
    model: SpeechLM, sampling: Sampling, sequences: Sequence[SpeechSequence], size: int
) -> Tensor | None:
    """bool [size, n_codes + 1]: codes that each row has generated; None without a repetition penalty."""
    if sampling.repetition_penalty == 1:
        return None
    seen = torch.zeros(size, model.n_codes + 1, dtype=torch.bool)
    for sequence in sequences:
        seen[sequence.slot, list(sequence.codes)] = True
    return seen
