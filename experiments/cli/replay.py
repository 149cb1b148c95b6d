"""`llasa-search replay`: makes a result again from its manifest, or a text of a run from its record, and says whether it
is the same to the sample."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from experiments.cli.synth import check_outputs, speak
from experiments.config import Settings, from_manifest
from experiments.runs.records import read_records
from llasa_core.audio import Waveform, read_audio
from llasa_core.errors import UserError
from llasa_core.request import Request
from llasa_core.voices import find_voice
from search.results.manifest import describe_request, identity, verifier_identity, versions


def replay(arguments: argparse.Namespace) -> bool:
    """Speaks again what a manifest describes. True if the winner is the same to the sample, or none is known.

    Raises UserError for a file that is no manifest, and for recordings or models that are not those it names.
    """
    found = read_manifest(arguments.manifest, arguments.id)
    manifest = found.get("manifest", found)
    settings = from_manifest(manifest)
    request = request_of(manifest, arguments)
    check_models(manifest["models"], settings)
    check_outputs(arguments)
    for name, then in manifest["versions"].items():
        if (now := versions().get(name)) != then:
            print(f"note: {name} was {then} and is {now}: samples may differ")
    set_threads(manifest["models"])
    inputs = {
        name: manifest.get("inputs", {}).get(name) for name in ("voice", "prompt_audio", "emotion_audio")
    }
    result = speak(settings, request, arguments, inputs)
    expected = found.get("waveform_sha256")
    if expected is None:
        return True
    same = bool(hashlib.sha256(result.waveform.tobytes()).hexdigest() == expected)
    print("the same, sample for sample" if same else "NOT the same as the result of the manifest")
    return same


def read_manifest(path: Path, id: str | None = None) -> dict[str, Any]:
    """A result or its manifest; with an id the record of a run. Raises UserError for anything else."""
    if id is not None:
        return find_record(path, id)
    if path.is_dir():
        raise UserError(f"{path} is a folder: if it is that of a run, say with --id which text")
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}: give the file that --json wrote") from None
    manifest = found.get("manifest", found) if isinstance(found, dict) else None
    if not isinstance(manifest, dict) or not {"request", "models", "strategy", "versions"} <= manifest.keys():
        raise UserError(f"{path} holds no manifest of a result: give the file that --json wrote")
    return dict(found)


def find_record(folder: Path, id: str) -> dict[str, Any]:
    """What became of a text of a run. Raises UserError if that was no speech."""
    ids: dict[str, None] = {}
    found: dict[str, Any] = {}
    for record in read_records(folder):
        ids[record["id"]] = None
        if record["id"] == id:
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


def request_of(manifest: Mapping[str, Any], arguments: argparse.Namespace) -> Request:
    """The request, with its recordings from where they were or from where the caller says."""
    told, inputs = manifest["request"], manifest.get("inputs", {})
    prompt = arguments.prompt_audio or inputs.get("prompt_audio")
    if prompt is None and inputs.get("voice"):
        prompt = find_voice(inputs["voice"]).path
    request = Request(
        text=told["text"],
        language=told["language"],
        prompt_audio=_recording("prompt", prompt, told["prompt_samples"]),
        prompt_text=told["prompt_text"],
        emotion=told["emotion"],
        emotion_audio=_recording(
            "emotion", arguments.emotion_audio or inputs.get("emotion_audio"), told["emotion_samples"]
        ),
        seed=told["seed"],
        id=told["id"],
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


def check_models(told: Mapping[str, Any], settings: Settings) -> None:
    """Raises UserError if a model is not the one of the manifest."""
    for role, source in (("generator", settings.generator), ("codec", settings.codec)):
        if identity(str(source)) != told[role]:
            raise UserError(f"the {role} {source} is not the one of the manifest: its content has changed")
    for role in ("verifiers", "judges"):
        for entry in told[role]:
            if verifier_identity(entry["spec"]) != entry:
                raise UserError(
                    f"the verifier {entry['spec']} is not the one of the manifest: its content has changed"
                )


def set_threads(told: Mapping[str, Any]) -> None:
    """As many as then: sums over several threads round otherwise."""
    import torch

    if threads := told.get("threads"):
        torch.set_num_threads(int(threads))
