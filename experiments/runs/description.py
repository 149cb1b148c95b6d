"""run.json: what a run was asked for. A run is gone on with only by asking for the same."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.config import Settings, set_threads
from experiments.request_options import RequestOptions
from experiments.runs.records import Records, write_whole
from llasa_core.errors import UserError
from search.results.manifest import content_hash, versions
from search.results.result import plain

NAME = "run.json"
SHOWN = 10
"""Of what is different, so much is listed."""
SURROUNDINGS = ("versions", "threads")
"""What may have changed when a run is gone on with; each record says of its own."""


def describe(source: Path, request: RequestOptions, settings: Settings, count: int) -> dict[str, Any]:
    """What was asked for: all that decides the results, and the surroundings."""
    import torch

    recordings = {
        name: content_hash(Path(path).resolve())
        for name in ("prompt_audio", "emotion_audio")
        if (path := getattr(request, name)) is not None
    }
    threads = torch.get_num_threads()
    asked = plain(settings.describe(threads))
    del asked["models"]["threads"]  # it stands among the surroundings
    options = ("prompt_text", "voice", "no_prompt", "language", "emotion", "seed")
    return {
        "input": {
            "file": str(source.absolute()),
            "sha256": content_hash(source.resolve()),
            "texts": count,
        },
        "options": {name: getattr(request, name) for name in options} | recordings,
        **asked,
        "versions": versions(),
        "threads": threads,
    }


def prepare_folder(records: Records, asked: Mapping[str, Any], *, resume: bool) -> None:
    """Writes run.json, or holds it against what is asked for now. Raises UserError if the one run is not the other."""
    path = records.folder / NAME
    if not records.status:
        write_whole(path, json.dumps(asked, indent=2, ensure_ascii=False).encode() + b"\n")
        return
    if not resume:
        raise UserError(
            f"{records.folder} holds {len(records.status)} texts of an earlier run: go on with --resume, "
            "or choose another folder with -o"
        )
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot go on: {path} cannot be read ({error}); choose another folder with -o"
        ) from None
    found = differences(
        {**told, "input": told["input"]["sha256"]}, {**asked, "input": asked["input"]["sha256"]}
    )
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise UserError(
            f"cannot go on: {'; '.join(found[:SHOWN])}{more}; ask for the same, or choose another folder with -o"
        )
    for name, then in told["versions"].items():
        if (now := asked["versions"].get(name)) != then:
            print(f"note: {name} was {then} and is {now}: samples may differ", file=sys.stderr)
    set_threads(told.get("threads"))


def differences(then: Any, now: Any, name: str = "") -> list[str]:
    """`strategy.n was 4 and is 8` for each part of two nested values that is not the same; surroundings left out."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        keys = [key for key in dict.fromkeys((*then, *now)) if name or key not in SURROUNDINGS]
        parts = [differences(then.get(key), now.get(key), f"{name}.{key}" if name else key) for key in keys]
        return [line for part in parts for line in part]
    if then == now:
        return []
    if name == "input":
        return ["the content of INPUT is another one"]
    return [f"{name} was {json.dumps(then)} and is {json.dumps(now)}"]
