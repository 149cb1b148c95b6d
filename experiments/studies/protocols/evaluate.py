"""One evaluation from end to end: the list, the ears, the speech, the scores, the table."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.files import Destination, check_folder, check_outputs, write_whole
from experiments.runs.run import EXIT_UNMET
from experiments.studies.protocols.ears import EarOptions, choose_ears
from experiments.studies.protocols.generate import Generation
from experiments.studies.protocols.protocol import Protocol, Utterance
from experiments.studies.protocols.report import Report
from experiments.studies.protocols.versa import versa_lines
from experiments.terminal import STDOUT, say
from llasa_core.errors import UserError
from llasa_core.paths import regular_file, shown, user_path
from search.strategies.registry import read as read_strategy

if TYPE_CHECKING:
    from search.backends.base import Progress

SHOWN = 3
WRITTEN = (".json", ".jsonl")
"""Suffixes of files that no protocol reads, so that they may be written beside its data."""


@dataclass(frozen=True)
class EvalOptions:
    """data: the folder of the protocol's data. output: where speech and scores are kept. audio: the folder of
    speech that another system made. truth: whether the recordings of humans are scored. Of these two and of
    `generation` one says whose speech it is."""

    data: Path | None = None
    output: Path | None = None
    audio: Path | None = None
    truth: bool = False
    limit: int | None = None
    device: str = "cpu"
    ears: EarOptions = field(default_factory=EarOptions)
    versa: Path | None = None
    json: Path | None = None
    generation: Generation | None = None


def evaluate(
    protocol: Protocol, options: EvalOptions, bars: Callable[[], AbstractContextManager[Progress]]
) -> tuple[int, Report | None]:
    """The exit code, as of `run`, and what there is to report unless the run did not get so far.

    bars: draws progress. Raises UserError or VerifierError, before any model is loaded, for whatever cannot
    work.
    """
    utterances = protocol.read(options.data, options.limit)
    ears = choose_ears(protocol, options.ears, utterances, options.data)
    _check_places(options)
    path = _files(protocol, options, utterances)
    if options.generation is not None:
        options.generation.check()
        options.generation.check_utterances(protocol, utterances)

    # These import torch: bad input above is answered without waiting for it.
    from experiments.studies.protocols.scoring import Recordings, load_ears, score
    from verifiers.shared.loading import check_device

    check_device(options.device)
    with bars() as progress:
        loaded = load_ears(ears, options.device, utterances[0], progress)
    code = 0
    if options.generation is not None:
        code = options.generation.speak(protocol, utterances, loaded)
        if code not in (0, EXIT_UNMET):
            say(f"no figures of {protocol.name} yet: they need every utterance", error=True)
            return code, None
    complete = options.generation is None
    recordings = Recordings(path, protocol.scoring.prompt_seconds, complete)
    with bars() as progress:
        scored = score(utterances, recordings, loaded, options.output, progress)
    report = Report(protocol, scored, ears, _origin(options), _searched(options))
    if options.versa is not None:
        write_whole(options.versa, versa_lines(scored, ears).encode())
    return code, report


def _files(
    protocol: Protocol, options: EvalOptions, utterances: list[Utterance]
) -> Callable[[Utterance], Path]:
    """Where the speech of an utterance is, or will be. Raises UserError if speech that should be there is
    not: the mean of a part is not the protocol's."""
    if options.generation is not None:
        return options.generation.file
    if options.truth:
        if lacking := [one.id for one in utterances if one.truth is None]:
            raise UserError(
                f"--truth: the list of {protocol.name} names no recording of a human for {lacking[0]!r}"
                f" and {len(lacking) - 1} others: leave --truth out"
            )
        return lambda one: one.truth or one.prompt_audio
    if options.audio is None:
        raise UserError("nothing to score: give -o DIR to generate, --audio DIR or --truth")
    folder = user_path(options.audio, "--audio")
    if not folder.is_dir():
        raise UserError(f"--audio {shown(folder)} is no folder: give the one that holds ID.wav of each id")
    lacking = [one.id for one in utterances if not (folder / f"{one.id}.wav").is_file()]
    if lacking:
        more = f", ... ({len(lacking)} of {len(utterances)})" if len(lacking) > SHOWN else ""
        raise UserError(
            f"--audio {shown(folder)} lacks {', '.join(f'{id}.wav' for id in lacking[:SHOWN])}{more}: every "
            "utterance has to be there, or name a part of the list with --limit"
        )
    for one in utterances:
        regular_file(folder / f"{one.id}.wav", "speech")
    return lambda one: folder / f"{one.id}.wav"


def _check_places(options: EvalOptions) -> None:
    """Raises UserError unless what is asked for can be written, and over nothing that is read."""
    places = [
        Destination(option, path)
        for option, path in (("--versa", options.versa), ("--json", options.json))
        if path is not None and path != STDOUT
    ]
    check_outputs(places, {"--data": options.data, "--audio": options.audio})
    for place in places:
        for folder in filter(None, (options.data, options.audio)):
            inside = place.path.absolute().is_relative_to(folder.absolute())
            if inside and place.path.exists() and place.path.suffix not in WRITTEN:
                raise UserError(
                    f"{place.option} {shown(place.path)} would replace a file of {shown(folder)}: "
                    "give another name"
                )
    if options.output is not None:
        check_folder(options.output / "scores", "-o")


def _origin(options: EvalOptions) -> str:
    if options.generation is not None:
        name, given = read_strategy(options.generation.search.strategy)
        spec = "&".join(f"{key}={value}" for key, value in given.items())
        return f"generated by {options.generation.search.preset} with {name}{'?' if spec else ''}{spec}"
    return "recordings of humans" if options.truth else f"audio of {options.audio}"


def _searched(options: EvalOptions) -> tuple[str, ...]:
    """Verifiers that chose the speech, as the run recorded them."""
    if options.generation is None:
        return ()
    from experiments.documents import read_json
    from experiments.runs.description import NAME

    models = read_json(options.generation.run.output / NAME, "the description of the run")["models"]
    return tuple(str(one["spec"]) for one in models["verifiers"])
