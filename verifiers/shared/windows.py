"""Audio longer than a recogniser's window, cut where it is quietest; and batches of equal length."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import Waveform

Found = TypeVar("Found")
_FRAME = 400
"""Samples over which loudness is measured: 25 ms."""


def split_windows(waveform: Waveform, limit: int) -> list[Waveform]:
    """Pieces of at most `limit` samples that together are the waveform [samples].

    Each cut is in the second half of its window, in the middle of the quietest 25 ms there, so most likely
    between words; of equally quiet places the latest.
    """
    pieces: list[Waveform] = []
    rest = waveform
    while len(rest) > limit:
        cut = _quietest(rest[:limit], limit // 2)
        pieces.append(rest[:cut])
        rest = rest[cut:]
    return [*pieces, rest]


def _quietest(window: Waveform, start: int) -> int:
    frames = (len(window) - start) // _FRAME
    if frames < 1:
        return len(window)
    tail = window[len(window) - frames * _FRAME :].reshape(frames, _FRAME)
    energy = np.square(tail, dtype=np.float64).sum(axis=1)
    latest = frames - 1 - int(np.argmin(energy[::-1]))
    return len(window) - (frames - latest) * _FRAME + _FRAME // 2


def equal_lengths(waveforms: Sequence[Waveform], batch: int) -> Iterator[list[int]]:
    """Indices of waveforms of one length, at most `batch` at a time: for models that padding would mislead.

    Beams in lockstep have one length. Complete candidates seldom have, so they mostly go one by one, and
    padding them together is no remedy that holds for all models:

    - Feature encoders with a group norm over time (the base models of WavLM and HuBERT) hear the padding
      whatever a mask says.
    - Those with layer norm (the large and the nano models) give the same in a masked batch as alone (tried:
      5e-8 on embeddings, 4e-5 on log-probabilities). But transformers' pooling of x-vectors takes padded
      frames for speech, because it forgets the dilation of the layers before (4e-2 on embeddings), so rows
      would have to be pooled one by one. On a CPU that buys nothing: 0.8 to 1.06 times the speed with the
      nano models and 32 candidates of 1.5 to 4.5 s. Whether it does on a GPU has not been measured.
    """
    by_length: dict[int, list[int]] = {}
    for index, waveform in enumerate(waveforms):
        by_length.setdefault(len(waveform), []).append(index)
    for indices in by_length.values():
        for first in range(0, len(indices), batch):
            yield indices[first : first + batch]


def judged_by_length(
    waveforms: Sequence[Waveform], batch: int, judge: Callable[[NDArray[np.float32]], Iterable[Found]]
) -> list[Found]:
    """What `judge` finds of each waveform, in their order: it gets them in the batches of `equal_lengths`,
    as [rows, samples], and gives one thing for each row."""
    found: dict[int, Found] = {}
    for rows in equal_lengths(waveforms, batch):
        found.update(zip(rows, judge(np.stack([waveforms[row] for row in rows])), strict=True))
    return [found[row] for row in range(len(waveforms))]
