"""Figures of the nano codec: what resynthesis costs in words and in spectrum, how fast it is, codes in
use.
"""

from __future__ import annotations

import time
from typing import Any

import jiwer
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from experiments.nano.data.corpus import Corpus
from experiments.nano.evaluate.sphinx import Sphinx
from experiments.nano.train.codec import SpectralLoss
from llasa_core.audio import SAMPLE_RATE
from llasa_core.codec.codec import Codec
from verifiers.stats import bootstrap_mean


def evaluate_codec(
    corpus: Corpus, codes: list[NDArray[np.int64]], codec: Codec, utterances: int, seed: int
) -> dict[str, Any]:
    """Test recordings, encoded and decoded; WER by pocketsphinx. ``codes`` are those of the whole corpus."""
    chosen = np.random.default_rng(seed).permutation(corpus.split("test"))[:utterances]
    training = [u.text for u in corpus.utterances if u.split == "train"]
    sphinx = Sphinx.of_vocabulary(training)
    spectral = SpectralLoss()
    rows: dict[str, list[float]] = {"original": [], "resynthesis": [], "mel": []}
    voices: dict[str, list[tuple[float, float]]] = {}
    spent = {"encode": 0.0, "decode": 0.0}
    seconds = 0.0
    for index in track([int(i) for i in chosen], "hearing"):
        u, original = corpus.utterances[index], corpus.samples(index)
        began = time.perf_counter()
        encoded = codec.encode(original)
        spent["encode"] += time.perf_counter() - began
        began = time.perf_counter()
        (decoded,) = codec.decode([encoded])
        spent["decode"] += time.perf_counter() - began
        decoded = decoded[: len(original)]
        seconds += len(original) / SAMPLE_RATE
        errors = [jiwer.wer(u.text, sphinx.transcribe(wave)) for wave in (original, decoded)]
        rows["original"].append(errors[0])
        rows["resynthesis"].append(errors[1])
        voices.setdefault(u.voice, []).append((errors[0], errors[1]))
        with torch.no_grad():
            _, mel = spectral(torch.from_numpy(decoded)[None], torch.from_numpy(original)[None])
        rows["mel"].append(float(mel))
    return {
        "utterances": len(chosen),
        "seed": seed,
        "WER of originals": str(bootstrap_mean(rows["original"])),
        "WER of resynthesis": str(bootstrap_mean(rows["resynthesis"])),
        "by voice (original, resynthesis)": {
            v: np.mean(e, axis=0).round(3).tolist() for v, e in sorted(voices.items())
        },
        "log-mel distance": str(bootstrap_mean(rows["mel"])),
        "real-time factor": {k: round(v / seconds, 4) for k, v in spent.items()}
        | {"threads": torch.get_num_threads()},
        "codes in use": f"{len(np.unique(np.concatenate(codes)))} of {codec.n_codes}",
    }
