"""The clips of a report page: one for each leaf of the tree, as Ogg/Vorbis, within a limit of size."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import soundfile

from experiments.report_page.tree import Tree
from llasa_core.audio import SAMPLE_RATE, Waveform

Decode: TypeAlias = Callable[[list[list[int]]], list[Waveform]]
"""Rows of speech codes -> waveforms, float32 [samples], mono 16 kHz."""
BLOCK = 32_768
"""Samples that are encoded at once."""
PER_RECORDING = 300
"""Characters of the page that a recording needs beside its own."""


@dataclass(frozen=True, slots=True)
class AudioClips:
    """base64 of Ogg/Vorbis by leaf, and how many clips the limit kept out."""

    by_leaf: dict[int, str]
    pruned_left_out: int = 0
    candidates_left_out: int = 0

    def leaf_of(self, tree: Tree) -> dict[int, int]:
        """By node, the leaf through which it is heard: that of the best candidate, else the longest one."""
        found: dict[int, int] = {}
        for leaf in sorted(self.by_leaf, key=lambda leaf: (_rank(tree, leaf), -tree.nodes[leaf].end, leaf)):
            for index in tree.whole_ancestors(leaf):
                found.setdefault(index, leaf)
        return found


def record(tree: Tree, decode: Decode, budget: int) -> AudioClips:
    """Decodes and encodes every leaf; candidates sound as they were judged.

    Where that is more than `budget` characters of base64, pruned leaves are left out first, those that were
    pruned earliest before the others, then candidates from the last rank up. The winner is never left out.
    """
    waveforms: dict[int, Waveform] = {}
    rows: dict[int, list[int]] = {}
    for index, node in enumerate(tree.nodes):
        if node.candidate is not None:
            waveforms[index] = node.candidate.waveform
        elif tree.is_leaf(index) and (codes := tree.codes(index)):
            rows[index] = codes
    waveforms |= zip(rows, decode(list(rows.values())) if rows else [], strict=True)
    found = {index: base64.b64encode(encode(wave)).decode() for index, wave in waveforms.items() if len(wave)}
    # In the order of leaving: the largest rank is that of what no candidate is, infinity.
    leaving = sorted(found, key=lambda index: (-_rank(tree, index), tree.nodes[index].end, index))
    size = sum(len(text) + PER_RECORDING for text in found.values())
    pruned = candidates = 0
    for index in leaving:
        if size <= budget or _rank(tree, index) == 0:
            break
        size -= len(found.pop(index)) + PER_RECORDING
        pruned += tree.nodes[index].candidate is None
        candidates += tree.nodes[index].candidate is not None
    return AudioClips(found, pruned, candidates)


def encode(waveform: Waveform) -> bytes:
    """Ogg/Vorbis of [samples] at 16 kHz: some 6 kB a second, of exactly the same length when decoded
    (browsers may lose 16 ms).

    Opus would need two thirds of the bytes and, as libsndfile sets it, 17 times as long.
    """
    stream = io.BytesIO()
    with soundfile.SoundFile(stream, "w", SAMPLE_RATE, 1, format="OGG", subtype="VORBIS") as file:
        for start in range(0, len(waveform), BLOCK):  # libsndfile may crash on long blocks
            file.write(waveform[start : start + BLOCK])
    return stream.getvalue()


def _rank(tree: Tree, index: int) -> float:
    candidate = tree.nodes[index].candidate
    return float("inf") if candidate is None else candidate.rank
