"""Acoustic units: the frames of a corpus in 1,024 clusters, from which texts are aligned before any codec
exists.

As in HuBERT's first iteration (arXiv 2106.07447) the clusters are those of k-means on plain spectral
features. One frame is 20 ms, as long as one speech token.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from experiments.nano.data.corpus import Corpus
from llasa_core.codec.features import pad_to_hop, semantic_features

N_UNITS = 1024
FRAMES_TO_FIT = 120_000
ITERATIONS = 12
CEPSTRA = 20
ASSIGNED_TOGETHER = 1 << 16


def cepstra(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cepstra of the 10 ms frames of each hop of 320 samples, side by side: [samples] -> [hops, 40].

    They come from filter banks normalised over the utterance, so that voices look alike.
    """
    from scipy.fft import dct

    banks = semantic_features(pad_to_hop(waveform))
    coefficients = dct(banks.reshape(len(banks), 2, -1), norm="ortho")[..., :CEPSTRA]
    flat: NDArray[np.float32] = coefficients.reshape(len(banks), -1).astype(np.float32)
    return flat


def acoustic_units(
    corpora: Sequence[Corpus], seed: int, units: int = N_UNITS
) -> list[list[NDArray[np.int64]]]:
    """For each corpus and utterance its units, one every 20 ms; k-means runs on frames of all corpora
    together.
    """
    from scipy.cluster.vq import kmeans2, vq

    features = [
        [cepstra(corpus.samples(i)) for i in track(range(len(corpus)), "features")] for corpus in corpora
    ]
    frames = np.concatenate([frame for rows in features for frame in rows])
    chosen = np.random.default_rng(seed).choice(len(frames), min(FRAMES_TO_FIT, len(frames)), replace=False)
    centres, _ = kmeans2(frames[chosen], units, iter=ITERATIONS, minit="points", seed=seed)
    starts = range(0, len(frames), ASSIGNED_TOGETHER)
    assigned = np.concatenate(
        [vq(frames[k : k + ASSIGNED_TOGETHER], centres)[0] for k in track(starts, "units")]
    ).astype(np.int64)
    found, cursor = [], 0
    for rows in features:
        ends = cursor + np.cumsum([len(row) for row in rows])
        found.append(np.split(assigned[cursor : ends[-1]], ends[:-1] - cursor))
        cursor = int(ends[-1])
    return found
