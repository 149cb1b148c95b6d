"""The backend whose models are in this process."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, TypeVar, cast

from llasa_core.audio import SAMPLE_RATE, Waveform
from llasa_core.codec.codec import Codec
from llasa_core.codec.features import HOP
from llasa_core.device import device_failed
from llasa_core.lm.prefix import Prefix
from llasa_core.lm.runner import ModelRunner
from llasa_core.lm.sequence import Prompt
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.lm.warm_up import warm_up
from llasa_core.request import Request
from search.asks import Ask, Beam, Beams, Branch, Extend, Measure, Start, branched_beams
from search.backends.base import IN_FLIGHT, Progress, no_progress
from search.backends.device import DeviceLost, use_own_stream
from search.backends.futures import answered, then, wait_for_any
from search.backends.likelihood import RequestLikelihood, prompt_ids
from search.backends.scheduler import Root, Scheduler
from search.cost.flops import GeneratorCost, Meter
from search.cost.ledger import Ledger
from search.emotion import emotion_of
from verifiers.base import TOKENS, Score, Target, TokenVerifier, Verifier

T = TypeVar("T")
Executor = Literal["inline", "one-thread", "two-threads"]
"""Where the models run. "inline": in the thread that waits for an answer. "one-thread": all of them in one
thread, so that several threads may wait. "two-threads": the generator in one thread, the codec and the
verifiers in another."""
CONTEXT_CODES = 100
"""Codes of the end of the voice prompt that are decoded in front of a candidate and cut off again: 2 s."""


class LocalBackend:
    """The models, in this process. `verifiers` by name search; `judges` score at the end, and no strategy
    sees them.

    By default a GPU has two threads, so that the generator works while the codec and the verifiers do, and
    a CPU runs everything inline: each model uses all cores, and models that do so at the same time slow
    each other down. Without a generator, beams can be decoded and scored but not extended.
    """

    def __init__(
        self,
        generator: SpeechLM | None,
        codec: Codec,
        verifiers: Mapping[str, Verifier],
        judges: Iterable[Verifier] = (),
        *,
        executor: Executor | None = None,
    ) -> None:
        self._generator = generator
        self._runner = None if generator is None else ModelRunner(generator)
        self.codec = codec
        self.verifiers = dict(verifiers)
        self.held_out = {judge.spec: judge for judge in judges}
        self.meter = Meter()
        if generator is None:
            executor = "two-threads"
        elif executor is None:
            executor = "inline" if generator.device.type == "cpu" else "two-threads"
        self.executor: Executor = executor
        self._lock = threading.Lock()
        self._voices: dict[bytes, list[int]] = {}
        self._scheduler: Scheduler | None = None
        self._scorer: ThreadPoolExecutor | None = None

    @property
    def generator(self) -> SpeechLM:
        if self._generator is None:
            raise LookupError("there is no generator in this process")
        return self._generator

    @property
    def generates(self) -> bool:
        """Whether there is a generator."""
        return self._generator is not None

    @property
    def runner(self) -> ModelRunner:
        if self._runner is None:
            raise LookupError("there is no generator in this process")
        return self._runner

    def warm_up(self) -> None:
        """As `llasa_core.lm.warm_up`."""
        if self._runner is not None:
            warm_up(self._runner)

    @property
    def scheduler(self) -> Scheduler:
        with self._lock:
            if self._scheduler is None:
                self._scheduler = Scheduler(self.runner, threaded=self.executor != "inline")
            return self._scheduler

    @property
    def judges(self) -> Sequence[str]:
        return tuple(self.held_out)

    @property
    def directions(self) -> Mapping[str, bool]:
        return {name: one.higher_is_better for name, one in {**self.verifiers, **self.held_out}.items()}

    @property
    def in_flight(self) -> int:
        return IN_FLIGHT

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Runs work of the codec and the verifiers, one call after the other in the order of the calls."""
        if self.executor != "two-threads":
            return self.scheduler.call(work)
        with self._lock:
            if self._scorer is None:
                self._scorer = ThreadPoolExecutor(1, "scorer", use_own_stream, (self.codec.device,))
            return self._scorer.submit(work)

    def wait(self, futures: Collection[Future[Any]]) -> None:
        """Raises DeviceLost if an answer is that the device has failed: all that follow would be the same."""
        if self.executor != "inline":
            wait_for_any(futures)
        else:
            while not any(future.done() for future in futures):
                if not self.scheduler.step():
                    raise RuntimeError("none of these answers is being worked on")
        device = str(self.codec.device)
        for future in futures:
            error = future.exception() if future.done() and not future.cancelled() else None
            if error is not None and device_failed(error, device):
                raise DeviceLost(device, error) from error

    def open(self, request: Request, progress: Progress = no_progress) -> LocalSession:
        return LocalSession(self, request, progress)

    def decode(self, request: Request, codes: Sequence[Sequence[int]]) -> list[Waveform]:
        voice = [] if request.prompt_audio is None else self.encode_voice(request.prompt_audio, Ledger())
        return self.codec.decode(codes, context=voice[-CONTEXT_CODES:])

    def hear_prompt(self, request: Request) -> Mapping[str, str]:
        audio, text = request.prompt_audio, request.prompt_text
        if audio is None:
            return {}
        target = Target(request.spoken_prompt.spoken, request.language, written=text)
        return {
            verifier.spec: str(verifier.score([audio], target)[0].evidence.get("transcript", ""))
            for verifier in self.verifiers.values()
            if tuple(verifier.needs) == ("text",)
        }

    def drop(self) -> None:
        with self._lock:
            scorer, scheduler = self._scorer, self._scheduler
            self._scorer = self._scheduler = None
        if scorer is not None:
            scorer.shutdown(cancel_futures=True)
        if scheduler is not None:
            scheduler.close()
            self.runner.forget()

    def close(self) -> None:
        self.drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def encode_voice(self, waveform: Waveform, ledger: Ledger) -> list[int]:
        """Codes of a voice prompt, which is encoded once however many requests use it."""
        key = hashlib.blake2b(waveform.tobytes(), digest_size=16).digest()
        if key not in self._voices:
            with ledger.timed("codec"):
                self._voices[key] = self.codec.encode(waveform)
            ledger.seconds_encoded += len(waveform) / SAMPLE_RATE
        return self._voices[key]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What all answers of a request need: the codes of its voice prompt, and what its beams are scored
    against."""

    voice: list[int]
    target: Target


class LocalSession:
    """One request's prompt, decoded audio and ledger.

    The request is prepared behind whatever else the codec and the verifiers have to do; all answers come
    after that, and are its error if it fails.
    """

    def __init__(self, backend: LocalBackend, request: Request, progress: Progress) -> None:
        self.backend = backend
        self.request = request
        self.ledger = Ledger()
        self._progress = progress
        # the session ends with the scheduler: what is dropped is not begun again by the next one
        self._scheduler = backend.scheduler if backend.generates else None
        self._root: Root | None = None
        self._waveforms: dict[tuple[int, ...], Waveform] = {}
        self._ended: set[tuple[int, ...]] = set()
        self._resynthesis: Waveform | None = None
        self._likelihood: RequestLikelihood | None = None
        self._prepared = backend.submit(self._prepare)

    def _prepare(self) -> Prepared:
        """Raises what a verifier raises that cannot score against the target."""
        request, backend = self.request, self.backend
        audio = request.prompt_audio
        voice = [] if audio is None else backend.encode_voice(audio, self.ledger)
        prepared = Prepared(
            voice,
            Target(
                request.spoken.spoken,
                request.language,
                audio,
                emotion_reference=request.emotion_audio,
                written=request.text,
                neutral=request.neutral_audio,
                **emotion_of(request.wanted),
            ),
        )
        for verifier in backend.verifiers.values():
            verifier.score([], self._target(prepared, verifier))
        return prepared

    def _target(self, prepared: Prepared, verifier: Verifier) -> Target:
        """With the voice prompt as the codec reproduces it, if the verifier compares with that (SIM-r)."""
        reference = prepared.target.reference
        if reference is None or "resynthesis" not in verifier.needs:
            return prepared.target
        if self._resynthesis is None:
            with self.ledger.timed("codec"):
                decoded = self.backend.codec.decode([prepared.voice])[0]
            self.ledger.seconds_decoded += len(decoded) / SAMPLE_RATE
            self._resynthesis = decoded[: len(reference)]  # the last code may stand for padding in part
        return replace(prepared.target, resynthesis=self._resynthesis)

    @property
    def longest(self) -> int:
        return self.backend.generator.max_tokens if self._root is None else self._root.longest

    def flops_of(self, n_tokens: int) -> float:
        return GeneratorCost.of(self.backend.generator.network).flops(0, n_tokens)

    def answer(self, ask: Ask, until: float = math.inf) -> Future[Any]:
        match ask:
            case Start():
                return self._start()
            case Branch():
                return answered(branched_beams(ask))
            case Extend(beams, n_tokens):
                if self._root is None:
                    raise LookupError("the first ask of a strategy has to be Start")
                watch = lambda done, total: self._progress("generate", done, total)
                self._forget_beginnings(beams)
                return self._running().extend(self._root, beams, n_tokens, watch, until)
            case Measure(beams, name, partial):
                verifier = self.backend.verifiers[name]
                return self.backend.submit(
                    lambda: tuple(self._score(beams, verifier, partial, held_out=False))
                )

    def judge(self, beams: Beams, spec: str) -> Future[list[Score]]:
        judge = self.backend.held_out[spec]
        return self.backend.submit(lambda: self._score(beams, judge, False, held_out=True))

    def waveforms(self, beams: Beams) -> Future[list[Waveform]]:
        return self.backend.submit(lambda: self._decode(beams))

    def close(self) -> None:
        self._root, self._waveforms, self._ended, self._likelihood = None, {}, set(), None

    def _forget_beginnings(self, beams: Beams) -> None:
        """Of what was decoded, candidates stay, and the beginnings of the beams that are extended now: one
        that ends at once has no other tokens."""
        kept = self._ended | {beam.tokens for beam in beams}
        self._waveforms = {tokens: one for tokens, one in self._waveforms.items() if tokens in kept}

    def _running(self) -> Scheduler:
        """Raises LookupError where there is no generator."""
        return self._scheduler or self.backend.scheduler

    def _start(self) -> Future[Beam]:
        scheduler = self._running()

        def prefill(prepared: Prepared) -> Future[Root]:
            ids = prompt_ids(self.backend.generator, self.request, prepared.voice)
            return scheduler.prefill(Prompt(ids, self.request.id, self.request.seed), self.ledger)

        def started(root: Root) -> Future[Beam]:
            self._root = root
            return answered(Beam((), ()))

        return then(then(self._prepared, prefill), started)

    def _score(self, beams: Beams, verifier: Verifier, partial: bool, *, held_out: bool) -> list[Score]:
        """One score for each beam; beams of the same tokens are scored once."""
        role, name = ("judge", verifier.spec) if held_out else ("verifier", verifier.name)
        target = self._target(self._prepared.result(), verifier)
        distinct = {beam.tokens: beam for beam in beams}
        on_tokens = TOKENS in verifier.needs
        waveforms = [] if on_tokens else self._decode(tuple(distinct.values()))
        self._progress(f"score {name}", 0, len(beams))
        with self.ledger.timed(f"{role} {name}"):
            if on_tokens:
                found, flops = self._score_tokens(
                    list(distinct), cast(TokenVerifier, verifier), target, partial
                )
                seconds = sum(map(len, distinct)) * HOP / SAMPLE_RATE
            else:
                if held_out:
                    verifier.score([], target)  # what is done once for a voice is not counted
                seconds = sum(map(len, waveforms)) / SAMPLE_RATE
                found, flops = self.backend.meter.count(
                    verifier.spec, lambda: verifier.score(waveforms, target, partial)
                )
        scores = dict(zip(distinct, found, strict=True))
        self.ledger.add_flops(f"{role} {name}", flops)
        self._progress(f"score {name}", len(beams), len(beams))
        self.ledger.add_audio(name, len(distinct), seconds, held_out=held_out)
        return [scores[beam.tokens] for beam in beams]

    def _score_tokens(
        self, candidates: Sequence[tuple[int, ...]], verifier: TokenVerifier, target: Target, partial: bool
    ) -> tuple[list[Score], float]:
        """By a verifier of speech tokens: the scores, and the operations of the generator for them."""
        if self._likelihood is None:
            voice = self._prepared.result().voice
            self._likelihood = RequestLikelihood(self.backend.generator, self.request, voice, self._prefix)
        scores = verifier.score_tokens(candidates, target, self._likelihood, partial)
        return scores, self._likelihood.drained_flops()

    def _prefix(self) -> Prefix | None:
        """Keys and values of the prompt, if it has been run."""
        return None if self._root is None else self._root.sequence.prefix

    def _decode(self, beams: Sequence[Beam]) -> list[Waveform]:
        """Tokens are decoded once, however many beams have them and however many verifiers score them."""
        prepared = self._prepared.result()
        self._ended.update(beam.tokens for beam in beams if beam.finished)
        missing = [
            tokens for tokens in dict.fromkeys(b.tokens for b in beams) if tokens not in self._waveforms
        ]
        if missing:
            self._progress("decode", 0, len(missing))
            with self.ledger.timed("codec"):
                context = prepared.voice[-CONTEXT_CODES:]
                decoded, flops = self.backend.meter.count(
                    "codec", lambda: self.backend.codec.decode([list(t) for t in missing], context)
                )
            self.ledger.add_flops("codec", flops)
            self._waveforms.update(zip(missing, decoded, strict=True))
            self.ledger.seconds_decoded += sum(map(len, decoded)) / SAMPLE_RATE
            self._progress("decode", len(missing), len(missing))
        return [self._waveforms[beam.tokens] for beam in beams]
