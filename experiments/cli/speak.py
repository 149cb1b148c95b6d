"""What `synth` and `replay` share: load the models, search one request, write the files, print the result."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from experiments import interrupts
from experiments.config import Settings
from experiments.files import Destination, Outputs, check_outputs
from experiments.prompts import inputs_of_arm
from experiments.request_options import warn_of_prompts
from experiments.terminal import STDOUT, print_json, say
from llasa_core.audio import wav_bytes
from llasa_core.errors import UserError
from llasa_core.request import Request
from search.results.candidate import plain

if TYPE_CHECKING:
    from search.arms import Arm
    from search.backends.base import Progress
    from search.engine import Searcher
    from search.results.result import SearchResult

CANDIDATE_NAME = "candidate-{:03d}.wav"
CANDIDATE_PATTERN = re.compile(r"candidate-\d{3,}\.wav")


@dataclass(frozen=True)
class Files:
    """Where the winner, the result (`STDOUT`: printed), every candidate, each step and the page go."""

    output: Path
    json: Path | None = None
    candidates: Path | None = None
    trace: Path | None = None
    report: Path | None = None

    def check(self, inputs: Mapping[str, Path | None]) -> None:
        """Raises UserError unless all can be written, and over nothing that is read (`inputs`, by name)."""
        places = [Destination("-o", self.output)]
        for option in ("json", "trace", "report"):
            path: Path | None = getattr(self, option)
            if path is not None and path != STDOUT:
                places.append(Destination(f"--{option}", path))
        if self.candidates is not None:
            places.append(Destination("--candidates", self.candidates, CANDIDATE_PATTERN))
        check_outputs(places, inputs)
        if self.output.suffix.lower() != ".wav":
            raise UserError(f"-o {self.output}: WAV files are written, so give a name that ends in .wav")


def speak(
    settings: Settings,
    request: Request,
    files: Files,
    inputs: Mapping[str, str | None],
    arms: Sequence[Arm] = (),
) -> SearchResult:
    """All files are written or none. inputs: where the recordings came from, for the manifest. arms: the
    request with each recording of a prompt search, if one is asked for."""
    from experiments.cli.report import print_result, progress_bars

    with Outputs() as outputs, ExitStack() as stack:
        with progress_bars() as progress:
            progress("load models", 0, 1)
            searcher = stack.enter_context(settings.searcher())
            progress("load models", 1, 1)
            if inputs.get("prompt_audio"):
                warn_of_prompts(searcher, [request])
            if arms:
                result = _search_arms(searcher, arms, settings, progress)
                inputs = {**inputs, **inputs_of_arm(result.arm)}
            else:
                result = searcher.run(request, settings.strategy, budget=settings.budget, progress=progress)
        result = replace(result, manifest={**result.manifest, "inputs": dict(inputs)})
        replaced = files.output.exists()
        _write(result, files, outputs, searcher)
    to_stdout = files.json == STDOUT
    print_result(result, files.output, replaced=replaced, stderr=to_stdout)
    if to_stdout:
        print_json(result.as_dict())
    return result


def _search_arms(
    searcher: Searcher, arms: Sequence[Arm], settings: Settings, progress: Progress
) -> SearchResult:
    from search.arms import search_arms
    from search.engine import Failure

    (outcome,) = search_arms(
        searcher, [arms], settings.strategy, budget=settings.budget, progress=lambda _: progress
    )
    if isinstance(outcome, Failure):
        raise outcome.error
    return outcome


def _write(result: SearchResult, files: Files, outputs: Outputs, searcher: Searcher) -> None:
    """Candidates of an earlier, larger search in the same folder are removed."""
    outputs.stage(files.output).write_bytes(wav_bytes(result.waveform))
    kept: set[str] = set()
    if files.candidates is not None:
        for candidate in result.candidates:
            name = CANDIDATE_NAME.format(candidate.number)
            kept.add(name)
            outputs.stage(files.candidates / name).write_bytes(wav_bytes(candidate.waveform))
    if files.json is not None and files.json != STDOUT:
        text = json.dumps(result.as_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        outputs.stage(files.json).write_text(text + "\n", encoding="utf-8")
    if files.trace is not None:
        lines = [json.dumps(plain(step.as_dict()), allow_nan=False) + "\n" for step in result.trace]
        outputs.stage(files.trace).write_text("".join(lines), encoding="utf-8")
    if files.report is not None:
        from experiments.report_page.build import write_page

        decode = partial(searcher.backend.decode, result.request)
        write_page(outputs.stage(files.report), result, result.trace, decode)
    interrupts.check()
    outputs.publish()
    if files.candidates is not None:
        older = [path for path in files.candidates.iterdir() if CANDIDATE_PATTERN.fullmatch(path.name)]
        older = [path for path in older if path.name not in kept]
        for path in older:
            with suppress(OSError):
                path.unlink()
        if older:
            say(
                f"note: {len(older)} candidates of an earlier search were removed from {files.candidates}",
                error=True,
            )
