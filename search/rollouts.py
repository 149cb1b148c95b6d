"""Rollouts carry out what strategies ask for. Here: generator, codec and verifiers in this process."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any, Protocol, Self, TypeVar

from llasa_core.audio import SAMPLE_RATE, Waveform
from llasa_core.codec import CODES_PER_SECOND, Codec
from llasa_core.decoding import Generator, Prompt
from llasa_core.prompt import build_prompt
from llasa_core.request import Request
from search.decoder import Decoder, Root
from search.flops import Meter, generator_flops
from search.ledger import Ledger
from search.preflight import spoken_text
from search.strategy import Ask, Beam, Beams, Branch, Extend, Measure, Start, branched_beams
from verifiers.base import Score, Target, Verifier, needs

T = TypeVar("T")
CONTEXT_CODES = 100
"""The tail of the voice prompt that is decoded in front of a candidate and cut off again: 2 s."""

Progress = Callable[[str, int, int], None]
"""Called as (stage, done, total); the stages are "generate" (finished candidates), "decode", "score NAME"."""


def no_progress(stage: str, done: int, total: int) -> None:
    """Reports nothing."""


class Rollout(Protocol):
    """Carries out the asks of one request, one after the other."""

    ledger: Ledger

    @property
    def longest(self) -> int:
        """Tokens that a candidate may have at most."""
        ...

    def flops_of(self, n_tokens: int) -> float:
        """Operations of the generator for so many tokens of one candidate."""
        ...

    def answer(self, ask: Ask, until: float = math.inf) -> Future[Any]:
        """The answer that the docstring of the ask promises. ``until``: as for `Decoder.extend`."""
        ...

    def judge(self, beams: Beams, verifier: Verifier) -> Future[list[Score]]:
        """Scores that no strategy sees: those of a held-out judge."""
        ...

    def waveforms(self, beams: Beams) -> Future[list[Waveform]]:
        """float32 [samples] each, mono 16 kHz."""
        ...


class Rollouts(Protocol):
    """Whoever owns the models."""

    def open(self, request: Request, progress: Progress = no_progress) -> Rollout:
        """Raises UserError or VerifierError for a request that cannot be spoken or judged here."""
        ...

    def wait(self, futures: Collection[Future[Any]]) -> None:
        """Until at least one of them is done."""
        ...

    def decode(self, request: Request, codes: Sequence[Sequence[int]]) -> list[Waveform]:
        """How rows of codes sound in the voice of the request: float32 [320 * codes] each."""
        ...

    def close(self) -> None:
        """Stop what is under way."""
        ...


class LocalRollouts:
    """The models, in this process.

    On a GPU one thread runs the generator for all requests and another the codec and the verifiers, so that the one
    works while the other does. On a CPU everything runs in the thread that waits, one thing after the other: all of it
    uses all cores, and several threads that do so get in each other's way.
    """

    def __init__(self, generator: Generator, codec: Codec, verifiers: Mapping[str, Verifier]) -> None:
        self.generator = generator
        self.codec = codec
        self.verifiers = dict(verifiers)
        self.meter = Meter()
        self.threaded = generator.device.type != "cpu"
        self._voices: dict[bytes, list[int]] = {}
        self._decoder: Decoder | None = None
        self._listener: ThreadPoolExecutor | None = None

    @property
    def decoder(self) -> Decoder:
        if self._decoder is None:
            self._decoder = Decoder(self.generator, threaded=self.threaded)
        return self._decoder

    def listen(self, work: Callable[[], T]) -> Future[T]:
        """Work of codec and verifiers, one call after the other."""
        if not self.threaded:
            return self.decoder.call(work)
        if self._listener is None:
            self._listener = ThreadPoolExecutor(1, thread_name_prefix="listener")
        return self._listener.submit(work)

    def wait(self, futures: Collection[Future[Any]]) -> None:
        while not any(future.done() for future in futures):
            if self.threaded:
                wait(futures, return_when=FIRST_COMPLETED)
            elif not self.decoder.step():
                raise RuntimeError("waiting for what nobody works on")

    def open(self, request: Request, progress: Progress = no_progress) -> LocalRollout:
        return LocalRollout(self, request, progress)

    def decode(self, request: Request, codes: Sequence[Sequence[int]]) -> list[Waveform]:
        voice = [] if request.prompt_audio is None else self.voice_codes(request.prompt_audio, Ledger())
        return self.codec.decode(codes, context=voice[-CONTEXT_CODES:])

    def close(self) -> None:
        """Drops what is under way; the next request begins anew."""
        if self._listener is not None:
            self._listener.shutdown(cancel_futures=True)
        if self._decoder is not None:
            self._decoder.close()
        self._listener = self._decoder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def voice_codes(self, waveform: Waveform, ledger: Ledger) -> list[int]:
        """Codes of a voice prompt, encoded once however many requests use it."""
        key = hashlib.blake2b(waveform.tobytes(), digest_size=16).digest()
        if key not in self._voices:
            with ledger.timed("codec"):
                self._voices[key] = self.codec.encode(waveform)
            ledger.seconds_encoded += len(waveform) / SAMPLE_RATE
        return self._voices[key]


class LocalRollout:
    """One request's prompt, decoded audio and ledger."""

    def __init__(self, models: LocalRollouts, request: Request, progress: Progress) -> None:
        self.models = models
        self.request = request
        self.spoken_text = spoken_text(request)
        self.ledger = Ledger()
        self._progress = progress
        self._root: Root | None = None
        self._waveforms: dict[tuple[int, ...], Waveform] = {}
        prepared = models.listen(self._prepare)
        models.wait((prepared,))
        self._voice, self._target = prepared.result()

    def _prepare(self) -> tuple[list[int], Target]:
        """The voice's codes, and a target that every verifier can judge against."""
        request, models = self.request, self.models
        audio = request.prompt_audio
        voice = [] if audio is None else models.voice_codes(audio, self.ledger)
        target = Target(
            self.spoken_text,
            request.language,
            audio,
            emotion=request.emotion,
            emotion_reference=request.emotion_audio,
        )
        if audio is not None and any("resynthesis" in needs(v) for v in models.verifiers.values()):
            target = self._said_again(target, voice)
        for verifier in models.verifiers.values():
            # what cannot be judged against is refused before anything is spoken
            verifier.score([], target)
        return voice, target

    def _said_again(self, target: Target, voice: list[int]) -> Target:
        """The target with the voice prompt as the codec says it again."""
        assert target.reference is not None
        with self.ledger.timed("codec"):
            again = self.models.codec.decode([voice])[0]
        self.ledger.seconds_decoded += len(again) / SAMPLE_RATE
        # the last code stands for padding in part
        return replace(target, resynthesis=again[: len(target.reference)])

    @property
    def longest(self) -> int:
        return self.models.generator.max_tokens if self._root is None else self._root.batch.longest[0]

    def flops_of(self, n_tokens: int) -> float:
        return generator_flops(self.models.generator.network, 0, n_tokens)

    def answer(self, ask: Ask, until: float = math.inf) -> Future[Any]:
        match ask:
            case Start():
                return self._start()
            case Branch():
                return _done(branched_beams(ask))
            case Extend(beams, n_tokens):
                if self._root is None:
                    raise LookupError("the first ask of a strategy has to be Start")
                watch = lambda done, total: self._progress("generate", done, total)
                return self.models.decoder.extend(self._root, beams, n_tokens, watch, until)
            case Measure(beams, name, partial):
                verifier = self.models.verifiers[name]
                return self.models.listen(
                    lambda: tuple(self._score(beams, verifier, partial, held_out=False))
                )

    def judge(self, beams: Beams, verifier: Verifier) -> Future[list[Score]]:
        return self.models.listen(lambda: self._score(beams, verifier, False, held_out=True))

    def waveforms(self, beams: Beams) -> Future[list[Waveform]]:
        return self.models.listen(lambda: self._decode(beams))

    def _start(self) -> Future[Beam]:
        tokenizer = self.models.generator.tokenizer
        ids = build_prompt(tokenizer, self.spoken_text, self.request.prompt_text, self._voice)
        prefilled = self.models.decoder.prefill(Prompt(ids, self.request.id, self.request.seed), self.ledger)
        answer: Future[Beam] = Future()

        def started(found: Future[Root]) -> None:
            if error := found.exception():
                answer.set_exception(error)
            else:
                self._root = found.result()
                answer.set_result(Beam((), ()))

        prefilled.add_done_callback(started)
        return answer

    def _score(self, beams: Beams, verifier: Verifier, partial: bool, *, held_out: bool) -> list[Score]:
        """One score for each beam; those of the same tokens are heard once."""
        role, name = ("judge", verifier.spec) if held_out else ("verifier", verifier.name)
        distinct = {beam.tokens: beam for beam in beams}
        waveforms = self._decode(tuple(distinct.values()))
        target = self._target
        if target.reference is not None and target.resynthesis is None and "resynthesis" in needs(verifier):
            target = self._target = self._said_again(target, self._voice)
        self._progress(f"score {name}", 0, len(beams))
        with self.ledger.timed(f"{role} {name}"):
            seconds = sum(map(len, waveforms)) / SAMPLE_RATE
            found, flops = self.models.meter.of(
                verifier.spec, seconds, lambda: verifier.score(waveforms, target, partial)
            )
        scores = dict(zip(distinct, found, strict=True))
        self.ledger.add_flops(f"{role} {name}", flops)
        self._progress(f"score {name}", len(beams), len(beams))
        heard = self.ledger.seconds_judged if held_out else self.ledger.seconds_scored
        heard[name] = heard.get(name, 0.0) + seconds
        return [scores[beam.tokens] for beam in beams]

    def _decode(self, beams: Sequence[Beam]) -> list[Waveform]:
        """Tokens are decoded once, however many beams have them and however many verifiers listen."""
        missing = [
            tokens for tokens in dict.fromkeys(b.tokens for b in beams) if tokens not in self._waveforms
        ]
        if missing:
            self._progress("decode", 0, len(missing))
            with self.ledger.timed("codec"):
                context = self._voice[-CONTEXT_CODES:]
                seconds = sum(len(tokens) + len(context) for tokens in missing) / CODES_PER_SECOND
                decoded, flops = self.models.meter.of(
                    "codec", seconds, lambda: self.models.codec.decode([list(t) for t in missing], context)
                )
            self.ledger.add_flops("codec", flops)
            self._waveforms.update(zip(missing, decoded, strict=True))
            self.ledger.seconds_decoded += sum(map(len, decoded)) / SAMPLE_RATE
            self._progress("decode", len(missing), len(missing))
        return [self._waveforms[beam.tokens] for beam in beams]


def _done(value: Any) -> Future[Any]:
    answer: Future[Any] = Future()
    answer.set_result(value)
    return answer
