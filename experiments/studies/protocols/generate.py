"""Speech for the utterances of a protocol, by the same code as `run`: rows, records, resuming."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.config import SearchOptions
from experiments.files import write_whole
from experiments.request_options import RequestOptions
from experiments.runs.dataset import Row, check_rows
from experiments.runs.records import NAME as RECORDS
from experiments.runs.run import RunOptions, check_options, check_run, run_rows
from experiments.studies.protocols.protocol import Protocol, Utterance
from experiments.studies.protocols.scoring import WORDS
from llasa_core.audio import SAMPLE_RATE, read_audio, wav_bytes
from llasa_core.errors import UserError
from llasa_core.paths import shown
from verifiers import registry
from verifiers.base import Target, Verifier

PROMPTS = "prompts"
"""Folder of a continuation's prompts in the folder of the run: UTTERANCE.wav and UTTERANCE.txt."""


@dataclass(frozen=True)
class Generation:
    """How the speech is made. data: the folder of the list, which the run must not write over."""

    run: RunOptions
    search: SearchOptions
    seed: int = 0
    data: Path = Path()
    recipe: Path | None = None

    @property
    def request(self) -> RequestOptions:
        """What the options say for all utterances, whose list says the rest."""
        return RequestOptions(seed=self.seed)

    def check(self) -> None:
        """Raises UserError for options that contradict each other, a folder that cannot be written, and one
        that holds a run which is not gone on with."""
        check_options(self.run)
        records = self.run.output / RECORDS
        if not self.run.resume and records.is_file() and records.stat().st_size:
            raise UserError(
                f"{shown(self.run.output)} holds an earlier run: go on with --resume, or choose another "
                "folder with -o"
            )

    def check_utterances(self, protocol: Protocol, utterances: Sequence[Utterance]) -> None:
        """Raises UserError for what `run` would not speak; loads nothing. Of a continuation the recordings
        are looked at, and the rest when the prompts are cut."""
        rows = self._rows(utterances, {})
        if not protocol.scoring.prompt_seconds:
            check_run(rows, self.data, self.run, self.request, self._search, recipe=self.recipe)

    def speak(self, protocol: Protocol, utterances: Sequence[Utterance], ears: Mapping[str, Verifier]) -> int:
        """The exit code of the run, in which nothing judges beside the ears of the protocol unless the caller
        named a judge. Raises UserError as `run` does."""
        prompts = {}
        if cut := protocol.scoring.prompt_seconds:
            prompts = cut_prompts(utterances, self.run.output / PROMPTS, cut, ears)
        rows = self._rows(utterances, prompts)
        return run_rows(rows, self.data, self.run, self.request, self._search, recipe=self.recipe)

    @property
    def _search(self) -> SearchOptions:
        """Without the preset's judge."""
        return self.search if self.search.judges else replace(self.search, no_judge=True)

    def file(self, utterance: Utterance) -> Path:
        """Where its speech is."""
        return self.run.output / "audio" / f"{utterance.id}.wav"

    def _rows(
        self, utterances: Sequence[Utterance], prompts: Mapping[str, tuple[Path, str, str]]
    ) -> list[Row]:
        needs = {
            field for spec in (*self.search.verifiers, *self.search.judges) for field in registry.needs(spec)
        }
        cells = []
        for one in utterances:
            audio, prompt_text, text = prompts.get(one.unit, (one.prompt_audio, one.prompt_text, one.text))
            own = {"id": one.id, "text": text, "language": one.language}
            if one.voice:
                own["voice"] = one.voice
            else:
                own |= {"prompt_audio": str(audio.absolute()), "prompt_text": prompt_text}
            if one.emotion and "emotion" in needs:
                own["emotion"] = one.emotion
            if one.emotion and "emotion_reference" in needs:
                own["emotion_audio"] = str(audio.absolute())
            cells.append((one.where, own))
        return check_rows(cells, Path(), self.request)


def cut_prompts(
    utterances: Sequence[Utterance], folder: Path, seconds: float, ears: Mapping[str, Verifier]
) -> dict[str, tuple[Path, str, str]]:
    """By unit, the beginning of each recording as a file, the words that the ear hears in it, and the rest of
    the transcript, which is to be spoken. What is in the folder already is not heard again.

    Where the transcript is divided changes nothing for the model, which reads all of it: it tells verifiers
    of the search which words the continuation has to have. Raises UserError without an ear, and for a folder
    that holds other recordings of these names.
    """
    if WORDS not in ears:
        raise UserError("--ear none: the ear also says which words are in the prompt, so name one")
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, tuple[Path, str, str]] = {}
    for one in utterances:
        if one.unit in found:
            continue
        audio, said = folder / f"{one.unit}.wav", folder / f"{one.unit}.txt"
        words = one.text.split()
        prompt = read_audio(one.prompt_audio)[: round(seconds * SAMPLE_RATE)]
        content = wav_bytes(prompt)
        if audio.is_file() and audio.read_bytes() != content:
            raise UserError(f"{shown(audio)} is another recording: choose another folder with -o")
        write_whole(audio, content)
        if said.is_file() and words[: len(before := said.read_text("utf-8").split())] == before:
            reached = len(before)
        else:
            (score,) = ears[WORDS].score([prompt], Target(one.text, one.language), partial=True)
            reached = int(score.evidence.get("position", 0))
        reached = min(max(reached, 1), len(words) - 1)
        write_whole(said, " ".join(words[:reached]).encode() + b"\n")
        found[one.unit] = audio, " ".join(words[:reached]), " ".join(words[reached:])
    return found
