"""Codes of the second corpus: one file beside each shard for each codec, made where it is missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import Xcodec2Model

from experiments.nano.data.corpus import Corpus
from experiments.nano.second.corpus import Shards, shards
from experiments.nano.train.codec import use_fast_activation
from experiments.nano.train.encode import encode, equally_long, load_codes


def encode_shards(folder: Path, model: Path, target: Path, count: int | None = None) -> None:
    """Encode the first ``count`` shards (all) of the corpus in ``folder``, each into a file in ``target``."""
    target.mkdir(parents=True, exist_ok=True)
    missing = [s for s in shards(folder)[:count] if not (target / f"{s.name}.npz").exists()]
    if not missing:
        return
    use_fast_activation(compiled=True)
    codec = Xcodec2Model.from_pretrained(model, dtype=torch.float32).eval()
    for shard in missing:
        corpus = Corpus(shard)
        codes: list[NDArray[np.int16]] = [np.zeros(0, np.int16)] * len(corpus)
        for members in equally_long(corpus):
            for index, row in zip(members, encode(codec, corpus, members), strict=True):
                codes[index] = row
        part = target / f"{shard.name}.tmp.npz"
        np.savez(part, codes=np.concatenate(codes), offsets=np.cumsum([0, *map(len, codes)]))
        part.rename(target / f"{shard.name}.npz")
        print(json.dumps({"encoded": shard.name}), flush=True)


def shard_codes(corpus: Shards, target: Path) -> list[NDArray[np.int64]]:
    """The codes of every utterance, in the corpus' order."""
    return [row for part in corpus.parts for row in load_codes(target / f"{part.folder.name}.npz")]
