"""The corpus: texts spoken by the training voices in acted styles, as one array of samples and one line each."""

from __future__ import annotations

import json
import multiprocessing
import random
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from experiments.nano import lexicon, texts, voices
from experiments.nano.judge import pronunciations

STYLE_SHARES = {"neutral": 0.58, "happy": 0.14, "sad": 0.14, "angry": 0.14}
HELD_OUT_SENTENCES = 400
RARE_WORDS = 6000


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
        self.audio: NDArray[np.int16] = np.load(folder / "audio.npy", mmap_mode="r")
        self.utterances = [Utterance(**json.loads(line)) for line in (folder / "utterances.jsonl").open()]

    def __len__(self) -> int:
        return len(self.utterances)

    def samples(self, index: int) -> NDArray[np.float32]:
        """The waveform of one utterance in [-1, 1]."""
        u = self.utterances[index]
        return self.audio[u.start : u.start + u.length].astype(np.float32) / 32768.0

    def split(self, name: str) -> list[int]:
        """Indices of the utterances of ``train``, ``dev`` or ``test``."""
        return [i for i, u in enumerate(self.utterances) if u.split == name]


def rare_words(seed: int = 7) -> list[str]:
    """Words outside the vocabulary, out of the CMU dictionary; the harder list's words are never among them."""
    hard = {word for text in texts.HARD for word in text.split()}
    words = [
        word
        for word in pronunciations()
        if re.fullmatch(r"[a-z]{3,11}", word) and word not in hard and word not in lexicon.vocabulary()
    ]
    return sorted(random.Random(seed).sample(sorted(words), RARE_WORDS))


def plan(hours: float, seed: int) -> list[tuple[str, str, voices.Voice, str, str]]:
    """(text, kind, voice, style, split) of each utterance: test sentences are word sequences that train never has."""
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


def build(folder: Path, hours: float, seed: int) -> None:
    """Speak the corpus into ``folder`` with all cores; does nothing if it is there."""
    if (folder / "utterances.jsonl").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    planned = plan(hours, seed)
    recordings: list[NDArray[np.int16]] = []
    with multiprocessing.Pool() as pool:
        jobs = [(index, text, voice, style) for index, (text, _, voice, style, _) in enumerate(planned)]
        spoken = pool.imap(_speak, jobs, chunksize=32)
        recordings.extend(track(spoken, "speaking", total=len(jobs)))
    starts = np.cumsum([0, *map(len, recordings)])
    np.save(folder / "audio.npy", np.concatenate(recordings))
    with (folder / "utterances.tmp").open("w") as out:
        for (text, kind, voice, style, split), start, samples in zip(
            planned, starts, recordings, strict=False
        ):
            u = Utterance(text, kind, voice.name, style, split, int(start), len(samples))
            out.write(json.dumps(asdict(u)) + "\n")
    (folder / "utterances.tmp").rename(folder / "utterances.jsonl")
