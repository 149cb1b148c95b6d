"""What the benchmarks of verifiers judge: ordinary sentences for the generator, and human speech."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from itertools import islice
from pathlib import Path

from experiments.documents import read_lines
from experiments.nano.data.corpus import HELD_OUT_SENTENCES
from experiments.nano.data.texts import held_out_sentences
from llasa_core.audio import SAMPLE_RATE, Waveform, read_audio
from llasa_core.errors import UserError
from llasa_core.request import Request
from llasa_core.voices import shipped_voices
from verifiers.shared.windows import split_windows

SENTENCES = Path(__file__).with_name("sentences.txt")
"""Natural sentences of everyday English; no template made them, and nothing was trained on them."""
HUMAN = ("beckett", "clone-test", "endgame_nagg_nell", "two_cities")
"""Recordings of the package moonshine-voice (MIT): four voices."""
TEXT_SEED = 1
"""Of the sentences that the nano recipe keeps out of its training texts."""
SHORTEST = 1.0
"""Seconds of a piece of a recording."""


def requests(count: int, seed: int, source: Path = SENTENCES) -> list[Request]:
    """The sentences of a file, one a line, in the shipped neutral voices in turn; from the top again with the
    next seed until there are enough."""
    texts = [line.strip() for _, line in read_lines(source, "--sentences") if line.strip()]
    if not texts:
        raise UserError(f"--sentences {source} holds no sentence: give a file with one a line")
    return list(islice(_endless(texts, seed), count))


def held_out_requests(count: int, seed: int) -> list[Request]:
    """The first held-out sentences of the first nano family, with the shipped voice prompts in turn."""
    voices = shipped_voices()
    prompts = [read_audio(voice.path) for voice in voices]
    sentences = held_out_sentences(HELD_OUT_SENTENCES, TEXT_SEED)[:count]
    return [
        Request(
            text,
            prompt_audio=prompts[k % len(voices)],
            prompt_text=voices[k % len(voices)].text,
            seed=seed,
            id=text,
        )
        for k, text in enumerate(sentences)
    ]


def _endless(texts: list[str], seed: int) -> Iterator[Request]:
    voices = [voice for voice in shipped_voices() if voice.style in ("", "neutral")]
    prompts = [read_audio(voice.path) for voice in voices]
    while True:
        for number, text in enumerate(texts):
            k = number % len(voices)
            yield Request(
                text, prompt_audio=prompts[k], prompt_text=voices[k].text, seed=seed, id=f"{text} {seed}"
            )
        seed += 1


def human_pieces(longest: float) -> list[Waveform]:
    """Human speech, cut where it is quiet into pieces of at most so many seconds; float32 [samples] each.

    None where the package moonshine-voice is not installed.
    """
    try:
        package = metadata.distribution("moonshine-voice")
    except metadata.PackageNotFoundError:
        return []
    pieces: list[Waveform] = []
    for name in HUMAN:
        audio = read_audio(Path(str(package.locate_file(f"moonshine_voice/assets/{name}.wav"))))
        pieces += split_windows(audio, round(longest * SAMPLE_RATE))
    return [piece for piece in pieces if len(piece) >= SHORTEST * SAMPLE_RATE]
