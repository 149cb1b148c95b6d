"""The multilingual test set of MiniMax-Speech (arXiv 2505.07916): 100 sentences in each of 24 languages.

Its scoring was described (WER by Whisper-large-v3, of Chinese by Paraformer, and SIM) and never released: the
arithmetic here is that of seed-tts-eval. Languages without spaces between words are counted by character.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from experiments.documents import read_lines
from experiments.studies.protocols.protocol import Protocol, Scoring, Utterance, need_file, need_folder
from experiments.studies.protocols.seed_tts import PARAFORMER, SIM, WHISPER
from llasa_core.errors import UserError
from llasa_core.paths import shown

SOURCE = "the data set MiniMaxAI/TTS-Multilingual-Test-Set of the Hugging Face hub (CC BY-SA 4.0)"
LANGUAGES = dict(
    pair.split(":")
    for pair in (
        "arabic:ar cantonese:yue chinese:zh czech:cs dutch:nl english:en finnish:fi french:fr german:de "
        "greek:el hindi:hi indonesian:id italian:it japanese:ja korean:ko polish:pl portuguese:pt "
        "romanian:ro russian:ru spanish:es thai:th turkish:tr ukrainian:uk vietnamese:vi"
    ).split()
)
"""Names of the files, and the code of each language."""
CHARACTERS = ("cantonese", "japanese", "korean", "thai")
"""Counted by character, as Chinese is in any case."""


def read(name: str, code: str, data: Path) -> Iterator[Utterance | UserError]:
    """Lines `SPEAKER|text` of text/LANGUAGE.txt. The recording of a speaker is the one in
    speaker/LANGUAGE/SPEAKER, and speaker/prompt_text.txt says its words: `FILE|text`."""
    listed = need_file(data / "text" / f"{name}.txt")
    prompts: dict[str, str] = {}
    said = need_file(data / "speaker" / "prompt_text.txt")
    for _, line in read_lines(said, "the prompt texts"):
        file, _, text = line.strip().partition("|")
        prompts[file.strip()] = text.strip()
    for number, line in read_lines(listed, "the list"):
        if not line.strip():
            continue
        where = f"line {number} of {shown(listed)}"
        speaker, bar, text = (part.strip() for part in line.partition("|"))
        if not (bar and speaker and text):
            yield UserError(f"{where}: write SPEAKER|text, as in {name}_female|...")
            continue
        if Path(speaker).name != speaker:
            yield UserError(
                f"{where}: the speaker {speaker[:60]!r} is no name of a folder: leave out / and .."
            )
            continue
        folder = need_folder(data, f"speaker/{name}/{speaker}")
        recordings = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        if len(recordings) != 1:
            yield UserError(
                f"{where}: {shown(folder)} holds {len(recordings)} files: one recording belongs there"
            )
            continue
        if recordings[0].name not in prompts:
            yield UserError(f"{where}: {shown(said)} has no line for {recordings[0].name}: add it")
            continue
        id = f"{speaker}_{number:03d}"
        yield Utterance(where, id, text, code, recordings[0], prompts[recordings[0].name])


PROTOCOLS = tuple(
    Protocol(
        f"minimax-{name}",
        f"zero-shot voices, {name.capitalize()} of the MiniMax multilingual test set",
        f"text/{name}.txt and speaker/: {SOURCE}",
        partial(read, name, code),
        Scoring(PARAFORMER if code == "zh" else WHISPER, SIM, characters=name in CHARACTERS),
        100,
    )
    for name, code in LANGUAGES.items()
)
