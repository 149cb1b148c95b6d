"""The engine: models + strategy + request -> result."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from llasa_core.audio import Waveform
from llasa_core.codec import Codec
from llasa_core.decoding import MAX_SECONDS, Generator
from llasa_core.errors import UserError
from llasa_core.models import check_match
from llasa_core.presets import find_preset, resolve_source
from llasa_core.request import Request
from llasa_core.sampling import Sampling
from search.manifest import identity, verifier_identity, versions
from search.result import Candidate, SearchResult, Step
from search.rollouts import LocalRollouts, Progress, Rollout, Rollouts, no_progress
from search.strategy import Ask, Beams, Branch, Choice, Extend, Measure, Strategy
from verifiers.base import Verifier
from verifiers.cache import Remembering
from verifiers.instances import shared


class Searcher:
    """Runs strategies over requests.

    `verifiers` (in the rollouts) search; `judges` score the final candidates only, are never shown to the strategy,
    and are reported beside. `models` goes into the manifest of each result.
    """

    def __init__(
        self, rollouts: Rollouts, judges: Sequence[Verifier] = (), models: Mapping[str, Any] | None = None
    ) -> None:
        self.rollouts = rollouts
        self.judges = {judge.spec: judge for judge in judges}
        self.models = dict(models or {})

    @classmethod
    def from_preset(
        cls,
        preset: str = "nano",
        *,
        generator: str | None = None,
        codec: str | None = None,
        verifiers: Sequence[str] | None = None,
        judges: Sequence[str] = (),
        sampling: Sampling | None = None,
        device: str = "cpu",
        max_seconds: float = MAX_SECONDS,
        memory: int | None = None,
        remember: int = 0,
    ) -> "Searcher":
        """Loads the parts of a preset, each of which can be replaced by a folder or hub id (verifiers: by specs).

        Verifiers are those of the process (`verifiers.shared`): another Searcher with the same specs loads none again.
        remember: scores that each verifier keeps, so that audio that comes again is not judged again, in this request
        or a later one; 0, none, is right where wall times are compared.

        Raises UserError or VerifierError for an unknown name, a folder that lacks files, a generator and a codec
        that differ in the number of codes, or two verifiers of one name.
        """
        chosen = find_preset(preset)
        sources = {
            "generator": resolve_source(generator or chosen.generator),
            "codec": resolve_source(codec or chosen.codec),
        }
        specs = tuple(chosen.verifiers if verifiers is None else verifiers)
        sampling = sampling or chosen.sampling
        model = Generator.from_source(
            sources["generator"], device, sampling=sampling, max_seconds=max_seconds, memory=memory
        )
        vocoder = Codec.from_source(sources["codec"], device)
        check_match(model.n_codes, vocoder.n_codes)
        loaded = [_verifier(spec, device, remember) for spec in specs]
        by_name = unique_names(loaded)
        held_out = [_verifier(spec, device, remember) for spec in judges]
        models = {
            "preset": preset,
            "generator": identity(sources["generator"]),
            "codec": identity(sources["codec"]),
            "verifiers": [verifier_identity(spec) for spec in specs],
            "judges": [verifier_identity(spec) for spec in judges],
            "sampling": asdict(sampling),
            "device": device,
            "max_seconds": max_seconds,
        }
        return cls(LocalRollouts(model, vocoder, by_name), held_out, models)

    def run(self, request: Request, strategy: Strategy, *, progress: Progress = no_progress) -> SearchResult:
        """Searches one request. The same request, strategy and models give the same result."""
        rollout = self.rollouts.open(request, progress)
        choice, trace = carry_out(strategy, rollout)
        waveforms = [rollout.waveform(beam) for beam in choice.beams]
        judged = {spec: rollout.score(choice.beams, judge) for spec, judge in self.judges.items()}
        rollout.ledger.close(choice.beams)
        ranks = {number: rank for rank, number in enumerate(choice.ranking)}
        candidates = tuple(
            Candidate(
                number=number,
                rank=ranks[number],
                lineage=beam.lineage,
                tokens=beam.tokens,
                waveform=waveforms[number],
                scores={name: scores[number] for name, scores in choice.scores.items()},
                judged={spec: scores[number] for spec, scores in judged.items()},
                cut_off=beam.cut_off,
            )
            for number, beam in enumerate(choice.beams)
        )
        manifest = {
            "request": describe_request(request),
            "strategy": strategy.describe(),
            "models": self.models,
            "versions": versions(),
        }
        return SearchResult(request, candidates, choice.satisfied, rollout.ledger, trace, manifest)


def carry_out(strategy: Strategy, rollout: Rollout) -> tuple[Choice, tuple[Step, ...]]:
    """Answers the asks of one plan until it returns its choice."""
    plan = strategy.plan()
    trace: list[Step] = []
    answer: Any = None
    while True:
        try:
            ask = plan.send(answer)
        except StopIteration as done:
            choice: Choice = done.value
            return choice, tuple(trace)
        began = time.perf_counter()
        answer = rollout.answer(ask)
        trace.append(_step(ask, answer, time.perf_counter() - began))


def _step(ask: Ask, answer: Any, seconds: float) -> Step:
    match ask:
        case Branch() | Extend():
            beams: Beams = answer
            return Step(type(ask).__name__.lower(), len(beams), sum(len(b.tokens) for b in beams), seconds)
        case Measure(beams, verifier, _):
            return Step(f"measure {verifier}", len(beams), sum(len(b.tokens) for b in beams), seconds)
        case _:
            return Step("start", 1, 0, seconds)


def _verifier(spec: str, device: str, remember: int) -> Verifier:
    verifier = shared(spec, device)
    return Remembering(verifier, remember) if remember else verifier


def unique_names(verifiers: Sequence[Verifier]) -> dict[str, Verifier]:
    """By name. Raises UserError if two measure the same thing: one of them should be a judge."""
    by_name: dict[str, Verifier] = {}
    for verifier in verifiers:
        if verifier.name in by_name:
            raise UserError(
                f"{by_name[verifier.name].spec} and {verifier.spec} both measure {verifier.name}: "
                "give one of them as a judge, or another name (?name=...)"
            )
        by_name[verifier.name] = verifier
    return by_name


def describe_request(request: Request) -> dict[str, Any]:
    """The request as plain JSON values; recordings by length and content hash."""
    return {
        "text": request.text,
        "language": request.language,
        "prompt_text": request.prompt_text,
        **_describe_audio("prompt", request.prompt_audio),
        "emotion": request.emotion,
        **_describe_audio("emotion", request.emotion_audio),
        "seed": request.seed,
        "id": request.id,
    }


def _describe_audio(role: str, audio: Waveform | None) -> dict[str, Any]:
    return {
        f"{role}_samples": 0 if audio is None else len(audio),
        f"{role}_sha256": None if audio is None else hashlib.sha256(audio.tobytes()).hexdigest(),
    }
