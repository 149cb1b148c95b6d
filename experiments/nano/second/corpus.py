"""The second corpus: shards of ten minutes, each with many voices, so that training can begin on the first.

A shard is a folder that :class:`~experiments.nano.data.corpus.Corpus` opens, with the pitch beside it
(``pitch.npy``: one value in Hz for each 20 ms). Shard ``k`` is the same whichever others are there.
"""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.nano.data.corpus import Corpus, Utterance
from experiments.nano.data.extra import store
from experiments.nano.second import pitch, texts, voices
from experiments.nano.second.kokoro import Kokoro, load_voices
from llasa_core.audio import SAMPLE_RATE
from llasa_core.codec.features import HOP

TEXTS_PLANNED = 40_000
"""More than any corpus takes: 100 hours, since each text is heard from three speakers."""
SHARD = 70
"""Readings; three times as many utterances."""
UNHEARD_SHARE, HELD_BACK_SHARE = 0.03, 0.02


@dataclass(frozen=True)
class Job:
    """What is read by which voice of Kokoro's; ``split``: train, dev, test, or unheard (no model learns the
    voice).
    """

    text: texts.Text
    base: str
    style: str
    split: str


def plan(seed: int, count: int = TEXTS_PLANNED) -> list[Job]:
    """All readings that a corpus can have, in their order."""
    chooser = random.Random(seed)
    heard, unheard = sorted(set(voices.BASES) - set(voices.UNHEARD)), sorted(voices.UNHEARD)
    styles, weights = list(voices.STYLE_SHARES), list(voices.STYLE_SHARES.values())
    jobs = []
    for text in texts.write(count, seed):
        style = chooser.choices(styles, weights)[0]
        base, split, drawn = chooser.choice(heard), "train", chooser.random()
        if drawn < UNHEARD_SHARE:
            base, split = chooser.choice(unheard), "unheard"
        elif drawn < UNHEARD_SHARE + HELD_BACK_SHARE:
            split = chooser.choice(("dev", "test"))
        jobs.append(Job(text, base, style, split))
    return jobs


def build(folder: Path, hours: float, seed: int) -> None:
    """Speak shards until the corpus has ``hours``; shards that are there are not spoken again."""
    spoken = sum(Corpus(shard).audio.shape[0] for shard in shards(folder)) if folder.exists() else 0
    wanted = round(hours * 3600 * SAMPLE_RATE)
    if spoken >= wanted:
        return
    jobs, kokoro = plan(seed), Kokoro(load_voices(folder.parent))
    for number in range(len(shards(folder)), len(jobs) // SHARD):
        if spoken >= wanted:
            break
        some = jobs[number * SHARD : (number + 1) * SHARD]
        spoken += speak_shard(kokoro, folder / f"{number:04}", some, seed + number)
        print(json.dumps({"shard": number, "hours": round(spoken / 3600 / SAMPLE_RATE, 2)}), flush=True)


def speak_shard(kokoro: Kokoro, folder: Path, jobs: list[Job], seed: int) -> int:
    """Speak one shard; returns its samples. A text that cannot be read is left out."""
    recordings: list[tuple[Utterance, NDArray[np.int16]]] = []
    for index, job in enumerate(jobs):
        try:
            reading = voices.read(kokoro, job.text.written, job.base, job.style, seed * SHARD + index)
        except ValueError:
            continue
        for voice in voices.SPEAKERS[job.base]:
            samples = voices.play(reading, voice, job.style)
            line = Utterance(job.text.text, job.text.kind, voice.name, job.style, job.split, 0, len(samples))
            recordings.append((line, samples))
    folder.mkdir(parents=True, exist_ok=True)
    # pitch first: a shard is complete once its utterances are listed
    np.save(folder / "pitch.npy", np.concatenate([_pitch(samples) for _, samples in recordings]))
    store(folder, recordings)
    return sum(len(samples) for _, samples in recordings)


def hops(samples: int) -> int:
    """Codes of a recording of that length."""
    return -(-(samples + 1) // HOP)


def _pitch(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    return pitch.contour(samples / 32768.0, SAMPLE_RATE, hops(len(samples)))


def shards(folder: Path) -> list[Path]:
    """The complete shards of a corpus."""
    return sorted(path.parent for path in folder.glob("*/utterances.jsonl"))


def shards_of(folder: Path, hours: float) -> int:
    """How many of the shards hold the first ``hours``; all, if there are fewer hours."""
    seconds = 0.0
    for number, shard in enumerate(shards(folder), 1):
        seconds += len(Corpus(shard).audio) / SAMPLE_RATE
        if seconds >= hours * 3600:
            return number
    return len(shards(folder))


class Shards(Corpus):
    """All complete shards, or the first ``count``, as one corpus; ``start`` of an utterance is within its
    shard.
    """

    def __init__(self, folder: Path, count: int | None = None) -> None:
        """Raises FileNotFoundError if there is no complete shard."""
        found = shards(folder)[:count]
        if not found:
            raise FileNotFoundError(f"no shard in {folder}")
        self.folder = folder
        self.parts = [Corpus(shard) for shard in found]
        self.firsts = list(np.cumsum([0, *map(len, self.parts)]))
        self.utterances = [u for part in self.parts for u in part.utterances]
        self._pitch = [np.load(shard / "pitch.npy", mmap_mode="r") for shard in found]
        self._pitch_starts = [
            np.cumsum([0, *(hops(u.length) for u in part.utterances)]) for part in self.parts
        ]

    @property
    def alignment(self) -> Path:
        """One file for each number of shards: more speech is aligned anew."""
        return self.folder / f"alignment-{len(self.parts)}.npz"

    def place(self, index: int) -> tuple[int, int]:
        """(shard, place in it) of an utterance."""
        part = bisect_right(self.firsts, index) - 1
        return part, index - int(self.firsts[part])

    def samples(self, index: int) -> NDArray[np.float32]:
        """The waveform of one utterance in [-1, 1]."""
        part, place = self.place(index)
        return self.parts[part].samples(place)

    def pitch(self, index: int) -> NDArray[np.float32]:
        """Pitch in Hz of each code of an utterance, 0 where nothing is voiced."""
        part, place = self.place(index)
        starts = self._pitch_starts[part]
        return np.asarray(self._pitch[part][starts[place] : starts[place + 1]])
