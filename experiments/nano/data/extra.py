"""Further training speech for the verifiers: other voices, and the corpus as the codec says it again.

Both are stored as the corpus is, and opened with ``Corpus``.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from experiments.nano.data import texts, voices
from experiments.nano.data.corpus import ALIGNMENT, Corpus, Utterance, rare_words, speak, store_alignment
from llasa_core.codec.codec import Codec

TEST_SHARE = 0.05
DECODED_TOGETHER = 64


def build_extra_voices(folder: Path, corpus: Corpus, hours: float, seed: int) -> None:
    """Let ``EXTRA_VOICES`` speak new texts in all styles; sentences that the corpus holds out are never among
    them.

    One recording in twenty is set apart as the split ``test``. Does nothing if the folder is complete.
    """
    if (folder / "utterances.jsonl").exists():
        return
    chooser = random.Random(seed)
    held_out = {u.text for u in corpus.utterances if u.split != "train"}
    written = texts.write(round(hours * 3600 / 2.3), seed + 100, rare_words(), exclude=held_out)
    planned = []
    for index, text in enumerate(written):
        voice = voices.EXTRA_VOICES[index % len(voices.EXTRA_VOICES)]
        split = "test" if chooser.random() < TEST_SHARE else "train"
        planned.append((text, voice, chooser.choice(list(voices.STYLES)), split))
    recordings = speak([(text.text, voice, style) for text, voice, style, _ in planned])
    store(
        folder,
        (
            (Utterance(text.text, text.kind, voice.name, style, split, 0, len(samples)), samples)
            for (text, voice, style, split), samples in zip(planned, recordings, strict=True)
        ),
    )


def build_resynthesis(
    folder: Path, corpus: Corpus, codes: Sequence[NDArray[Any]], codec: Codec, count: int, seed: int
) -> None:
    """Decode ``count`` training utterances and all held-out ones from their codes.

    Does nothing if the folder is complete.
    """
    if (folder / "utterances.jsonl").exists():
        return
    train = corpus.split("train")
    chosen = random.Random(seed).sample(train, min(count, len(train)))
    # neighbours in length are decoded together; what is decoded does not depend on its neighbours
    order = sorted(corpus.split("dev") + corpus.split("test") + chosen, key=lambda i: len(codes[i]))

    def decoded() -> Iterable[tuple[Utterance, NDArray[np.int16]]]:
        for first in track(range(0, len(order), DECODED_TOGETHER), "decoding"):
            indices = order[first : first + DECODED_TOGETHER]
            for i, wave in zip(indices, codec.decode([codes[i].tolist() for i in indices]), strict=True):
                u = corpus.utterances[i]
                samples = (np.clip(wave[: u.length], -1, 1) * 32767).astype(np.int16)
                yield Utterance(u.text, u.kind, u.voice, u.style, u.split, 0, len(samples)), samples

    # first, as the folder is complete once its utterances are listed
    folder.mkdir(parents=True, exist_ok=True)
    store_alignment(folder / ALIGNMENT, [corpus.path(i) for i in order], [corpus.states(i) for i in order])
    store(folder, decoded())


def store(folder: Path, recordings: Iterable[tuple[Utterance, NDArray[np.int16]]]) -> None:
    """Write a folder that ``Corpus`` opens; the utterances' starts are set here."""
    folder.mkdir(parents=True, exist_ok=True)
    start, pieces, lines = 0, [], []
    for u, samples in recordings:
        lines.append(json.dumps(asdict(u) | {"start": start}))
        pieces.append(samples)
        start += len(samples)
    np.save(folder / "audio.npy", np.concatenate(pieces))
    (folder / "utterances.tmp").write_text("\n".join(lines) + "\n")
    (folder / "utterances.tmp").rename(folder / "utterances.jsonl")
