"""`python -m experiments.narration.production.exactness [FOLDER]`: how exact the times of words are.

Recordings of the package moonshine-voice are transcribed by Whisper base, and the words of the transcript are
timed by each aligner and by another recogniser, pocketsphinx (hidden Markov models, forced alignment). It
prints the share of begins and ends of words that are within 0.2 s of those of the other recogniser, with its
95 % interval. With the FOLDER of a narration the chunks that passed are timed in place of the recordings.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import click
import numpy as np

from experiments.narration.production.alignment import Aligner, Proportional, WhisperAligner
from experiments.narration.production.words import Timed, tokens
from experiments.narration.takes import read_narration
from experiments.programs import guarded
from experiments.terminal import say
from llasa_core.audio import SAMPLE_RATE, Waveform, read_audio
from llasa_core.errors import UserError
from llasa_core.paths import shown
from verifiers.base import Target
from verifiers.registry import load
from verifiers.stats import wilson

CLIPS = {
    "clone-test": ("clone-test", 0, 30),
    "endgame": ("endgame_nagg_nell", 0, 28),
    "two cities, 1": ("two_cities", 0, 20),
}
"""File of the package, first and last second. The others have other sounds beside the speech, or words that
pocketsphinx's dictionary lacks."""
WITHIN = 0.2
"""Seconds."""
_MARKS = re.compile(r"[^a-z' ]")


@dataclass(frozen=True)
class Recording:
    """text: as Whisper writes it. times: begins and ends of its words by pocketsphinx, in seconds."""

    name: str
    waveform: Waveform
    text: str
    times: Sequence[tuple[float, float]]


def recordings(names: Sequence[str] = tuple(CLIPS)) -> list[Recording]:
    """Raises PackageNotFoundError and ImportError where moonshine-voice or pocketsphinx is missing."""
    package = metadata.distribution("moonshine-voice")
    ear = load("whisper:base")
    found = []
    for name in names:
        file, first, last = CLIPS[name]
        path = Path(str(package.locate_file(f"moonshine_voice/assets/{file}.wav")))
        waveform = read_audio(path)[first * SAMPLE_RATE : last * SAMPLE_RATE]
        # Its transcript does not depend on the text but for how long it may be.
        score = ear.score([waveform], Target(text="word " * 5 * round(len(waveform) / SAMPLE_RATE)))[0]
        text = score.evidence["transcript"].replace("-", " ")
        found.append(Recording(name, waveform, text, pocketsphinx_times(waveform, text)))
    return found


def takes_that_passed(folder: Path) -> list[Recording]:
    """The chunks of a narration that passed, without those that pocketsphinx cannot align, which it says.

    Raises UserError for a folder that is no narration, or holds no chunk that can be timed."""
    passed = [take for _, take in read_narration(folder).in_order if take is not None and take.passed]
    found = []
    for take in passed:
        waveform, text = read_audio(folder / take.audio), take.spoken.replace("-", " ")
        times = pocketsphinx_times(waveform, text)
        if len(times) == len(tokens(text)):
            found.append(Recording(take.id, waveform, text, times))
    if not found:
        raise UserError(f"no chunk of {shown(folder)} passed and can be timed: give another folder")
    if left := len(passed) - len(found):
        say(f"left out: {left} of {len(passed)} chunks, which pocketsphinx cannot align", error=True)
    return found


def pocketsphinx_times(waveform: Waveform, text: str) -> list[tuple[float, float]]:
    """Begins and ends of the words by forced alignment; [] for text with a word that pocketsphinx does not
    know."""
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=SAMPLE_RATE, loglevel="FATAL", bestpath=False)
    words = _MARKS.sub("", text.lower()).split()
    if not all(map(decoder.lookup_word, words)):
        return []
    decoder.set_align_text(" ".join(words))
    decoder.start_utt()
    decoder.process_raw((np.clip(waveform, -1, 1) * 32_767).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()
    found = [one for one in decoder.seg() or () if not one.word.startswith(("<", "["))]
    return [(one.start_frame / 100, (one.end_frame + 1) / 100) for one in found]


def differences(timed: Sequence[Timed], times: Sequence[tuple[float, float]]) -> np.ndarray:
    """Seconds by which begins and ends are later than those of the reference: [words, 2]."""
    own = np.array([(one.begins, one.ends) for one in timed])
    return np.asarray(own - np.array(times))


@click.command(help=__doc__)
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def exactness(folder: Path | None) -> None:
    found = recordings() if folder is None else takes_that_passed(folder)
    say(f"{len(found)} recordings, {sum(len(one.times) for one in found)} words")
    aligners: list[Aligner] = [WhisperAligner("base"), WhisperAligner("tiny.en"), Proportional()]
    for aligner in aligners:
        every = np.concatenate(
            [differences(aligner.align(one.waveform, one.text, "en"), one.times) for one in found]
        )
        for column, what in enumerate(("begins", "ends")):
            own = every[:, column]
            share = wilson(int((np.abs(own) <= WITHIN).sum()), len(own))
            say(f"{aligner.name}: {what} within {WITHIN:g} s: {share}, median {np.median(own):+.3f} s")


main = guarded(exactness)

if __name__ == "__main__":
    sys.exit(main())
