"""run.json: what a run was asked for. --resume needs the same settings; the list may have changed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from experiments.config import Settings, set_threads
from experiments.documents import Schema, checked, read_json
from experiments.files import SCHEMA, Destination, check_outputs, check_version, file_hash, write_whole
from experiments.request_options import RequestOptions
from experiments.runs.dataset import Row
from experiments.runs.records import NAME as RECORDS
from experiments.runs.records import Records
from experiments.runs.table import NAME as TABLE
from experiments.terminal import say
from llasa_core.errors import UserError
from llasa_core.paths import shown
from search.results.candidate import plain
from search.results.manifest import versions

NAME = "run.json"
ACTORS = "actors.jsonl"
SHOWN = 10
"""Of what is different, so much is listed."""
SURROUNDINGS = ("versions", "threads", "input", "schema")
"""What may have changed when a run is gone on with; each record says of its own."""


class Source(Schema):
    """The list: where it was, and how many of its texts were asked for."""

    file: str
    texts: int


class Description(Schema):
    """run.json."""

    version: Literal[1] = Field(alias="schema")
    input: Source
    options: dict[str, Any]
    strategy: dict[str, Any]
    budget: dict[str, Any]
    models: dict[str, Any]
    versions: dict[str, str]
    threads: int = Field(ge=1, le=4096)


def describe(source: Path, request: RequestOptions, settings: Settings, count: int) -> dict[str, Any]:
    """What was asked for: all that decides the results but the list, and the surroundings."""
    import torch

    recordings = {
        name: file_hash(Path(path))
        for name in ("prompt_audio", "emotion_audio")
        if (path := getattr(request, name)) is not None
    }
    as_written = {"as_written": True} if request.as_written else {}
    threads = torch.get_num_threads()
    asked = plain(settings.describe(threads))
    del asked["models"]["threads"]  # it stands among the surroundings
    options = ("prompt_text", "voice", "no_prompt", "language", "emotion", "emotion_strength", "seed")
    styles: dict[str, Any] = {"voice_styles": True} if request.voice_styles else {}
    styles |= {"also_prompts": list(request.also_prompts)} if request.also_prompts else {}
    return {
        "schema": SCHEMA,
        "input": {"file": str(source.absolute()), "texts": count},
        "options": {name: getattr(request, name) for name in options} | recordings | as_written | styles,
        **asked,
        "versions": versions(),
        "threads": threads,
    }


def real(path: Path) -> str:
    """The path without links; a loop of links stays as it is, and is refused where it is opened."""
    return os.path.realpath(path)


def check_places(folder: Path, rows: Sequence[Row], inputs: Mapping[str, Path | None]) -> None:
    """Raises UserError if a run into the folder would write over its inputs, or files of another origin."""
    option = "-o"
    names = [RECORDS, NAME, TABLE, ACTORS, *(row.file for row in rows)]
    recordings = {
        f"the recording of {row.where}": path
        for row in rows
        for path in (row.prompt_audio, row.emotion_audio)
        if path is not None and real(path.parent) in (real(folder), real(folder / "audio"))
    }
    read = {real(path): name for name, path in {**inputs, **recordings}.items() if path is not None}
    for name in names:
        if name_read := read.get(real(folder / name)):
            raise UserError(
                f"{option} {shown(folder)}: {name} would write over {name_read}: choose another folder"
            )
    check_outputs([Destination(option, folder / name) for name in names[:4]], {})
    if (folder / NAME).exists():
        check_version(read_json(folder / NAME, "the description of a run"), shown(folder / NAME))
        return
    for name in names[1:]:
        if (folder / name).exists():
            raise UserError(
                f"{option} {shown(folder)} holds {name}, which is not of a run: "
                "move it away, or choose another folder"
            )


def prepare_folder(records: Records, asked: Mapping[str, Any], *, resume: bool) -> None:
    """Writes run.json. Raises UserError if the folder holds a run that this one does not go on with."""
    path = records.folder / NAME
    if records.outcomes:
        if not resume:
            raise UserError(
                f"{shown(records.folder)} holds {len(records.outcomes)} texts of an earlier run: "
                "go on with --resume, or choose another folder with -o"
            )
        _check_same(path, asked)
    records.prepare()
    write_whole(path, json.dumps(asked, indent=2, ensure_ascii=False).encode() + b"\n")


def _check_same(path: Path, asked: Mapping[str, Any]) -> None:
    """Raises UserError unless the run of before is what is asked for now; as many threads as then."""
    told = check_version(read_json(path, "the description of the run"), shown(path))
    checked(Description, told, shown(path))
    if found := differences(told, asked):
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise UserError(
            f"cannot go on: {'; '.join(found[:SHOWN])}{more}; "
            "ask for the same, or choose another folder with -o"
        )
    for name, then in told["versions"].items():
        if (now := asked["versions"].get(name)) != then:
            say(f"note: {name} was {then} and is {now}: samples may differ", error=True)
    set_threads(told.get("threads"))


def differences(then: Any, now: Any, name: str = "") -> list[str]:
    """`strategy.n was 4 and is 8` for each part in which two nested values differ, but for SURROUNDINGS."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        keys = [key for key in dict.fromkeys((*then, *now)) if name or key not in SURROUNDINGS]
        parts = [differences(then.get(key), now.get(key), f"{name}.{key}" if name else key) for key in keys]
        return [line for part in parts for line in part]
    if then == now:
        return []
    return [f"{name} was {json.dumps(then)[:80]} and is {json.dumps(now)[:80]}"]
