"""The figures of the nano emotion2vec's model card, each with its sample size and a 95 % bootstrap interval.

The model is loaded and asked through the package's own adapter, as a search does it.

    python -m experiments.nano.evaluate.emotion --work nano_work --out nano_work/emotion.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.progress import track

from experiments.nano.data import texts, voices
from experiments.nano.data.corpus import Corpus
from experiments.nano.evaluate.verifiers import speak, speaker_figure
from experiments.programs import guarded
from llasa_core.audio import Waveform
from llasa_core.codec.codec import Codec
from verifiers.base import Target
from verifiers.registry import load
from verifiers.stats import bootstrap_mean

PACKAGED = Path(__file__).parents[3] / "verifiers" / "nano" / "emotion2vec"
TEXTS = 100
"""Held-out sentences, each spoken in every style by one of the corpus' voices."""
TEXTS_A_VOICE = 12
"""New sentences for each unseen voice, each spoken in every style."""
DECODED_TOGETHER = 32


@dataclass(frozen=True)
class Spoken:
    """One recording with what it was asked to be."""

    style: str
    voice: str
    wave: Waveform


def held_out_texts(corpus: Corpus, seed: int) -> list[Spoken]:
    """Sentences that no model was trained on, by the corpus' voices; the variation is none of the corpus'
    either.
    """
    found = []
    sentences = [corpus.utterances[i].text for i in corpus.split("test")][:TEXTS]
    able = [voice for voice in voices.TRAINING_VOICES if voices.acts(voice.name)]
    for k, text in enumerate(track(sentences, "held-out texts")):
        voice = able[k % len(able)]
        for style in voices.STYLES:
            found.append(Spoken(style, voice.name, speak(text, voice, style, seed=10**6 + seed + k)))
    return found


def unseen_voices(seed: int) -> list[Spoken]:
    """New sentences by voices that no model was trained on, those that can act."""
    writer, found = texts.Writer(seed + 950), []
    for voice in voices.UNSEEN_VOICES:
        for k in range(TEXTS_A_VOICE if voices.acts(voice.name) else 0):
            text = writer.sentence()
            for style in voices.STYLES:
                found.append(Spoken(style, voice.name, speak(text, voice, style, seed=10**6 + seed + k)))
    return found


def resynthesis(spoken: Sequence[Spoken], codec: Codec) -> list[Spoken]:
    """The same recordings as the codec says them."""
    found: list[Spoken] = []
    for first in track(range(0, len(spoken), DECODED_TOGETHER), "resynthesis"):
        some = spoken[first : first + DECODED_TOGETHER]
        waves = codec.decode([codec.encode(s.wave) for s in some])
        found += [Spoken(s.style, s.voice, w[: len(s.wave)]) for s, w in zip(some, waves, strict=True)]
    return found


def figure(label: Any, spoken: Sequence[Spoken], seed: int) -> dict[str, Any]:
    """Accuracy of the likeliest label, and how cosines tell recordings of one style from those of others.

    label: the adapter with measure=label. Recordings under 0.5 s are left out. Pairs of recordings are of any
    voices.
    """
    heard = [s for s in spoken if len(s.wave) >= label.min_seconds * 16_000]
    scores = label.score([s.wave for s in heard], Target(emotion="neutral"))
    right = [float(score.evidence["label"] == s.style) for score, s in zip(scores, heard, strict=True)]
    interval = bootstrap_mean(right, seed=seed)
    vectors = label.embed([s.wave for s in heard])
    pairs = speaker_figure(vectors, vectors, [s.style for s in heard], seed)
    styles = {s.style for s in heard}
    return {
        "recordings": len(heard),
        "voices": len({s.voice for s in heard}),
        "accuracy": round(interval.mean, 4),
        "interval": [round(interval.low, 4), round(interval.high, 4)],
        "chance": round(1 / len(styles), 2),
        "by style": {
            style: round(
                float(np.mean([r for r, s in zip(right, heard, strict=True) if s.style == style])), 3
            )
            for style in voices.STYLES
        },
        "same style": pairs["same"],
        "other style": pairs["different"],
        "eer": pairs["eer"],
        "eer interval": pairs["interval"],
    }


def evaluate_emotion(corpus: Corpus, codec: Codec, model: Path, seed: int = 0) -> dict[str, Any]:
    """All figures. model: the folder of the emotion2vec."""
    label = load(f"emotion2vec:{model}?measure=label")
    sets = {"held-out texts": held_out_texts(corpus, seed), "unseen voices": unseen_voices(seed)}
    found: dict[str, Any] = {"seed": seed}
    for name, spoken in sets.items():
        found[name] = figure(label, spoken, seed)
        found[f"{name}, as the codec says them"] = figure(label, resynthesis(spoken, codec), seed)
    return found


@click.command(help=__doc__)
@click.option(
    "--work", type=click.Path(path_type=Path), default=Path("nano_work"), help="The recipe's work folder."
)
@click.option(
    "--model", type=click.Path(path_type=Path), default=PACKAGED, help="Folder of the model (shipped)."
)
@click.option("--codec", default="nano/codec", help="Folder of the codec (nano/codec).")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write.")
@click.option("--seed", type=int, default=0, help="Of what is drawn (0).")
def figures(work: Path, model: Path, codec: str, out: Path, seed: int) -> None:
    text = json.dumps(
        evaluate_emotion(Corpus(work / "corpus"), Codec.from_source(codec), model, seed), indent=1
    )
    print(text)
    out.write_text(text + "\n", encoding="utf-8")


main = guarded(figures)

if __name__ == "__main__":
    sys.exit(main())
