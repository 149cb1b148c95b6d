"""seed-tts-eval (arXiv 2406.02430): the lists and the arithmetic of github.com/BytedanceSpeech/seed-tts-eval.

`cal_wer.sh` takes the mean of the WER of the utterances, without a normaliser of numbers; `cal_sim.sh` the
mean cosine between each utterance and its whole prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from experiments.runs.tables import TRUTH, ColumnMapping, Table
from experiments.studies.protocols.protocol import Protocol, Scoring, Utterance, need_file
from llasa_core.errors import UserError

SOURCE = (
    "the test set of github.com/BytedanceSpeech/seed-tts-eval, whose README links it (Google Drive, file "
    "1GlSjVfSHkW3-leKKBlfrjuuTGqQ_xaLP)"
)
LISTS = {
    "en": ("en/meta.lst", "en", 1088),
    "zh": ("zh/meta.lst", "zh", 2020),
    "hard": ("zh/hardcase.lst", "zh", 400),
}
WHISPER, PARAFORMER = ("whisper:large-v3",), ("paraformer:paraformer-zh",)
SIM = ("wavlm-large-sv:wavlm_large_finetune.pth",)


def read(list_name: str, language: str, data: Path) -> Iterator[Utterance | UserError]:
    """The lines `utt|prompt_text|prompt_wav|text[|truth_wav]`; paths are relative to the list. Where a line
    names no truth it is wavs/utt.wav, if that is there."""
    table = Table(need_file(data / list_name), ColumnMapping())
    for where, cells in table.rows():
        if isinstance(cells, UserError):
            yield cells
            continue
        if "prompt_text" not in cells:
            yield UserError(f"{where} has no prompt: write utt|prompt_text|prompt_wav|text[|truth_wav]")
            continue
        id = str(cells["id"]).strip()
        truth = table.folder / str(cells.get(TRUTH) or f"wavs/{id}.wav").strip()
        yield Utterance(
            where,
            id,
            str(cells["text"]),
            language,
            table.folder / str(cells["prompt_audio"]).strip(),
            str(cells["prompt_text"]),
            truth=truth if TRUTH in cells or truth.is_file() else None,
        )


PROTOCOLS = tuple(
    Protocol(
        f"seed-tts-{name}",
        f"zero-shot voices, {list_name} of seed-tts-eval",
        f"{list_name} and its recordings: {SOURCE}",
        partial(read, list_name, language),
        Scoring(WHISPER if language == "en" else PARAFORMER, SIM),
        full,
    )
    for name, (list_name, language, full) in LISTS.items()
)
