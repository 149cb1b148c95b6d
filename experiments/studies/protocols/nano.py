"""`nano-eval`: the shipped list, so that every part of an evaluation can be tried without data and hub.

The first 100 held-out sentences of the second nano family (experiments/nano/second/held_out.txt), with the
shipped voices in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from experiments.studies.protocols.protocol import Protocol, Scoring, Utterance
from llasa_core.voices import shipped_voices

SENTENCES = 100


def read(_: Path) -> Iterator[Utterance]:
    """Sentence k is `nano-k`, spoken with the shipped voice k, from the first one again after the last."""
    from experiments.nano.second.texts import held_out

    for number, (text, voice) in enumerate(
        zip(held_out()[:SENTENCES], cycle(shipped_voices()), strict=False)
    ):
        id = f"nano-{number:03d}"
        yield Utterance(
            f"sentence {number} of nano-eval", id, text, "en", voice.path, voice.text, voice=voice.name
        )


PROTOCOLS = (
    Protocol(
        "nano-eval",
        "shipped: 100 held-out sentences with the shipped voices",
        "",
        read,
        Scoring(("whisper:base", "hubert-ctc:nano"), ("ge2e", "wavlm-sv:nano")),
        SENTENCES,
    ),
)
