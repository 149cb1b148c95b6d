"""When each word of a take is said, by Whisper's attention to the known text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as PydanticField

from experiments.documents import Schema, checked
from experiments.files import Log, read_log
from experiments.narration.production.trimming import LEAD, TAIL, edges, levels, noise
from experiments.narration.production.words import Timed, spread, tokens
from llasa_core.audio import SAMPLE_RATE, Waveform
from llasa_core.errors import UserError
from llasa_core.text import base_language
from verifiers.errors import VerifierError

PROPORTIONAL = "proportional"
AUTO = "auto"
POSITIONS = 50
"""Of the encoder, a second."""
TIMINGS = "timings.jsonl"
PREFERRED = ("base", "small", "medium", "turbo", "large-v3", "tiny")
ENGLISH = ("base", "base.en", "small.en", "small", "tiny.en")
"""Whisper models that are looked for, the best first: tiny.en is some 0.1 s late (`exactness`)."""
MARGIN = 2.0
"""Seconds behind a take that the encoder sees. It sees no more, which saves most of its time: the times are
those of its whole window of 30 s (`exactness`)."""
BELOW_LOUDEST, ABOVE_NOISE = 35.0, 10.0
"""dB. A frame of 10 ms that is within these of the loudest one and of the noise may be a part of a word."""


class Aligner(Protocol):
    """Finds when the words of a known text are said."""

    @property
    def name(self) -> str:
        """What captions were made by: `whisper:tiny.en`, or PROPORTIONAL."""
        ...

    def align(self, waveform: Waveform, spoken: str, language: str) -> list[Timed]:
        """The tokens of the spoken text, in seconds of the waveform (float32 [samples], mono 16 kHz)."""
        ...


class Proportional:
    """Words share the sound by their letters. It knows nothing of pauses within the text."""

    name = PROPORTIONAL

    def align(self, waveform: Waveform, spoken: str, language: str) -> list[Timed]:
        begins, ends = sound_of(waveform)
        return spread(tokens(spoken), begins, ends)


class WhisperAligner:
    """The cross-attention of Whisper's alignment heads, warped onto the tokens of the text (openai-whisper,
    `timing.find_alignment`); words are then kept within the sound, and do not begin in silence."""

    def __init__(self, source: str, device: str = "cpu") -> None:
        """source: as the verifier `whisper:SOURCE` has it. Raises VerifierError if it is not to be had."""
        import whisper

        from verifiers.models import whisper_model

        self.name = f"whisper:{source}"
        self._model: Any = whisper_model.load(whisper_model.find(source), device)
        heads = whisper._ALIGNMENT_HEADS.get(source)
        if heads is not None:
            self._model.set_alignment_heads(heads)

    def align(self, waveform: Waveform, spoken: str, language: str) -> list[Timed]:
        found = tokens(spoken)
        begins, ends = sound_of(waveform)
        letters = self._letters(waveform, spoken, base_language(language))
        timed: list[Timed] = []
        place = 0
        for token in found:
            own = [times for times in letters[place : place + len(token)] if times is not None]
            place += len(token)
            start = own[0][0] if own else timed[-1].ends if timed else begins
            stop = own[-1][1] if own else start
            timed.append(Timed(token, start, stop))
        return _kept_in_sound(timed, waveform, begins, ends)

    def _letters(self, waveform: Waveform, spoken: str, language: str) -> list[tuple[float, float] | None]:
        """Times of each character of the text that is no white space."""
        from whisper.audio import log_mel_spectrogram, pad_or_trim
        from whisper.timing import find_alignment
        from whisper.tokenizer import get_tokenizer

        from verifiers.models import whisper_model

        seconds = len(waveform) / SAMPLE_RATE + MARGIN
        positions = min(self._model.dims.n_audio_ctx, math.ceil(seconds * POSITIONS))
        model = whisper_model.cut(self._model, positions)
        tokenizer = get_tokenizer(
            model.is_multilingual, num_languages=model.num_languages, language=language, task="transcribe"
        )
        window = positions * SAMPLE_RATE // POSITIONS
        mel = log_mel_spectrogram(pad_or_trim(waveform, window), model.dims.n_mels, device=model.device)
        rows = tokenizer.encode(f" {spoken.strip()}", disallowed_special=())
        room = model.dims.n_text_ctx - len(tokenizer.sot_sequence) - 2
        frames = min(len(waveform), window) * 100 // SAMPLE_RATE
        found = find_alignment(model, tokenizer, rows[:room], mel, frames)
        letters: list[tuple[float, float] | None] = []
        for word in found:
            letters += [(float(word.start), float(word.end))] * len("".join(word.word.split()))
        wanted = len("".join(spoken.split()))
        return (letters + [None] * wanted)[:wanted]


def _kept_in_sound(timed: Sequence[Timed], waveform: Waveform, begins: float, ends: float) -> list[Timed]:
    """Whisper gives the silence before a word to the word, or to the word before: it is taken from both."""
    loud = _loud(waveform)
    found: list[Timed] = []
    before = begins
    for one in timed:
        start = min(max(one.begins, before), ends)
        stop = min(max(one.ends, start), ends)
        first, last = round(100 * start), max(round(100 * stop), round(100 * start) + 1)
        inside = np.flatnonzero(loud[first:last])
        if len(inside):
            start, stop = max(start, (first + int(inside[0])) / 100), (first + int(inside[-1]) + 1) / 100
        found.append(Timed(one.text, round(start, 3), round(max(stop, start), 3)))
        before = found[-1].ends
    return found


def _loud(waveform: Waveform) -> NDArray[np.bool_]:
    """Whether each frame of 10 ms has sound."""
    found = levels(waveform)
    if not len(found):
        return np.zeros(0, bool)
    loudest = float(found.max())
    return np.asarray(found > max(loudest - BELOW_LOUDEST, min(noise(found)[0] + ABOVE_NOISE, loudest - 15)))


def sound_of(waveform: Waveform) -> tuple[float, float]:
    """Seconds at which the sound begins and ends."""
    found = edges(waveform)
    begins = max(0.0, found.begins / SAMPLE_RATE + LEAD)
    return begins, max(begins, min(len(waveform), found.ends - TAIL * SAMPLE_RATE) / SAMPLE_RATE)


class _Word(Schema):
    text: str
    begins: float
    ends: float


class Timing(Schema):
    """A line of TIMINGS: the words of a take, by the hash of its audio, what is said, and the aligner."""

    version: Literal[1] = PydanticField(alias="schema")
    audio: str
    spoken: str
    by: str
    words: list[_Word]

    @property
    def key(self) -> tuple[str, str, str]:
        return self.audio, self.spoken, self.by


class Timings:
    """The word times of the takes of a folder, which are found once and kept in TIMINGS."""

    def __init__(self, folder: Path, aligner: Aligner) -> None:
        self._file, self._aligner = folder / TIMINGS, aligner
        lines = read_log(self._file, "the word times") if self._file.exists() else ()
        known = [checked(Timing, line, place) for place, line in lines]
        self._known = {one.key: one for one in known}

    @property
    def by(self) -> str:
        return self._aligner.name

    def of(self, audio_sha256: str, spoken: str, language: str, read: Callable[[], Waveform]) -> list[Timed]:
        """The words of a take. read: its audio, which is asked for only if they are not known yet."""
        found = self._known.get((audio_sha256, spoken, self.by))
        if found is None:
            timed = self._aligner.align(read(), spoken, language)
            words = [
                {"text": one.text, "begins": round(one.begins, 3), "ends": round(one.ends, 3)}
                for one in timed
            ]
            line = {"audio": audio_sha256, "spoken": spoken, "by": self.by, "words": words}
            with Log(self._file) as log:
                log.append(line)
            found = Timing.model_validate({"schema": 1, **line})
            self._known[found.key] = found
        return [Timed(word.text, word.begins, word.ends) for word in found.words]


def check_aligner(name: str) -> None:
    """Raises UserError for a name that `make_aligner` does not know."""
    kind, _, source = name.partition(":")
    if name not in (AUTO, PROPORTIONAL) and (kind != "whisper" or not source):
        raise UserError(
            f"--aligner {name[:40]!r}: give whisper:MODEL, such as whisper:tiny.en, proportional, or auto"
        )


def make_aligner(name: str, language: str, device: str = "cpu") -> Aligner:
    """`auto`, `proportional`, or `whisper:SOURCE`. auto: the first Whisper model for the language that is
    installed, and PROPORTIONAL where none is.

    Raises UserError for another name, and a model that is not to be had.
    """
    if name == PROPORTIONAL:
        return Proportional()
    check_aligner(name)
    source = name.partition(":")[2]
    if source.endswith(".en") and base_language(language) != "en":
        raise UserError(f"--aligner {name} knows English alone, and the book is in {language}: give another")
    try:
        if name != AUTO:
            return WhisperAligner(source, device)
        wanted = ENGLISH if base_language(language) == "en" else ()
        there = [one for one in (*wanted, *PREFERRED) if _installed(one)]
        return WhisperAligner(there[0], device) if there else Proportional()
    except VerifierError as error:
        raise UserError(f"--aligner {name}: {error}") from None


def _installed(source: str) -> bool:
    """Whether a released model is on this machine, so that nothing is fetched for it."""
    from verifiers.models.whisper_ct2 import WHEELS
    from verifiers.models.whisper_model import cache_file

    wheel = WHEELS.get(source)
    return cache_file(source).is_file() or (wheel is not None and wheel.installed)
