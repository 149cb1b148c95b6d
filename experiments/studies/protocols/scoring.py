"""Scores of audio files by the ears of a protocol, kept in a log so that none is computed twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.files import Log, file_hash, read_log
from experiments.studies.protocols.ears import Ears
from experiments.studies.protocols.protocol import Utterance
from llasa_core.audio import SAMPLE_RATE, Waveform, read_audio, seconds
from llasa_core.errors import LlasaError, UserError
from search.results.candidate import score_as_dict
from verifiers.base import Target, Verifier
from verifiers.instances import load_shared

if TYPE_CHECKING:
    from search.backends.base import Progress

NAME = "scores.jsonl"
WORDS, SIM, EMOTION = "words", "sim", "emotion"


@dataclass(frozen=True, slots=True)
class Scored:
    """scores: by WORDS, SIM and EMOTION, as `score_as_dict` has them. seconds: of what was generated."""

    utterance: Utterance
    seconds: float
    scores: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Recordings:
    """The file of each utterance. prompt_seconds: of a continuation, whose words are counted in prompt and
    speech together and whose voice is that of the speech alone. complete: whether the files begin with the
    prompt."""

    path: Callable[[Utterance], Path]
    prompt_seconds: float = 0.0
    complete: bool = True

    def read(self, utterance: Utterance) -> tuple[Waveform, Waveform, Waveform]:
        """(what is transcribed, what is compared with the prompt, the prompt): float32 [samples], 16 kHz."""
        speech, prompt = read_audio(self.path(utterance)), read_audio(utterance.prompt_audio)
        if not self.prompt_seconds:
            return speech, speech, prompt
        cut = round(self.prompt_seconds * SAMPLE_RATE)
        prompt = prompt[:cut]
        if self.complete:
            return speech, speech[cut:], prompt
        return np.concatenate([prompt, speech]), speech, prompt


def load_ears(ears: Ears, device: str, first: Utterance, progress: Progress) -> dict[str, Verifier]:
    """By WORDS, SIM and EMOTION. Raises VerifierError, also for a language that the recogniser does not
    know."""
    loaded: dict[str, Verifier] = {}
    wanted = {
        role: spec
        for role, spec in zip((WORDS, SIM, EMOTION), (ears.words, ears.sim, ears.emotion), strict=True)
        if spec
    }
    for role, spec in wanted.items():
        progress("load the ears", len(loaded), len(wanted))
        loaded[role] = load_shared(spec, device)
    progress("load the ears", len(wanted), len(wanted))
    if WORDS in loaded:
        loaded[WORDS].score([], Target(first.text, first.language))
    return loaded


def score(
    utterances: Sequence[Utterance],
    recordings: Recordings,
    ears: Mapping[str, Verifier],
    folder: Path | None,
    progress: Progress,
) -> list[Scored]:
    """In the order of the utterances. folder: where scores are kept; None: nowhere.

    Raises UserError for a prompt that cannot be compared with.
    """
    found: list[Scored] = []
    with ExitStack() as stack:
        kept: dict[str, Any] = {}
        log = None
        if folder is not None:
            log = stack.enter_context(Log(folder / NAME))
            kept = {entry["key"]: entry for _, entry in read_log(folder / NAME, "the scores")}
        for done, utterance in enumerate(utterances):
            progress("score", done, len(utterances))
            keys = {role: _key(utterance, recordings, role, ear) for role, ear in ears.items()}
            if any(key not in kept for key in keys.values()):
                for entry in _score(utterance, recordings, ears, keys):
                    kept[entry["key"]] = entry
                    if log is not None:
                        log.append(entry)
            entries = {role: kept[key] for role, key in keys.items()}
            length = next(iter(entries.values()))["seconds"]
            found.append(Scored(utterance, length, {role: one["score"] for role, one in entries.items()}))
        progress("score", len(utterances), len(utterances))
    return found


def _key(utterance: Utterance, recordings: Recordings, role: str, ear: Verifier) -> str:
    """All that decides a score."""
    audio, prompt = file_hash(recordings.path(utterance)), file_hash(utterance.prompt_audio)
    against = {WORDS: utterance.text, SIM: "", EMOTION: utterance.emotion or ""}[role]
    form = f"{recordings.prompt_seconds:g} {recordings.complete}" if recordings.prompt_seconds else ""
    return f"{utterance.id}\t{ear.spec}\t{audio}\t{prompt}\t{form}\t{against}"


def _score(
    utterance: Utterance, recordings: Recordings, ears: Mapping[str, Verifier], keys: Mapping[str, str]
) -> list[dict[str, Any]]:
    heard, speech, prompt = recordings.read(utterance)
    target = Target(
        utterance.text,
        utterance.language,
        reference=prompt,
        emotion=utterance.emotion,
        emotion_reference=prompt if utterance.emotion else None,
    )
    entries = []
    for role, ear in ears.items():
        try:
            (score,) = ear.score([heard if role == WORDS else speech], target)
        except LlasaError as error:
            raise UserError(f"{utterance.where}: {error}") from None
        length = round(seconds(speech), 4)
        entries.append(
            {"key": keys[role], "id": utterance.id, "seconds": length, "score": score_as_dict(score)}
        )
    return entries
