"""`llasa-search synth`: checks everything it is given, then loads, searches and writes."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from experiments.config import Settings, from_arguments
from experiments.files import Outputs, check_file, check_folder
from experiments.request_options import RequestOptions, announce_untrained_words, build_request, inputs_of
from llasa_core.audio import write_audio
from llasa_core.errors import UserError
from llasa_core.request import Request
from search.preflight import check_prompt, spoken_text
from search.results.result import plain

if TYPE_CHECKING:
    from search.engine import Searcher
    from search.results.result import SearchResult

CANDIDATE_NAME = "candidate-{:03d}.wav"
CANDIDATE_PATTERN = re.compile(r"candidate-\d{3,}\.wav")


def synth(arguments: argparse.Namespace) -> None:
    """Raises UserError or VerifierError for whatever cannot work, before any model is loaded where possible."""
    options = RequestOptions.from_namespace(arguments)
    request = build_request(options, arguments.text)
    for warning in request.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    settings = from_arguments(arguments, request)
    check_outputs(arguments)
    announce_untrained_words(settings.generator_source, [spoken_text(request)])

    settings.check_device()
    check_prompt(settings.generator_source, request)
    speak(settings, request, arguments, inputs_of(options))


def speak(
    settings: Settings, request: Request, arguments: argparse.Namespace, inputs: Mapping[str, str | None]
) -> SearchResult:
    """Loads the models, searches, writes what was asked for (all files or none), and prints the result."""
    from experiments.cli.report import print_result, progress_bars

    with Outputs() as outputs, ExitStack() as stack:
        with progress_bars() as progress:
            progress("load models", 0, 1)
            searcher = stack.enter_context(settings.searcher())
            progress("load models", 1, 1)
            result = searcher.run(request, settings.strategy, budget=settings.budget, progress=progress)
        result = replace(result, manifest={**result.manifest, "inputs": dict(inputs)})
        write(result, arguments, outputs, searcher)
    print_result(result, arguments.output)
    return result


def check_outputs(arguments: argparse.Namespace) -> None:
    """Raises UserError unless everything asked for can be written."""
    check_file(arguments.output, "-o")
    if arguments.output.suffix.lower() != ".wav":
        raise UserError(f"-o {arguments.output}: WAV files are written, so give a name that ends in .wav")
    taken = {arguments.output.absolute(): "-o"}
    for option in ("--json", "--trace", "--report"):
        path = getattr(arguments, option[2:])
        if path is None:
            continue
        check_file(path, option)
        if path.absolute() in taken:
            raise UserError(f"{taken[path.absolute()]} and {option} name the same file: give two names")
        taken[path.absolute()] = option
    if arguments.candidates is not None:
        check_folder(arguments.candidates, "--candidates")


def write(result: SearchResult, arguments: argparse.Namespace, outputs: Outputs, searcher: Searcher) -> None:
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
    if arguments.trace is not None:
        lines = [json.dumps(plain(step.as_dict()), allow_nan=False) + "\n" for step in result.trace]
        outputs.stage(arguments.trace).write_text("".join(lines), encoding="utf-8")
    if arguments.report is not None:
        from experiments.report_page.build import write_page

        decode = partial(searcher.backend.decode, result.request)
        write_page(outputs.stage(arguments.report), result, result.trace, decode)
    try:
        outputs.publish()
    except OSError as error:
        raise UserError(f"cannot write {error.filename2 or error.filename}: {error.strerror}") from error
    if arguments.candidates is not None:
        for path in arguments.candidates.iterdir():
            if CANDIDATE_PATTERN.fullmatch(path.name) and path.name not in kept:
                with suppress(OSError):
                    path.unlink()
