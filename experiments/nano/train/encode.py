"""Codes of the whole corpus, by the nano codec's encoder."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from transformers import Xcodec2Model

from experiments.nano.data.corpus import Corpus
from experiments.nano.train.codec import use_fast_activation
from llasa_core.audio import CODES_PER_SECOND
from llasa_core.codec.features import HOP, pad_to_hop, semantic_features

SECONDS_A_BATCH = 6
"""Small, so that activations stay in the cache."""
_state: dict[str, Xcodec2Model | Corpus] = {}


def _open(corpus: Path, model: Path) -> None:
    torch.set_num_threads(1)
    use_fast_activation(compiled=True)
    _state["corpus"] = Corpus(corpus)
    _state["model"] = Xcodec2Model.from_pretrained(model, dtype=torch.float32).eval()


def _encode(indices: list[int]) -> list[NDArray[np.int16]]:
    corpus, model = _state["corpus"], _state["model"]
    assert isinstance(corpus, Corpus) and isinstance(model, Xcodec2Model)
    return encode(model, corpus, indices)


def encode(model: Xcodec2Model, corpus: Corpus, indices: list[int]) -> list[NDArray[np.int16]]:
    """The codes of utterances of one length."""
    padded = [pad_to_hop(corpus.samples(i)) for i in indices]
    with torch.inference_mode():
        out = model.encode(
            torch.from_numpy(np.stack(padded))[:, None],
            torch.from_numpy(np.stack([semantic_features(p) for p in padded])),
        )
    return list(out.audio_codes[:, 0].numpy().astype(np.int16))


def equally_long(corpus: Corpus) -> list[list[int]]:
    """The utterances in batches of one length, which is what the codec can encode together."""
    groups: dict[int, list[int]] = {}
    for index, u in enumerate(corpus.utterances):
        groups.setdefault(-(-(u.length + 1) // HOP), []).append(index)
    batches = []
    for n, members in sorted(groups.items()):
        size = max(1, SECONDS_A_BATCH * CODES_PER_SECOND // n)
        batches += [members[k : k + size] for k in range(0, len(members), size)]
    return batches


def encode_corpus(folder: Path, model: Path, path: Path) -> None:
    """Write ``codes`` (int16, one after the other) and ``offsets`` to ``path``; utterances of one length go
    together.
    """
    if path.exists():
        return
    corpus = Corpus(folder)
    jobs = equally_long(corpus)
    codes: list[NDArray[np.int16]] = [np.zeros(0, np.int16)] * len(corpus)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(mp_context=spawn, initializer=_open, initargs=(folder, model)) as pool:
        found = track(pool.map(_encode, jobs), "encoding", total=len(jobs))
        for members, encoded in zip(jobs, found, strict=True):
            for index, row in zip(members, encoded, strict=True):
                codes[index] = row
    part = path.with_suffix(".tmp.npz")
    np.savez(part, codes=np.concatenate(codes), offsets=np.cumsum([0, *map(len, codes)]))
    part.rename(path)


def load_codes(path: Path) -> list[NDArray[np.int64]]:
    """The codes of every utterance, in the corpus' order."""
    with np.load(path) as file:
        codes, offsets = file["codes"].astype(np.int64), file["offsets"]
    return [codes[a:b] for a, b in pairwise(offsets)]
