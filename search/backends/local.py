"""Backend by models in this process."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Self, TypeVar

from llasa_core.audio import SAMPLE_RATE, Waveform
from llasa_core.codec.codec import Codec
from llasa_core.lm.speech_lm import Prompt, SpeechLM
from llasa_core.prompt import build_prompt
from llasa_core.request import Request
from search.asks import Ask, Beam, Beams, Branch, Extend, Measure, Start, branched_beams
from search.backends.base import IN_FLIGHT, Progress, no_progress
from search.backends.scheduler import Root, Scheduler
from search.cost.flops import GeneratorCost, Meter
from search.cost.ledger import Ledger
from search.preflight import spoken_text
from verifiers.base import Score, Target, Verifier

T = TypeVar("T")
CONTEXT_CODES = 100
"""The tail of the voice prompt that is decoded in front of a candidate and cut off again: 2 s."""


class LocalBackend:
    """The models, in this process. `verifiers` by name search; `judges` score at the end, and no strategy sees it.

    On a GPU two threads work: one runs the generator for all requests and another the codec and the verifiers, so that
    the one works while the other does. On a CPU everything runs in the thread that waits, one thing after the other:
    all of it uses all cores, and several threads that do so get in each other's way. With one thread, everything runs
    in that, so that several may wait. Without a generator, beams can be heard but not made.
    """

    def __init__(
        self,
        generator: SpeechLM | None,
        codec: Codec,
        verifiers: Mapping[str, Verifier],
        judges: Iterable[Verifier] = (),
        *,
        threads: int | None = None,
    ) -> None:
        self._generator = generator
        self.codec = codec
        self.verifiers = dict(verifiers)
        self.held_out = {judge.spec: judge for judge in judges}
        self.meter = Meter()
        if generator is None:
            threads = 2
        elif threads is None:
            threads = 0 if generator.device.type == "cpu" else 2
        self.threads = threads
        self._lock = threading.Lock()
        self._voices: dict[bytes, list[int]] = {}
        self._scheduler: Scheduler | None = None
        self._listener: ThreadPoolExecutor | None = None

    @property
    def generator(self) -> SpeechLM:
        if self._generator is None:
            raise LookupError("there is no generator in this process")
        return self._generator

    @property
    def scheduler(self) -> Scheduler:
        with self._lock:
            if self._scheduler is None:
                self._scheduler = Scheduler(self.generator, threaded=self.threads > 0)
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

    def listen(self, work: Callable[[], T]) -> Future[T]:
        """Work of codec and verifiers, one call after the other."""
        if self.threads < 2:
            return self.scheduler.call(work)
        with self._lock:
            if self._listener is None:
                self._listener = ThreadPoolExecutor(1, thread_name_prefix="listener")
            return self._listener.submit(work)

    def wait(self, futures: Collection[Future[Any]]) -> None:
        if self.threads:
            _wait_for_any(futures)
            return
        while not any(future.done() for future in futures):
            if not self.scheduler.step():
                raise RuntimeError("waiting for what nobody works on")

    def open(self, request: Request, progress: Progress = no_progress) -> LocalSession:
        return LocalSession(self, request, progress)

    def decode(self, request: Request, codes: Sequence[Sequence[int]]) -> list[Waveform]:
        voice = [] if request.prompt_audio is None else self.voice_codes(request.prompt_audio, Ledger())
        return self.codec.decode(codes, context=voice[-CONTEXT_CODES:])

    def drop(self) -> None:
        with self._lock:
            listener, scheduler = self._listener, self._scheduler
            self._listener = self._scheduler = None
        if listener is not None:
            listener.shutdown(cancel_futures=True)
        if scheduler is not None:
            scheduler.close()

    def close(self) -> None:
        self.drop()

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


class LocalSession:
    """One request's prompt, decoded audio and ledger."""

    def __init__(self, models: LocalBackend, request: Request, progress: Progress) -> None:
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
        if audio is not None and any("resynthesis" in v.needs for v in models.verifiers.values()):
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
        return GeneratorCost.of(self.models.generator.network).flops(0, n_tokens)

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
                return self.models.scheduler.extend(self._root, beams, n_tokens, watch, until)
            case Measure(beams, name, partial):
                verifier = self.models.verifiers[name]
                return self.models.listen(
                    lambda: tuple(self._score(beams, verifier, partial, held_out=False))
                )

    def judge(self, beams: Beams, spec: str) -> Future[list[Score]]:
        judge = self.models.held_out[spec]
        return self.models.listen(lambda: self._score(beams, judge, False, held_out=True))

    def waveforms(self, beams: Beams) -> Future[list[Waveform]]:
        return self.models.listen(lambda: self._decode(beams))

    def close(self) -> None:
        self._root, self._waveforms = None, {}

    def _start(self) -> Future[Beam]:
        tokenizer = self.models.generator.tokenizer
        ids = build_prompt(tokenizer, self.spoken_text, self.request.prompt_text, self._voice)
        prefilled = self.models.scheduler.prefill(
            Prompt(ids, self.request.id, self.request.seed), self.ledger
        )
        answer: Future[Beam] = Future()

        def started(found: Future[Root]) -> None:
            if found.cancelled():
                answer.cancel()
            elif error := found.exception():
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
        if target.reference is not None and target.resynthesis is None and "resynthesis" in verifier.needs:
            target = self._target = self._said_again(target, self._voice)
        self._progress(f"score {name}", 0, len(beams))
        with self.ledger.timed(f"{role} {name}"):
            if held_out:
                verifier.score([], target)  # what is done once for a voice is not counted
            seconds = sum(map(len, waveforms)) / SAMPLE_RATE
            found, flops = self.models.meter.count(
                verifier.spec, lambda: verifier.score(waveforms, target, partial)
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
                decoded, flops = self.models.meter.count(
                    "codec", lambda: self.models.codec.decode([list(t) for t in missing], context)
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


def _wait_for_any(futures: Collection[Future[Any]]) -> None:
    """Until one is done or cancelled: `concurrent.futures.wait` does not hear of what is cancelled before it began."""
    told = threading.Event()
    for future in futures:
        future.add_done_callback(lambda _: told.set())
    told.wait()
