"""Rollouts carry out what strategies ask for. Here: generator, codec and verifiers in this process."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from llasa_core.audio import SAMPLE_RATE, Waveform
from llasa_core.batch import Batch
from llasa_core.codec import Codec
from llasa_core.decoding import Generator, Prompt
from llasa_core.prompt import build_prompt
from llasa_core.request import Request
from search.ledger import Ledger
from search.preflight import spoken_text
from search.strategy import Ask, Beam, Beams, Branch, Extend, Measure, Start
from verifiers.base import Score, Target, Verifier, needs

CONTEXT_CODES = 100
"""The tail of the voice prompt that is decoded in front of a candidate and cut off again: 2 s."""

Progress = Callable[[str, int, int], None]
"""Called as (stage, done, total); the stages are "generate" (finished candidates), "decode", "score NAME"."""


def no_progress(stage: str, done: int, total: int) -> None:
    """Reports nothing."""


class Rollout(Protocol):
    """Carries out the asks of one request."""

    ledger: Ledger

    def answer(self, ask: Ask) -> Any:
        """The answer that the docstring of the ask promises."""
        ...

    def score(self, beams: Beams, verifier: Verifier, *, partial: bool = False) -> list[Score]:
        """Scores that no strategy sees: those of a held-out judge."""
        ...

    def waveform(self, beam: Beam) -> Waveform:
        """float32 [samples], mono 16 kHz."""
        ...


class Rollouts(Protocol):
    """Whoever owns the models."""

    def open(self, request: Request, progress: Progress = no_progress) -> Rollout: ...


class LocalRollouts:
    """The models, in this process. Not safe for concurrent calls."""

    def __init__(self, generator: Generator, codec: Codec, verifiers: Mapping[str, Verifier]) -> None:
        self.generator = generator
        self.codec = codec
        self.verifiers = dict(verifiers)
        self._voices: dict[bytes, list[int]] = {}

    def open(self, request: Request, progress: Progress = no_progress) -> "LocalRollout":
        return LocalRollout(self, request, progress)

    def voice_codes(self, waveform: Waveform, ledger: Ledger) -> list[int]:
        """Codes of a voice prompt, encoded once however many requests use it."""
        key = hashlib.blake2b(waveform.tobytes(), digest_size=16).digest()
        if key not in self._voices:
            with ledger.timed("codec"):
                self._voices[key] = self.codec.encode(waveform)
            ledger.seconds_encoded += len(waveform) / SAMPLE_RATE
        return self._voices[key]


class LocalRollout:
    """One request's keys and values, decoded audio and ledger.

    Raises VerifierError if a verifier cannot judge against the request (an emotion that it does not know, say).
    """

    def __init__(self, models: LocalRollouts, request: Request, progress: Progress) -> None:
        self.models = models
        self.request = request
        self.spoken_text = spoken_text(request)
        self.ledger = Ledger()
        self._progress = progress
        self._voice: list[int] = []
        if request.prompt_audio is not None:
            self._voice = models.voice_codes(request.prompt_audio, self.ledger)
        self._target = Target(
            self.spoken_text,
            request.language,
            request.prompt_audio,
            emotion=request.emotion,
            emotion_reference=request.emotion_audio,
        )
        for verifier in models.verifiers.values():
            verifier.score(
                [], self._target
            )  # what cannot be judged against is refused before anything is spoken
        self._batch: Batch | None = None
        self._waveforms: dict[Beam, Waveform] = {}

    def answer(self, ask: Ask) -> Any:
        match ask:
            case Start():
                return self._start()
            case Branch(beams, copies):
                rows = [row for row in self._rows(beams) for _ in range(copies)]
                with self.ledger.timed("generator"):
                    self._batch = self._live().fork(rows)
                return self._beams()
            case Extend(beams, n_tokens):
                return self._extend(beams, n_tokens)
            case Measure(beams, verifier, partial):
                return tuple(self._score(beams, self.models.verifiers[verifier], partial, held_out=False))

    def score(self, beams: Beams, verifier: Verifier, *, partial: bool = False) -> list[Score]:
        return self._score(beams, verifier, partial, held_out=True)

    def _score(self, beams: Beams, verifier: Verifier, partial: bool, *, held_out: bool) -> list[Score]:
        role, name = ("judge", verifier.spec) if held_out else ("verifier", verifier.name)
        waveforms = self._decode(beams)
        target = self._target_of(verifier)
        self._progress(f"score {name}", 0, len(beams))
        with self.ledger.timed(f"{role} {name}"):
            scores = verifier.score(waveforms, target, partial)
        self._progress(f"score {name}", len(beams), len(beams))
        seconds = self.ledger.seconds_judged if held_out else self.ledger.seconds_scored
        seconds[name] = seconds.get(name, 0.0) + sum(map(len, waveforms)) / SAMPLE_RATE
        return scores

    def waveform(self, beam: Beam) -> Waveform:
        return self._decode((beam,))[0]

    def _target_of(self, verifier: Verifier) -> Target:
        """The target, with the voice prompt as the codec says it again once a verifier compares with that."""
        audio = self.request.prompt_audio
        if audio is not None and self._target.resynthesis is None and "resynthesis" in needs(verifier):
            with self.ledger.timed("codec"):
                again = self.models.codec.decode([self._voice])[0]
            self.ledger.seconds_decoded += len(again) / SAMPLE_RATE
            # The last code stands for padding in part.
            self._target = replace(self._target, resynthesis=again[: len(audio)])
        return self._target

    def _start(self) -> Beam:
        ids = build_prompt(
            self.models.generator.tokenizer, self.spoken_text, self.request.prompt_text, self._voice
        )
        with self.ledger.timed("generator"):
            self._batch = self.models.generator.prefill([Prompt(ids, self.request.id, self.request.seed)])
        self.ledger.tokens_prefilled += self._batch.tokens_computed
        return self._beams()[0]

    def _extend(self, beams: Beams, n_tokens: int | None) -> Beams:
        rows = self._rows(beams)
        batch = self._live()
        with self.ledger.timed("generator"):
            if rows != list(range(len(batch.tokens))):
                batch = self._batch = batch.fork(rows, branches=[0] * len(rows))
            before, computed = sum(map(len, batch.tokens)), batch.tokens_computed
            limit = self.models.generator.max_tokens if n_tokens is None else n_tokens
            batch.extend(limit, lambda: self._progress("generate", sum(batch.finished), len(rows)))
        self.ledger.tokens_generated += sum(map(len, batch.tokens)) - before
        self.ledger.tokens_reprefilled += batch.tokens_computed - computed
        return self._beams()

    def _decode(self, beams: Sequence[Beam]) -> list[Waveform]:
        """Each beam is decoded once, however many verifiers listen to it."""
        missing = [beam for beam in dict.fromkeys(beams) if beam not in self._waveforms]
        if missing:
            self._progress("decode", 0, len(missing))
            with self.ledger.timed("codec"):
                decoded = self.models.codec.decode(
                    [list(beam.tokens) for beam in missing], context=self._voice[-CONTEXT_CODES:]
                )
            self._waveforms.update(zip(missing, decoded, strict=True))
            self.ledger.seconds_decoded += sum(map(len, decoded)) / SAMPLE_RATE
            self._progress("decode", len(missing), len(missing))
        return [self._waveforms[beam] for beam in beams]

    def _live(self) -> Batch:
        if self._batch is None:
            raise LookupError("the first ask of a strategy has to be Start")
        return self._batch

    def _beams(self) -> Beams:
        batch = self._live()
        rows = zip(batch.lineages, batch.tokens, batch.finished, batch.ended, strict=True)
        return tuple(
            Beam(lineage, tuple(tokens), finished, cut_off=finished and not ended)
            for lineage, tokens, finished, ended in rows
        )

    def _rows(self, beams: Beams) -> list[int]:
        """Where the beams stand in the batch. Raises LookupError for a beam that was let go."""
        rows = {(beam.lineage, len(beam.tokens)): row for row, beam in enumerate(self._beams())}
        try:
            return [rows[beam.lineage, len(beam.tokens)] for beam in beams]
        except KeyError as error:
            raise LookupError(f"no live beam with lineage and length {error}: it was let go before") from None
