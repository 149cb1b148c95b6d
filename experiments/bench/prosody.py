"""`python -m experiments.bench.prosody`: what the verifier `prosody` measures, and what it says of known
prosody.

Three tables. Spread: the standard deviation of each cue between pieces of one human reader (of the package
moonshine-voice, where it is installed), pooled over the readers: what a change is divided by. Changed: the
pieces, played faster or slower by soxr, and so higher or lower, and louder or softer, in steps towards an
emotion, each against the piece before it; the score of that emotion, and how often a further step scores
more. Styles: the shipped voice prompts with a style, each against the neutral prompt of its voice. Means
with 95 % bootstrap intervals, and milliseconds of processor time for a second of speech.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from itertools import pairwise

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.bench.timing import tell
from experiments.human_speech import human_readers
from experiments.programs import Positive, guarded
from llasa_core.audio import SAMPLE_RATE, Waveform, read_audio
from llasa_core.voices import shipped_voices
from verifiers import registry
from verifiers.base import Score, Target, Verifier
from verifiers.models.prosody import LEAST_VOICED
from verifiers.models.prosody_cues import Change, Prosody, change, measure
from verifiers.stats import bootstrap_mean

STEPS = (0.0, 0.5, 1.0, 1.5, 2.0)
WAYS = {"happy": (3.0, 1.0), "sad": (-3.0, -4.0)}
"""A step of 1: semitones, with a twelfth of so many doublings of the pace, and dB."""


@click.command(help=__doc__)
@click.option("--longest", type=Positive(30), default=5.0, help="Seconds of a piece of human speech (5).")
@click.option("--seed", type=int, default=7, help="Of the bootstrap (7).")
def bench(longest: float, seed: int) -> None:
    console = Console(width=120, highlight=False)
    verifier = registry.load("prosody")
    readers = human_readers(longest)
    if readers:
        measure(readers[0][0])  # what numba compiles counts for nothing
        began = time.process_time()
        found = [[measure(piece) for piece in pieces] for pieces in readers]
        taken = 1000 * (time.process_time() - began)
        length = sum(len(piece) for pieces in readers for piece in pieces) / SAMPLE_RATE
        console.print(f"{sum(map(len, readers))} pieces of {len(readers)} human readers, {length:.0f} s")
        console.print(spread_table(found))
        console.print(f"{taken / length:.0f} ms for a second of speech")
        console.print(changed_table(verifier, readers, seed))
    else:
        tell("no human speech: pip install moonshine-voice")
    console.print(styles_table(verifier))


main = guarded(bench)


def spread_table(measured: Sequence[Sequence[Prosody]]) -> Table:
    """Standard deviations within a reader, pooled: of `Change` from each reader's first piece."""
    judged = [[one for one in own if one.voiced >= LEAST_VOICED] for own in measured]
    rows = [[change(own[0], one) for one in own] for own in judged if len(own) > 1]
    table = Table("cue", "spread", title="Spread")
    for cue in (field.name for field in fields(Change)):
        squares = [np.square(np.array(own) - np.mean(own)).sum() for own in values(rows, cue)]
        freedom = sum(len(own) - 1 for own in rows)
        table.add_row(cue, f"{np.sqrt(sum(squares) / freedom):.2f}")
    return table


def values(rows: Sequence[Sequence[Change]], cue: str) -> list[list[float]]:
    return [[getattr(one, cue) for one in own] for own in rows]


def changed_table(verifier: Verifier, readers: Sequence[Sequence[Waveform]], seed: int) -> Table:
    table = Table(
        "towards", *(f"{step:g} of a step" for step in STEPS), "a further step scores more", title="Changed"
    )
    for emotion in WAYS:
        scores = [
            [of(verifier, moved(piece, emotion, step), other, emotion).value for step in STEPS]
            for pieces in readers
            for other, piece in pairwise(pieces)
            if min(measure(one).voiced for one in (other, piece)) >= LEAST_VOICED
        ]
        rising = [float(later > earlier) for row in scores for earlier, later in pairwise(row)]
        table.add_row(
            emotion,
            *(str(bootstrap_mean(list(column), seed=seed)) for column in zip(*scores, strict=True)),
            f"{np.mean(rising):.2f} of {len(rising)}",
        )
    return table


def moved(waveform: Waveform, emotion: str, step: float) -> Waveform:
    """The recording with so many steps of what WAYS has for an emotion."""
    import soxr

    semitones, level = WAYS[emotion]
    faster = soxr.resample(waveform, SAMPLE_RATE * 2 ** (semitones * step / 12), SAMPLE_RATE)
    found: Waveform = (faster * 10 ** (level * step / 20)).astype(np.float32)
    return found


def of(verifier: Verifier, waveform: Waveform, neutral: Waveform, emotion: str) -> Score:
    return verifier.score([waveform], Target(reference=neutral, emotion=emotion))[0]


def styles_table(verifier: Verifier) -> Table:
    """Of each shipped voice prompt with a style, against the neutral one of its voice."""
    voices = shipped_voices()
    neutral = {voice.voice: read_audio(voice.path) for voice in voices if voice.style == "neutral"}
    cues = [f"delta_{field.name}" for field in fields(Change)]
    table = Table("voice", *cues, "score of its style", "heard as", title="Styles")
    for voice in voices:
        if voice.style == "neutral" or voice.voice not in neutral:
            continue
        score = of(verifier, read_audio(voice.path), neutral[voice.voice], voice.style)
        told = [f"{score.evidence[cue]:+.2f}" for cue in cues] if score.usable else [score.reason, "", "", ""]
        table.add_row(voice.name, *told, f"{score.value:.2f}", str(score.evidence.get("label", "")))
    return table


if __name__ == "__main__":
    sys.exit(main())
