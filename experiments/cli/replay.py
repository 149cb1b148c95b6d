"""`llasa-search replay`: makes a result again from its manifest, or a text of a run from its record.

It says whether the samples are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from experiments.cli import options
from experiments.cli.commands import Command
from experiments.cli.parameters import FileType, TextType
from experiments.cli.speak import Files, speak
from experiments.cli.surroundings import check_surroundings
from experiments.config import Settings, set_threads
from experiments.documents import read_json
from experiments.request_options import neutral_audio
from experiments.runs.records import read_records
from experiments.terminal import STDOUT, say
from llasa_core.audio import Waveform, read_audio
from llasa_core.errors import UserError
from llasa_core.paths import shown, user_path
from llasa_core.request import Request
from llasa_core.voices import find_voice
from search.results.manifest import describe_request, versions
from search.results.manifest_schema import check_sources, read_manifest

EXIT_DIFFERENT = 1
EXAMPLES = """\
  a result that `synth --json` wrote:
    llasa-search replay late.json -o again.wav
  the seventh text of a run, and the page of its search:
    llasa-search replay spoken --id 7 --report page.html
"""


@dataclass(frozen=True)
class Recordings:
    """Where the recordings of the request are now."""

    prompt_audio: Path | None = None
    emotion_audio: Path | None = None


@click.command(cls=Command, examples=EXAMPLES)
@click.argument(
    "manifest", metavar="RESULT", type=FileType(), help="a result of --json, or the folder of a run"
)
@options.option("--id ID", TextType(), "which text of the run: its id, or its number", group="input")
@options.bundled("recordings", Recordings, options.recording_options())
@options.option(
    "--trust",
    None,
    "load, and fetch, the models that RESULT names, also where their content is not the recorded one",
    group="input",
)
@options.outputs(Path("replayed.wav"))
def command(manifest: Path, id: str | None, recordings: Recordings, trust: bool, files: Files) -> int:
    """Make a result again, and say whether it is the same sample for sample (exit code 0) or not (1).

    RESULT is a file that --json wrote, its manifest alone, or with --id the folder of a run. Models are
    loaded only if they are known to be the recorded ones: packaged, local or cached with that content.
    """
    found = read_result(manifest, id)
    told = found["manifest"]
    settings = Settings.from_manifest(told)
    request = request_of(told, recordings)
    inputs = {name: told.get("inputs", {}).get(name) for name in ("voice", "prompt_audio", "emotion_audio")}
    recorded = {
        f"the {name.replace('_', ' ')} of the manifest": Path(path)
        for name, path in inputs.items()
        if path and name != "voice"
    }
    files.check({"RESULT": manifest, **recorded, **options.recordings(recordings)})
    check_surroundings()
    settings.check_device()
    check_sources(read_manifest(found).models, trust=trust)
    for name, then in told["versions"].items():
        if (now := versions().get(name)) != then:
            say(f"note: {name} was {then} and is {now}: samples may differ", error=True)
    set_threads(told["models"].get("threads"))
    result = speak(settings, request, files, inputs)
    expected = found.get("waveform_sha256")
    if expected is None:
        return 0
    same = hashlib.sha256(result.waveform.tobytes()).hexdigest() == expected
    different = "NOT the same as the result of the manifest"
    if settings.models.device != "cpu":
        different += f": on {settings.models.device} sums may round differently (docs/performance.md)"
    say("the same, sample for sample" if same else different, error=files.json == STDOUT)
    return 0 if same else EXIT_DIFFERENT


def read_result(path: Path, id: str | None = None) -> dict[str, Any]:
    """A result or a manifest, as a result; with an id the record of a run. Raises UserError."""
    if id is not None:
        place, found = f"the record of {id!r} in {shown(path)}", find_record(path, id)
    elif user_path(path, "the result").is_dir():
        raise UserError(f"{shown(path)} is a folder: if it is that of a run, say with --id which text")
    else:
        place, found = f"the result {shown(path)}", read_json(path, "the result")
    try:
        read_manifest(found)
    except UserError as error:
        raise UserError(f"{place}: {error}") from None
    result = dict(found) if "manifest" in found else {"manifest": found}
    if not isinstance(result.get("waveform_sha256"), str | None):
        raise UserError(f"{place}: waveform_sha256 is no text: give the file that --json wrote")
    return result


def find_record(folder: Path, id: str) -> dict[str, Any]:
    """What became of a text of a run. Raises UserError if that was no speech."""
    ids: dict[str, None] = {}
    found: dict[str, Any] = {}
    numbered = id.zfill(6)  # what `run` calls a row without an id
    for record in read_records(folder):
        ids[record["id"]] = None
        if record["id"] == id or (record["id"] == numbered and found.get("id") != id):
            found = record
    if not found:
        near = get_close_matches(id, ids, n=1, cutoff=0.1)
        hint = f": did you mean {near[0]!r}?" if near else ": look for the ids in its records.jsonl"
        raise UserError(f"--id: the run {folder} has no text {id!r}{hint}")
    if "manifest" not in found:
        raise UserError(
            f"--id: {id} failed in the run {folder} ({found['error']}): there is nothing to replay"
        )
    return found


def request_of(manifest: Mapping[str, Any], recordings: Recordings) -> Request:
    """The request, with its recordings from where they were or from where the caller says."""
    told, inputs = manifest["request"], manifest.get("inputs", {})
    prompt = recordings.prompt_audio or inputs.get("prompt_audio")
    if prompt is None and inputs.get("voice"):
        prompt = find_voice(inputs["voice"]).path
    request = Request(
        text=told["text"],
        language=told["language"],
        prompt_audio=_recording("prompt", prompt, told["prompt_samples"]),
        prompt_text=told["prompt_text"],
        emotion=told["emotion"],
        emotion_audio=_recording(
            "emotion", recordings.emotion_audio or inputs.get("emotion_audio"), told["emotion_samples"]
        ),
        seed=told["seed"],
        id=told["id"],
        as_written=told.get("as_written", False),
        neutral_audio=neutral_audio(find_voice(inputs["voice"])) if inputs.get("voice") else None,
    )
    for role in ("prompt", "emotion"):
        if describe_request(request)[f"{role}_sha256"] != told[f"{role}_sha256"]:
            raise UserError(f"the {role} audio is another one than the manifest's: give --{role}-audio")
    return request


def _recording(role: str, path: str | Path | None, samples: int) -> Waveform | None:
    if not samples:
        return None
    if path is None:
        raise UserError(f"the manifest does not say where the {role} audio is: give --{role}-audio")
    return read_audio(Path(path))
