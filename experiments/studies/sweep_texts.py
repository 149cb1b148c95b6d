"""`nano-eval`: the texts of a sweep that are shipped."""

from __future__ import annotations

from experiments.files import file_hash
from experiments.nano.second.texts import held_out
from experiments.runs.dataset import Row
from llasa_core.voices import shipped_voices

SENTENCES = 100


def nano_eval(limit: int | None = None) -> list[Row]:
    """The first held-out sentences of the second nano family (experiments/nano/second/held_out.txt), with the
    shipped voices in turn."""
    voices = shipped_voices()
    rows = []
    for number, text in enumerate(held_out()[: min(SENTENCES, limit or SENTENCES)]):
        voice = voices[number % len(voices)]
        rows.append(
            Row(
                where=f"sentence {number} of nano-eval",
                id=f"nano-{number:03d}",
                text=text,
                language="en",
                seed=0,
                prompt_audio=voice.path,
                prompt_text=voice.text,
                voice=voice.name,
                prompt_sha256=file_hash(voice.path),
            )
        )
    return rows
