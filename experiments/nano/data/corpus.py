"""The corpus: texts spoken by the training voices in acted styles, as one array of samples and one line
each.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from experiments.nano.data import lexicon, texts, voices
from experiments.nano.data.cmudict import pronunciations

STYLE_SHARES = {"neutral": 0.58, "happy": 0.14, "sad": 0.14, "angry": 0.14}
HELD_OUT_SENTENCES = 400
RARE_WORDS = 6000
ALIGNMENT = "alignment.npz"


@dataclass(frozen=True)
class Utterance:
    """One recording: ``start`` and ``length`` count samples in the corpus' audio array."""

    text: str
    kind: str
    voice: str
    style: str
    split: str
    start: int
    length: int


class Corpus:
    """A corpus folder, opened for reading."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.audio: NDArray[np.int16] = np.load(folder / "audio.npy", mmap_mode="r")
        self.utterances = [Utterance(**json.loads(line)) for line in (folder / "utterances.jsonl").open()]

    def __len__(self) -> int:
        return len(self.utterances)

    def samples(self, index: int) -> NDArray[np.float32]:
        """The waveform of one utterance in [-1, 1]."""
        u = self.utterances[index]
        return self.audio[u.start : u.start + u.length].astype(np.float32) / 32768.0

    @property
    def alignment(self) -> Path:
        """The file that :func:`store_alignment` writes."""
        return self.folder / ALIGNMENT

    @cached_property
    def _alignment(self) -> tuple[list[NDArray[np.int16]], list[NDArray[np.int16]]]:
        with np.load(self.alignment) as file:
            ends = file["ends"][:-1]
            return np.split(file["paths"], ends), np.split(file["states"], ends)

    def path(self, index: int) -> NDArray[np.int64]:
        """For each 20 ms of an utterance the index into ``Phonemes.states(text)``; after
        :func:`store_alignment`.
        """
        return self._alignment[0][index].astype(np.int64)

    def states(self, index: int) -> NDArray[np.int64]:
        """For each 20 ms of an utterance the sound that is spoken, as a state of ``Phonemes``."""
        return self._alignment[1][index].astype(np.int64)

    def split(self, name: str) -> list[int]:
        """Indices of the utterances of ``train``, ``dev`` or ``test``."""
        return [i for i, u in enumerate(self.utterances) if u.split == name]


def n_states(corpus: Corpus) -> int:
    """How many states the sounds of an aligned corpus have."""
    return max(int(corpus.states(i).max()) for i in range(len(corpus))) + 1


def store_alignment(file: Path, paths: list[NDArray[Any]], states: list[NDArray[Any]]) -> None:
    """Write what :meth:`Corpus.path` and :meth:`Corpus.states` read, one array for each utterance."""
    part = file.with_suffix(".tmp.npz")
    np.savez(
        part,
        ends=np.cumsum([len(path) for path in paths]),
        paths=np.concatenate(paths).astype(np.int16),
        states=np.concatenate(states).astype(np.int16),
    )
    part.rename(file)


def rare_words(seed: int = 7) -> list[str]:
    """Words outside the vocabulary, out of the CMU dictionary; the harder list's words are never among
    them.
    """
    hard = {word for text in texts.HARD for word in text.split()}
    words = [
        word
        for word in pronunciations()
        if re.fullmatch(r"[a-z]{3,11}", word) and word not in hard and word not in lexicon.vocabulary()
    ]
    return sorted(random.Random(seed).sample(sorted(words), RARE_WORDS))


def plan(hours: float, seed: int) -> list[tuple[str, str, voices.Voice, str, str]]:
    """(text, kind, voice, style, split) of each utterance: test sentences are word sequences that train never
    has.
    """
    chooser = random.Random(seed)
    held_out = texts.held_out_sentences(HELD_OUT_SENTENCES, seed + 1)
    count = round(hours * 3600 / 2.3)
    jobs = [(text, "sentence", "dev" if k % 2 else "test") for k, text in enumerate(held_out)]
    jobs += [(t.text, t.kind, "train") for t in texts.write(count, seed, rare_words(), exclude=set(held_out))]
    planned = []
    for text, kind, split in jobs:
        voice = chooser.choice(voices.TRAINING_VOICES)
        style = chooser.choices(list(STYLE_SHARES), weights=list(STYLE_SHARES.values()))[0]
        planned.append((text, kind, voice, style if voices.has_style(voice, style) else "neutral", split))
    return planned


def _speak(job: tuple[int, str, voices.Voice, str]) -> NDArray[np.int16]:
    index, text, voice, style = job
    return voices.speak(text, voice, style, seed=index)


def speak(jobs: Sequence[tuple[str, voices.Voice, str]]) -> list[NDArray[np.int16]]:
    """Recordings of (text, voice, style) by all cores, with progress; a job's place is the seed of its
    variation.
    """
    numbered = [(index, *job) for index, job in enumerate(jobs)]
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(track(pool.map(_speak, numbered, chunksize=32), "speaking", total=len(jobs)))


def build(folder: Path, hours: float, seed: int) -> None:
    """Speak the corpus into ``folder`` with all cores; does nothing if it is there."""
    if (folder / "utterances.jsonl").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    planned = plan(hours, seed)
    recordings = speak([(text, voice, style) for text, _, voice, style, _ in planned])
    starts = np.cumsum([0, *map(len, recordings)])
    np.save(folder / "audio.npy", np.concatenate(recordings))
    with (folder / "utterances.tmp").open("w") as out:
        for (text, kind, voice, style, split), start, samples in zip(
            planned, starts, recordings, strict=False
        ):
            u = Utterance(text, kind, voice.name, style, split, int(start), len(samples))
            out.write(json.dumps(asdict(u)) + "\n")
    (folder / "utterances.tmp").rename(folder / "utterances.jsonl")
