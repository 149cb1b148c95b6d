"""`llasa-search synth`: checks everything it is given, then loads, searches and writes."""

import argparse
import json
import math
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from experiments.outputs import Outputs, check_file, check_folder
from experiments.voices import find_voice
from llasa_core.audio import AudioError, read_audio, write_audio
from llasa_core.errors import UserError
from llasa_core.presets import Preset, find_preset, resolve_source
from llasa_core.prompt import CONTEXT_TOKENS
from llasa_core.request import Request
from llasa_core.sampling import Sampling
from search.best_of_n import BestOfN
from search.preflight import check_prompt, spoken_text
from search.result import SearchResult
from verifiers import registry
from verifiers.combine import parse_selection

CANDIDATE_NAME = "candidate-{:03d}.wav"
CANDIDATE_PATTERN = re.compile(r"candidate-\d{3,}\.wav")


def synth(arguments: argparse.Namespace) -> None:
    """Raises UserError or VerifierError for whatever cannot work, before any model is loaded where possible."""
    request = build_request(arguments)
    for warning in request.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    preset = find_preset(arguments.preset)
    specs = choose_verifiers(arguments.verifier, preset, request)
    metrics = choose_metrics(specs)
    strategy = BestOfN(
        arguments.n,
        tuple(metrics),
        parse_selection(arguments.select or default_rule(tuple(metrics)), metrics),
    )
    judges = choose_judges(arguments, preset)
    for spec in (*specs, *judges):
        registry.check(spec)
    check_emotion((*specs, *judges), request)
    sampling = choose_sampling(arguments, preset)
    check_max_seconds(arguments.max_seconds)
    read_memory(arguments.memory)
    check_outputs(arguments)
    generator = resolve_source(arguments.generator or preset.generator)
    announce_untrained_words(generator, request)

    from llasa_core.models import check_device

    check_device(arguments.device)
    check_prompt(generator, request)

    from experiments.report import print_result, progress_bars
    from search.engine import Searcher

    with Outputs() as outputs:
        with progress_bars() as progress:
            progress("load models", 0, 1)
            searcher = Searcher.from_preset(
                arguments.preset,
                generator=arguments.generator,
                codec=arguments.codec,
                verifiers=specs,
                judges=judges,
                sampling=sampling,
                device=arguments.device,
                max_seconds=arguments.max_seconds,
                memory=read_memory(arguments.memory),
            )
            progress("load models", 1, 1)
            result = searcher.run(request, strategy, progress=progress)
        write(result, arguments, outputs)
    print_result(result, arguments.output)


def build_request(arguments: argparse.Namespace) -> Request:
    """The request with its voice: the caller's, a shipped one, or none."""
    audio, text = arguments.prompt_audio, arguments.prompt_text
    if arguments.no_prompt and (audio or text or arguments.voice):
        raise UserError("--no-prompt contradicts --prompt-audio, --prompt-text and --voice: leave it out")
    if arguments.voice and (audio or text):
        raise UserError("--voice is a shipped prompt: give either it or --prompt-audio with --prompt-text")
    if text and not audio:
        raise UserError("--prompt-text without --prompt-audio: add the audio in which it is said")
    if audio and not (text or "").strip():
        raise UserError("--prompt-audio without --prompt-text: add the text that is said in it")
    if not (audio or arguments.no_prompt):
        voice = find_voice(arguments.voice)
        audio, text = voice.path, voice.text
    try:
        waveform = None if audio is None else read_audio(Path(audio))
        emotion = None if arguments.emotion_audio is None else read_audio(arguments.emotion_audio)
    except AudioError as error:
        raise UserError(str(error)) from error
    return Request(
        text=arguments.text,
        language=arguments.language,
        prompt_audio=waveform,
        prompt_text=text or "",
        seed=arguments.seed,
        emotion=arguments.emotion,
        emotion_audio=emotion,
    )


def choose_sampling(arguments: argparse.Namespace, preset: Preset) -> Sampling:
    """The preset's settings, with what the caller gave instead."""
    given = {
        name: getattr(arguments, name)
        for name in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
    }
    return replace(preset.sampling, **{name: value for name, value in given.items() if value is not None})


def check_max_seconds(seconds: float) -> None:
    """Raises UserError for a length that does not fit in any context."""
    limit = CONTEXT_TOKENS / 50
    if not 0 < seconds <= limit:
        raise UserError(f"--max-seconds {seconds:g}: give more than 0 and at most {limit:g}")


def read_memory(gibibytes: float | None) -> int | None:
    """In bytes. Raises UserError for a limit that is none."""
    if gibibytes is None:
        return None
    if not (math.isfinite(gibibytes) and gibibytes > 0):
        raise UserError(f"--memory {gibibytes:g}: give more than 0, in GiB, such as 2")
    return int(gibibytes * 2**30)


