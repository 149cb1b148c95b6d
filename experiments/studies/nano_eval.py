"""`nano-eval`, the shipped list of sweeps and of `eval`: what can be tried without data and hub.

The first 100 held-out sentences of the second nano family (experiments/nano/second/held_out.txt). Sentence k
is `nano-k`, spoken with the shipped voice k, from the first voice again after the last.
"""

from __future__ import annotations

from itertools import cycle

from experiments.files import file_hash
from experiments.runs.dataset import Row
from llasa_core.voices import shipped_voices

NAME = "nano-eval"
SENTENCES = 100


def nano_eval(limit: int | None = None) -> list[Row]:
    """The sentences, or the first `limit` of them, each with its voice."""
    from experiments.nano.second.texts import held_out

    texts = held_out()[: min(SENTENCES, limit or SENTENCES)]
    return [
        Row(
            where=f"sentence {number} of {NAME}",
            id=f"nano-{number:03d}",
            text=text,
            language="en",
            seed=0,
            prompt_audio=voice.path,
            prompt_text=voice.text,
            voice=voice.name,
            prompt_sha256=file_hash(voice.path),
        )
        for number, (text, voice) in enumerate(zip(texts, cycle(shipped_voices()), strict=False))
    ]
