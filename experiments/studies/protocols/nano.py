"""`nano-eval`: the shipped list, so that every part of an evaluation can be tried without data and hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from experiments.studies.nano_eval import NAME, SENTENCES, nano_eval
from experiments.studies.protocols.protocol import Protocol, Scoring, Utterance


def read(_: Path) -> Iterator[Utterance]:
    """As sweeps speak them."""
    for row in nano_eval():
        assert row.prompt_audio is not None
        yield Utterance(
            row.where, row.id, row.text, row.language, row.prompt_audio, row.prompt_text, voice=row.voice
        )


PROTOCOLS = (
    Protocol(
        NAME,
        "shipped: 100 held-out sentences with the shipped voices",
        "",
        read,
        Scoring(("whisper:base", "hubert-ctc:nano"), ("ge2e", "wavlm-sv:nano")),
        SENTENCES,
    ),
)