def choose_judges(arguments: argparse.Namespace, preset: Preset) -> tuple[str, ...]:
    """The caller's held-out judges, the preset's, or none."""
    if arguments.no_judge and arguments.judge:
        raise UserError("--no-judge contradicts --judge: leave one out")
    if arguments.judge or arguments.no_judge:
        return tuple(arguments.judge or ())
    return preset.judges


def choose_verifiers(given: Sequence[str] | None, preset: Preset, request: Request) -> tuple[str, ...]:
    """The caller's specs, or the preset's that can judge this request: without a voice there is no similarity."""
    if given:
        for spec in given:
            if request.prompt_audio is None and compares_voices(spec):
                raise UserError(f"{spec} compares with a voice prompt, and there is none: drop --no-prompt")
        return tuple(given)
    return tuple(
        spec for spec in preset.verifiers if request.prompt_audio is not None or not compares_voices(spec)
    )


def compares_voices(spec: str) -> bool:
    """Whether the spec's verifier needs a voice prompt."""
    return not {"reference", "resynthesis"}.isdisjoint(registry.needs(spec))


def check_emotion(specs: Sequence[str], request: Request) -> None:
    """Raises UserError for a verifier that lacks the emotion it judges against, and an emotion that none judges."""
    needed = {field: spec for spec in specs for field in registry.needs(spec)}
    given = {
        "emotion": ("--emotion", "LABEL", request.emotion, "emotion2vec?measure=label"),
        "emotion_reference": ("--emotion-audio", "WAV", request.emotion_audio, "emotion2vec"),
    }
    for field, (option, value, content, verifier) in given.items():
        if content is None and field in needed:
            raise UserError(f"{needed[field]} judges the emotion: give {option} {value}")
        if content is not None and field not in needed:
            raise UserError(f"{option} is given and no verifier judges by it: add --verifier '{verifier}'")


def choose_metrics(specs: Sequence[str]) -> dict[str, bool]:
    """What each verifier measures, and whether higher is better. Raises UserError if two go by one name."""
    metrics: dict[str, bool] = {}
    for spec in specs:
        found = registry.directions(spec)
        if shared := metrics.keys() & found.keys():
            name = shared.pop()
            raise UserError(
                f"{spec} is the second verifier that measures {name}: give it as --judge, or a name: ?name={name}2"
            )
        metrics |= found
    return metrics


def default_rule(names: Sequence[str]) -> str:
    """No word wrong, then the most similar; with one verifier, the best by it."""
    if set(names) == {"wer", "sim"}:
        return "wer<=0,sim"
    if len(names) == 1:
        return names[0]
    raise UserError(f"say with --select how {', '.join(names)} choose, such as --select {names[0]}")


def check_outputs(arguments: argparse.Namespace) -> None:
    """Raises UserError unless everything asked for can be written."""
    check_file(arguments.output, "-o")
    if arguments.output.suffix.lower() != ".wav":
        raise UserError(f"-o {arguments.output}: WAV files are written, so give a name that ends in .wav")
    if arguments.json is not None:
        check_file(arguments.json, "--json")
        if arguments.json.absolute() == arguments.output.absolute():
            raise UserError("-o and --json name the same file: give two names")
    if arguments.candidates is not None:
        check_folder(arguments.candidates, "--candidates")


def announce_untrained_words(generator: str | Path, request: Request) -> None:
    """One line on stderr if the generator lists the words that it was trained on and the text has others."""
    words = Path(generator) / "trained_words.txt"
    if not words.is_file():
        return
    trained = set(words.read_text(encoding="utf-8").lower().split())
    spoken = re.findall(r"[a-z']+", spoken_text(request).lower())
    new = [word for word in dict.fromkeys(spoken) if word.strip("'") and word not in trained]
    if new:
        print(f"not among the words that this model was trained on: {', '.join(new)}", file=sys.stderr)


def write(result: SearchResult, arguments: argparse.Namespace, outputs: Outputs) -> None:
    """All files or none. Candidates of an earlier, larger run in the same folder are removed."""
    write_audio(outputs.stage(arguments.output), result.waveform)
    kept: set[str] = set()
    if arguments.candidates is not None:
        for candidate in result.candidates:
            name = CANDIDATE_NAME.format(candidate.number)
            kept.add(name)
            write_audio(outputs.stage(arguments.candidates / name), candidate.waveform)
    if arguments.json is not None:
        text = json.dumps(result.as_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        outputs.stage(arguments.json).write_text(text + "\n", encoding="utf-8")
    try:
        outputs.publish()
    except OSError as error:
        raise UserError(f"cannot write {error.filename2 or error.filename}: {error.strerror}") from error
    if arguments.candidates is not None:
        for path in arguments.candidates.iterdir():
            if CANDIDATE_PATTERN.fullmatch(path.name) and path.name not in kept:
                with suppress(OSError):
                    path.unlink()
