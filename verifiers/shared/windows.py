"""Audio longer than a recogniser's window, cut where it is quietest; and batches of similar lengths."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from llasa_core.audio import Waveform

T = TypeVar("T")
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

    Beams in lockstep have one length; complete candidates seldom have. What hears padding, mask or no:

    - a group norm over time in the feature encoder: the base models of WavLM and HuBERT, UTMOS (of Wav2Vec2);
    - convolutions behind other layers, since a mask empties what the first layer reads alone: the positions
      of emotion2vec, Paraformer's predictor, ECAPA (which also reflects the end of the audio), and the
      x-vectors of transformers, whose pooling takes padded frames for speech.
    """
    by_length: dict[int, list[int]] = {}
    for index, waveform in enumerate(waveforms):
        by_length.setdefault(len(waveform), []).append(index)
    for indices in by_length.values():
        for first in range(0, len(indices), batch):
            yield indices[first : first + batch]


def similar_lengths(waveforms: Sequence[Waveform], batch: int) -> Iterator[list[int]]:
    """Indices of waveforms from the shortest to the longest, at most `batch` at a time: for models that give
    the same in a padded batch with a mask as alone.

    Those are the ones with layer norms in the feature encoder: HuBERT-large and WavLM-large. On a GPU alone:
    on a CPU it bought nothing (0.8 to 1.06 times the speed, 32 candidates of 1.5 to 4.5 s).
    """
    order = sorted(range(len(waveforms)), key=lambda index: len(waveforms[index]))
    for first in range(0, len(order), batch):
        yield order[first : first + batch]


def in_parts(rows: list[int], work: Callable[[list[int]], T]) -> Iterator[tuple[list[int], T]]:
    """What `work` makes of the rows of a batch, or of halves of them where a GPU has no memory for all.

    Raises the error of the GPU where it has none for a single one.
    """
    from llasa_core.device import out_of_memory

    try:
        found = work(rows)
    except RuntimeError as error:
        if len(rows) == 1 or not out_of_memory(error):
            raise
    else:
        yield rows, found
        return
    half = len(rows) // 2
    yield from in_parts(rows[:half], work)
    yield from in_parts(rows[half:], work)


def in_batches(
    batches: Iterable[list[int]],
    waveforms: Sequence[Waveform],
    judge: Callable[[list[Waveform]], Iterable[Found]],
) -> list[Found]:
    """What `judge` finds of each waveform, in their order: it gets those of a batch of indices, or of a part
    of it (`in_parts`), and gives one thing for each."""

    def judged(rows: list[int]) -> list[Found]:
        return list(judge([waveforms[row] for row in rows]))

    found: dict[int, Found] = {}
    for batch in batches:
        for rows, some in in_parts(batch, judged):
            found.update(zip(rows, some, strict=True))
    return [found[row] for row in range(len(waveforms))]


def pad_on(device: str, config: Any) -> bool:
    """Whether a model of transformers of Wav2Vec2's kin gets padded batches on a device."""
    return device.startswith("cuda") and bool(config.feat_extract_norm == "layer")
