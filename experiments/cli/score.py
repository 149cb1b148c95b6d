"""`llasa-search score`: judges audio files. Everything given is checked before any model is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.cli import options
from experiments.cli.commands import Command
from experiments.cli.options import option
from experiments.cli.parameters import FileType, TextType
from experiments.cli.report import progress_bars, write_json
from experiments.cli.search_options import SELECTIONS
from experiments.cli.surroundings import check_surroundings
from experiments.documents import read_lines
from experiments.files import Destination, check_outputs
from experiments.terminal import STDOUT, say
from llasa_core.audio import Waveform, read_audio
from llasa_core.emotion import Emotion
from llasa_core.errors import UserError
from llasa_core.paths import user_path
from llasa_core.text import check_text, spoken_form
from search.emotion import emotion_of
from search.roles import roles, whole
from verifiers import registry
from verifiers.base import TOKENS, Score, Target, Verifier
from verifiers.instances import load_shared
from verifiers.selection.parse import Cascade, parse_selection
from verifiers.selection.rules import Selection
from verifiers.shared.gate import refusal

if TYPE_CHECKING:
    from search.backends.base import Progress

DEFAULT_PRESET = "nano"
OPTIONS = {
    "text": "--text TEXT or --texts FILE",
    "reference": "--reference WAV",
    "resynthesis": "--resynthesis WAV",
    "emotion": "--emotion NAME",
    "emotion_reference": "--emotion-audio WAV",
    "dimensions": "--emotion arousal=0.8,valence=0.3",
}
"""What gives each field of a target."""


EXAMPLES = """\
  word errors and likeness of the voice, by the models that are shipped:
    llasa-search score a.wav b.wav --text "the train is late" --reference voice.wav
  the best of many readings, first:
    llasa-search score all/*.wav --text "the train is late" --reference voice.wav --select "wer<=0,sim"
  the mean word error rate of a test set with its 95 % interval (list.txt: lines of path|text):
    llasa-search score --texts list.txt --verifier "whisper:large-v3?normalizer=seed-tts-eval" --device cuda
  everything that a verifier says of one file, on stdout:
    llasa-search score a.wav --verifier hubert-ctc:nano --text "the train is late" --json -
"""


@dataclass(frozen=True)
class TargetOptions:
    """What the audio should be. text: of all files; texts: a list of lines path|text."""

    text: str | None = None
    texts: Path | None = None
    language: str = "en"
    reference: Path | None = None
    resynthesis: Path | None = None
    emotion: str | None = None
    emotion_audio: Path | None = None


@dataclass(frozen=True, eq=False)
class Clip:
    """An audio file and what it should be."""

    file: Path
    waveform: Waveform
    target: Target


target = partial(option, group="what the audio should be")
TARGET = [
    target("--text TEXT", TextType(), "what is said, in all files; digits of English are spelled out"),
    target(
        "--texts FILE",
        FileType(),
        "lines of path|text, paths relative to FILE; judges its files if none are named",
    ),
    options.language(group="what the audio should be"),
    target("--reference WAV", FileType(), "whose voice it should be"),
    target("--resynthesis WAV", FileType(), "the reference as the codec says it again (SIM-r)"),
    options.emotion(group="what the audio should be"),
    options.emotion_audio(group="what the audio should be"),
]
judging = partial(option, group="verifiers")
DEFAULT = "those of the nano preset that have what they need"


@click.command(cls=Command, examples=EXAMPLES, notes=lambda: SELECTIONS)
@click.argument(
    "files", nargs=-1, type=FileType(), metavar="[WAV]...", help="what is judged (WAV, FLAC, ...)"
)
@options.json_file("everything, evidence too, instead of a table; - is stdout")
@options.verifier(
    f"judges; repeatable; `llasa-search verifiers` lists them (default: {DEFAULT})", group="verifiers"
)
@judging("--select RULE", TextType(), "show the best first, such as wer<=0,sim: see below")
@judging("--partial", None, "the audio breaks off somewhere in the text")
@options.device(group="verifiers")
@options.bundled("target", TargetOptions, TARGET)
def command(
    files: tuple[Path, ...],
    json: Path | None,
    verifiers: tuple[str, ...],
    select: str | None,
    partial: bool,
    device: str,
    target: TargetOptions,
) -> None:
    """Judge audio files against a text, a voice or an emotion: a table, or JSON with all the evidence."""
    clips = read_clips(files, target)
    specs = choose_verifiers(verifiers, clips[0].target)
    directions = {spec: registry.directions(spec) for spec in specs}
    selection = choose_selection(select, directions)
    if json is not None and json != STDOUT:
        read = {str(clip.file): clip.file for clip in clips}
        recordings = {
            "--texts": target.texts,
            "--reference": target.reference,
            "--resynthesis": target.resynthesis,
        }
        check_outputs(
            [Destination("--json", json)], {**read, **recordings, "--emotion-audio": target.emotion_audio}
        )
    check_surroundings()

    # These import torch: bad input above is answered without waiting for it.
    from experiments.cli.score_report import Report, print_report
    from verifiers.shared.loading import check_device

    check_device(device)
    with progress_bars() as progress:
        loaded = []
        for done, spec in enumerate(specs):
            progress("load models", done, len(specs))
            loaded.append(load_shared(spec, device))
            for wanted in distinct(clips):
                loaded[-1].score([], wanted, partial)
        progress("load models", len(specs), len(specs))
        scores = {verifier.spec: judge(verifier, clips, partial, progress) for verifier in loaded}
    metrics = {verifier.spec: verifier.name for verifier in loaded}
    ranking = None
    if selection is not None:
        ranking = selection.rank({metrics[spec]: own for spec, own in scores.items()})
    report = Report(
        [(clip.file, clip.waveform, clip.target.text) for clip in clips], metrics, scores, selection, ranking
    )
    if json is None:
        print_report(report)
    else:
        write_json(report.as_dict(), json)


def read_clips(files: Sequence[Path], given: TargetOptions) -> list[Clip]:
    """The files with their targets: one text for all, one for each, or none."""
    if given.text is not None and given.texts is not None:
        raise UserError("--text contradicts --texts: give one text for all files, or a list of them")
    common = Target(
        text=spoken(given.text, given.language),
        written=given.text,
        language=given.language,
        reference=read_optional(given.reference),
        resynthesis=read_optional(given.resynthesis),
        emotion_reference=read_optional(given.emotion_audio),
        **emotion_of(None if given.emotion is None else Emotion.parse(given.emotion)),
    )
    targets: dict[str | None, Target] = {common.written: common}
    texts: Mapping[Path, str] = {} if given.texts is None else read_texts(given.texts)
    files = files or list(texts)
    if not files:
        raise UserError("no audio files to judge: give their paths, or a list of them with --texts")
    clips = []
    for file in files:
        text = common.written
        if given.texts is not None:
            text = text_of(file, texts, given.texts)
        target = targets.setdefault(text, replace(common, text=spoken(text, given.language), written=text))
        clips.append(Clip(file, read_audio(file), target))
    return clips


def read_texts(path: Path) -> dict[Path, str]:
    """Lines of `path|text`, paths relative to the folder of the list, each once. Raises UserError."""
    texts: dict[Path, str] = {}
    for number, line in read_lines(path, "--texts"):
        if not line.strip():
            continue
        name, bar, text = line.partition("|")
        if not (bar and name.strip() and text.strip()):
            raise UserError(
                f"--texts {path}, line {number}: write path|text, as in 'a.wav|the train is late'"
            )
        file = path.parent / user_path(name.strip(), f"--texts {path}, line {number}: audio file")
        if file in texts:
            raise UserError(f"--texts {path}, line {number}: {name.strip()} is there twice: leave one out")
        texts[file] = text
    return texts


def text_of(file: Path, texts: Mapping[Path, str], source: Path) -> str:
    """The text of a file in the list, however its path is written. Raises UserError if it has none."""
    by_place = {os.path.realpath(path): text for path, text in texts.items()}
    if (place := os.path.realpath(file)) not in by_place:
        raise UserError(f"{source} has no text for {file}: add a line {file.name}|its text")
    return by_place[place]


def spoken(text: str | None, code: str) -> str | None:
    """The text as it is spoken, as `synth` does it."""
    return None if text is None else spoken_form(check_text(text), code).spoken


def read_optional(path: Path | None) -> Waveform | None:
    return None if path is None else read_audio(path)


def choose_verifiers(given: Sequence[str], target: Target) -> list[str]:
    """The caller's specs, canonical, or those of the nano preset that have what they need.

    Raises UserError if one of the caller's does not, if one is given twice, or if none is left.
    """
    if not given:
        found = roles(DEFAULT_PRESET)
        specs = [spec for spec in map(whole, found.verifiers) if not lacks(spec, target)]
        if found.note:
            say(f"note: {found.note}", error=True)
        for spec in specs:
            check_recordings(spec, target)
        if not specs:
            raise UserError(
                "nothing to judge by: give --text TEXT (what is said), --reference WAV (whose voice), "
                "or a --verifier that needs neither"
            )
        return specs
    specs = []
    for text in given:
        spec = str(registry.check(text))
        if spec in specs:
            raise UserError(f"--verifier {text} is given twice: leave one out")
        if TOKENS in registry.needs(spec):
            raise UserError(
                f"{spec} judges the speech tokens of a search, which audio files do not have: give it to "
                "`synth` or `run`, as --verifier or --judge"
            )
        if missing := lacks(spec, target):
            raise UserError(
                f"{spec} needs {' and '.join(missing).replace('_', ' ')} to judge against: "
                f"add {' and '.join(OPTIONS[field] for field in missing)}"
            )
        check_recordings(spec, target)
        specs.append(spec)
    return specs


def lacks(spec: str, target: Target) -> list[str]:
    """Fields that a spec's verifier judges against and the target has not."""
    return [field for field in registry.needs(spec) if field in OPTIONS and getattr(target, field) is None]


def check_recordings(spec: str, target: Target) -> None:
    """Raises UserError if a recording that the verifier compares with cannot be judged itself."""
    kind = registry.find(registry.check(spec).kind)
    shortest = getattr(getattr(kind, "about", None), "min_seconds", 0.0)
    for field in ("reference", "resynthesis", "emotion_reference"):
        waveform = getattr(target, field)
        if waveform is None or field not in registry.needs(spec):
            continue
        if reason := refusal(waveform, shortest):
            option = OPTIONS[field].split()[0]
            raise UserError(f"{option} cannot be used by {spec} ({reason}): give another recording")


def choose_selection(rule: str | None, directions: Mapping[str, Mapping[str, bool]]) -> Selection | None:
    """Raises UserError if two verifiers have the same metric: its name would not say which is meant."""
    if rule is None:
        return None
    metrics: dict[str, bool] = {}
    for spec, found in directions.items():
        if twice := metrics.keys() & found.keys():
            name = twice.pop()
            raise UserError(
                f"--select: {spec} is the second that measures {name}: name it, as in ?name={name}2"
            )
        metrics |= found
    selection = parse_selection(rule, metrics)
    if isinstance(selection, Cascade):
        raise UserError("--select: keep(...) is for searches; here every verifier judges every file")
    return selection


def distinct(clips: Sequence[Clip]) -> list[Target]:
    return list({id(clip.target): clip.target for clip in clips}.values())


def judge(verifier: Verifier, clips: Sequence[Clip], partial: bool, progress: Progress) -> list[Score]:
    """Scores in the order of the clips; those with the same target in one call."""
    scores: dict[int, Score] = {}
    for target in distinct(clips):
        progress(f"score {verifier.spec}", len(scores), len(clips))
        rows = [row for row, clip in enumerate(clips) if clip.target is target]
        found = verifier.score([clips[row].waveform for row in rows], target, partial)
        scores.update(zip(rows, found, strict=True))
    progress(f"score {verifier.spec}", len(scores), len(clips))
    return [scores[row] for row in range(len(clips))]
