"""What a protocol is: a reader of its list, and the definition of its scoring."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from experiments.runs.dataset import file_name, refuse
from llasa_core.errors import UserError
from llasa_core.paths import regular_file, shown, user_path
from llasa_core.text import check_text, language

MEAN, POOLED = "mean of utterances", "pooled"
"""Averages of an error rate: each utterance of equal weight, or all errors over all words."""
VARIANTS = ("seed-tts-eval", "f5", "whisper")
"""Normalisations of words (`verifiers.shared.wer.NORMALIZERS`)."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One text of a list. where: `line 3 of meta.lst`. id: the name of its file, without the suffix.

    text: as the list has it, which is what is spoken and what errors are counted against. prompt_audio,
    prompt_text: the voice. emotion: the label that the speech should have, as emotion2vec names it; the
    prompt then has it too. truth: the recording of a human who says the text. voice: the name of the prompt
    if it is a shipped one. group: what the trials of one utterance share; "": the id.
    """

    where: str
    id: str
    text: str
    language: str
    prompt_audio: Path
    prompt_text: str
    emotion: str | None = None
    truth: Path | None = None
    voice: str | None = None
    group: str = ""

    @property
    def unit(self) -> str:
        """What intervals are taken over."""
        return self.group or self.id


@dataclass(frozen=True, slots=True)
class Scoring:
    """ear, sim, emotion: specs of the verifiers that judge words, voice and emotion; of several the first one
    that is here does. An emotion is measured as `measure` of emotion2vec says: the cosine with the prompt, or
    how often the intended label is the likeliest.

    variant: the normalisation, one of VARIANTS. average: MEAN or POOLED. characters: whether characters are
    counted as words (Chinese is so in any case). prompt_seconds: the beginning of each recording that is the
    prompt, and that the utterance goes on from; 0: the prompt is a recording of its own.
    """

    ear: tuple[str, ...]
    sim: tuple[str, ...]
    emotion: tuple[str, ...] = ()
    variant: str = VARIANTS[0]
    average: str = MEAN
    characters: bool = False
    prompt_seconds: float = 0.0


@dataclass(frozen=True)
class Protocol:
    """about: what it measures, in a line. source: where its data comes from; "": it is shipped.

    reader: the utterances of a folder of data; raises UserError for a list that is not there or not as it
    should be. full: utterances of the whole list, where that is known. trials: readings of each utterance.
    """

    name: str
    about: str
    source: str
    reader: Callable[[Path], Iterable[Utterance | UserError]]
    scoring: Scoring
    full: int | None = None
    trials: int = 1

    def read(self, folder: Path | None, limit: int | None = None) -> list[Utterance]:
        """The first `limit` utterances with all their trials, checked.

        Raises UserError, in one line, if the data is not there (with its source), or for a list with a bad
        line.
        """
        if folder is None and self.source:
            raise UserError(f"{self.name} reads its list from a folder: give --data DIR with {self.source}")
        if folder is not None and not self.source:
            raise UserError(f"--data: the list of {self.name} is shipped: leave it out")
        data = Path() if folder is None else user_path(folder, "--data")
        if not data.is_dir():
            raise UserError(f"--data {shown(data)} is no folder: give one with {self.source}")
        try:
            utterances = _checked(self.reader(data), data if self.source else None, limit, self.trials)
        except Missing as error:
            raise UserError(f"{error}: give --data DIR with {self.source}") from None
        if not utterances:
            raise UserError(f"the list of {self.name} in {shown(data)} is empty: it has to hold an utterance")
        return utterances


class Missing(UserError):
    """A part of the data that is not in the folder."""


def need_file(path: Path) -> Path:
    """A list that the protocol needs. Raises Missing, or UserError for what is no regular file."""
    if not path.exists():
        raise Missing(f"{shown(path)} is not there")
    return regular_file(path, "the list")


def need_folder(folder: Path, *names: str) -> Path:
    """The first of these folders, relative to `folder`, that is there. Raises Missing."""
    found = next((folder / name for name in names if (folder / name).is_dir()), None)
    if found is None:
        raise Missing(f"there is no folder {' or '.join(names)} in {shown(folder)}")
    return found


def safe_id(text: str) -> str:
    """The id, which names a file DIR/ID.wav. Raises UserError for one that could lead elsewhere."""
    if not text or file_name(text) != text:
        raise UserError(f"the id {text[:60]!r} cannot be the name of a file: leave out / and .. in it")
    return text


def _checked(
    found: Iterable[Utterance | UserError], data: Path | None, limit: int | None, trials: int
) -> list[Utterance]:
    """The utterances. Raises one UserError for all that are wrong; data: where recordings have to be."""
    utterances: list[Utterance] = []
    problems: list[str] = []
    places: dict[str, str] = {}
    for utterance in found:
        if limit is not None and len(utterances) + len(problems) == limit * trials:
            break
        if isinstance(utterance, Missing):
            raise utterance
        if isinstance(utterance, UserError):
            problems.append(str(utterance))
            continue
        try:
            if safe_id(utterance.id) in places:
                first = places[utterance.id]
                raise UserError(f"the id {utterance.id!r} is that of {first} too: give each its own")
            check_text(utterance.text)
            language(utterance.language)
            if data is not None:
                _check_recordings(utterance, data)
        except UserError as error:
            problems.append(f"{utterance.where}: {error}")
            continue
        places[utterance.id] = utterance.where
        utterances.append(utterance)
    refuse(problems)
    return utterances


def _check_recordings(utterance: Utterance, data: Path) -> None:
    """Raises UserError for a prompt that is not there, or that lies outside of the folder of the data."""
    if not utterance.prompt_text.strip():
        raise UserError("there is no prompt text: give the words that are said in the prompt")
    for path, role in ((utterance.prompt_audio, "prompt audio"), (utterance.truth, "ground truth")):
        if path is None:
            continue
        if not Path(os.path.abspath(path)).is_relative_to(os.path.abspath(data)):
            raise UserError(f"{role} {shown(path)} lies outside of --data {shown(data)}: put it there")
        regular_file(path, role)
