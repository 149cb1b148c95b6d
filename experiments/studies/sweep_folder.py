"""The folder of a sweep: it belongs to one grid, and to one process at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from experiments.config import set_threads
from experiments.documents import read_json
from experiments.files import LEFTOVER, SCHEMA, Log, check_folder, check_version, write_whole
from experiments.runs.description import differences
from experiments.studies.sweep_grid import Cell, Grid, read_grid
from experiments.studies.sweep_log import NAME as SEARCHES
from experiments.studies.sweep_plan import Plan
from experiments.studies.sweep_table import GRID, SURROUNDINGS
from experiments.terminal import say
from llasa_core.errors import UserError
from llasa_core.paths import shown
from search.results.candidate import plain
from search.results.manifest import versions

AUDIO = "audio"


def open_folder(path: Path, plan: Plan, folder: Path) -> Log:
    """The log of the folder, locked, with the grid and the surroundings beside it. Raises UserError if the
    folder belongs to another sweep, or to another process now."""
    check_folder(folder, "--out")
    strangers = [name for name in ("run.json", "records.jsonl") if (folder / name).exists()]
    if strangers:
        raise UserError(f"--out {shown(folder)} holds {strangers[0]}, a run's: choose another folder")
    own = folder / GRID
    if own.exists() and read_grid(own) != plan.grid:
        raise UserError(
            f"--out {shown(folder)} is the sweep of another grid ({shown(own)}): choose another folder"
        )
    log = Log(folder / SEARCHES)
    try:
        _check_surroundings(folder / SURROUNDINGS, plan)
        write_whole(own, written(path, plan.grid))
        audio = folder / AUDIO
        if plan.grid.keep == "winners":
            audio.mkdir(exist_ok=True)
        for place in (folder, *([audio] if audio.is_dir() else [])):
            for file in place.iterdir():
                if LEFTOVER.fullmatch(file.name):
                    file.unlink()
    except BaseException:
        log.close()
        raise
    return log


def written(path: Path, grid: Grid) -> bytes:
    """The grid as it was given, or as the command line has changed it."""
    if read_grid(path) == grid:
        return path.read_bytes()
    import yaml

    content: str = yaml.safe_dump(grid.model_dump(exclude_defaults=True), allow_unicode=True, sort_keys=False)
    return content.encode()


def columns_of(cell: Cell, run: Cell) -> dict[str, str | int]:
    """What the table says of a cell. run: the one whose search it was taken from."""
    return {
        "series": cell.series,
        "preset": cell.preset,
        "strategy": cell.strategy,
        "spec": cell.spec,
        "n": cell.n,
        "beams": cell.beams,
        "subsampled": 0 if cell is run else run.n,
    }


def _check_surroundings(path: Path, plan: Plan) -> None:
    """Writes what the results depend on beside the grid, or raises UserError if that has changed since."""
    import torch

    models = dict.fromkeys(cell.settings.models for cell in plan.cells)
    runs = {cell.id: job.cell for job in plan.jobs for cell in job.answers}
    now: dict[str, Any] = {
        "schema": SCHEMA,
        "cells": {cell.id: columns_of(cell, runs[cell.id]) for cell in plan.cells},
        "directions": plan.directions,
        "texts": {row.id: plain(row.asked) for row in plan.rows},
        "input": {row.id: row.inputs for row in plan.rows},  # where its recordings are; that may change
        "models": [
            {key: value for key, value in plain(one.manifest(0)).items() if key not in ("threads", "device")}
            for one in models
        ],
        "versions": versions(),
        "threads": torch.get_num_threads(),
    }
    if path.exists():
        then = check_version(read_json(path, "the surroundings of the sweep"), shown(path))
        found = differences(then, now)
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            raise UserError(
                f"cannot go on with {shown(path.parent)}: {'; '.join(found[:3])}{more}; choose another folder"
            )
        for name, before in then.get("versions", {}).items():
            if (current := now["versions"].get(name)) != before:
                say(f"note: {name} was {before} and is {current}: samples may differ", error=True)
        set_threads(then.get("threads"))
        return
    write_whole(path, json.dumps(now, indent=1, ensure_ascii=False).encode() + b"\n")
