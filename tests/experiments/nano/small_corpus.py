"""A corpus folder without speech in it: tones that change, in the real layout."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from experiments.nano.data.corpus import ALIGNMENT, Corpus, Utterance, store_alignment
from llasa_core.codec.features import HOP

STATES = 9
TEXTS = ("the old king saw a ship", "seven red apples", "yes", "please open the door now", "her dog slept")


def build_corpus(
    folder: Path, count: int = 24, seed: int = 0, seconds: tuple[float, float] = (0.6, 1.6)
) -> Corpus:
    """`count` recordings of so many `seconds`; every sixth belongs to the split test. State k is spoken in
    every 9th hop.
    """
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    pieces, lines, start = [], [], 0
    for k in range(count):
        samples = int(generator.uniform(*seconds) * 16_000)
        phase = (
            2 * np.pi * np.cumsum(generator.uniform(90, 300) + 20 * np.sin(np.arange(samples) / 900)) / 16_000
        )
        pieces.append((3000 * np.sign(np.sin(phase)) * generator.uniform(0.5, 1, samples)).astype(np.int16))
        split = "test" if k % 6 == 5 else "train"
        u = Utterance(TEXTS[k % 5], "sentence", f"voice{k % 3}", "neutral", split, start, samples)
        lines.append(json.dumps(asdict(u)))
        start += samples
    np.save(folder / "audio.npy", np.concatenate(pieces))
    (folder / "utterances.jsonl").write_text("\n".join(lines) + "\n")
    corpus = Corpus(folder)
    hops = [np.arange(-(-(u.length + 1) // HOP)) for u in corpus.utterances]
    store_alignment(folder / ALIGNMENT, hops, [hop % STATES for hop in hops])
    return corpus
