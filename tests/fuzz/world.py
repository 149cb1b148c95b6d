"""The folder that a draw runs in: good documents of every kind, made by the product itself, and one of them
spoilt.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml

from llasa_core.voices import shipped_voices
from tests.fuzz.values import damaged, dumped, mutated, odd_value

OUT = "out"
"""The folder of all outputs: nothing else in the world may change. The run in `run` is an output of `run`
too.
"""
OUTPUTS = (OUT, "run", "tmp", "home")
"""Folders that may change. `home` has the caches of libraries: modelscope writes there when it is
imported.
"""
RECIPE = {"preset": "nano", "strategy": {"name": "beam", "beams": 1}, "n": 2, "budget": {"tokens": 900},
"seed": 1,
          "verifier": ["whisper:nano", "wavlm-sv:nano"], "temperature": 0.8, "voice": "slt",
          "language": "en"}  # fmt: skip
ROWS = [
    {"id": "one", "text": "seven birds", "voice": "slt", "language": "en", "seed": 3},
    {"id": "two", "text": "the old clock", "prompt_audio": "voice.wav", "prompt_text": "a voice"},
]


def build(folder: Path) -> None:
    """The good world, by two real commands. Raises CalledProcessError if one fails."""
    for name in OUTPUTS:
        (folder / name).mkdir(parents=True)
    voice = shipped_voices()[0]
    shutil.copy(voice.path, folder / "voice.wav")
    (folder / "list.txt").write_text("seven birds\nthe old clock\n")
    (folder / "texts.txt").write_text("voice.wav|seven birds\n")
    (folder / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "list.csv").write_text("id,text,voice,seed\none,seven birds,slt,3\ntwo,the old clock,kal,4\n")
    (folder / "meta.lst").write_text("one|a voice|voice.wav|seven birds\n")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    _write_parquet(folder / "list.parquet", [{"id": "one", "text": "seven birds", "seed": 3}])
    os.mkfifo(folder / "fifo")
    (folder / "loop").symlink_to("loop")
    command = [sys.executable, "-m", "experiments.cli.main"]
    for arguments in (
        ["synth", "seven birds", "-n", "1", "-o", "out/first.wav", "--json", "result.json"],
        ["run", "list.txt", "-o", "run", "-n", "1"],
    ):
        root = Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": str(root), "HF_HUB_OFFLINE": "1"}
        subprocess.run(
            [*command, *arguments], cwd=folder, env=environment, check=True, capture_output=True, timeout=300
        )


def _write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def spoil(draw: random.Random, folder: Path) -> tuple[str, list[str]]:
    """Spoils one document of a fresh world: (what was done, the command that reads it)."""
    name, command = draw.choice(list(READERS.items()))
    path = folder / name
    spoiled = draw.choice(SPOILERS.get(path.suffix, (_bytes,)))
    spoiled(draw, path)
    return f"{spoiled.__name__.strip('_')} {name}", command


def _bytes(draw: random.Random, path: Path) -> None:
    path.write_bytes(damaged(draw, path.read_bytes()))


def _keys(draw: random.Random, path: Path) -> None:
    path.write_bytes(dumped(mutated(draw, json.loads(path.read_bytes()))))


def _lines(draw: random.Random, path: Path) -> None:
    lines = path.read_bytes().splitlines()
    place = draw.randrange(len(lines))
    lines[place] = dumped(mutated(draw, json.loads(lines[place])))
    path.write_bytes(b"\n".join(lines) + b"\n")


def _yaml_keys(draw: random.Random, path: Path) -> None:
    recipe: Any = (
        {**RECIPE, draw.choice(list(RECIPE)): odd_value(draw)}
        if draw.random() < 0.5
        else mutated(draw, RECIPE)
    )
    path.write_bytes(dumped(recipe) if draw.random() < 0.5 else _yaml(recipe))


def _yaml(value: Any) -> bytes:
    return yaml.dump(value, allow_unicode=True).encode("utf-8", "surrogatepass")


def _column(draw: random.Random, path: Path) -> None:
    """One field of a table."""
    lines = path.read_text().splitlines()
    place = draw.randrange(len(lines))
    fields = lines[place].split("|" if path.suffix == ".lst" else ",")
    fields[draw.randrange(len(fields))] = str(odd_value(draw))[:5000] if draw.random() < 0.8 else '"'
    lines[place] = ("|" if path.suffix == ".lst" else ",").join(fields)
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))


def _parquet(draw: random.Random, path: Path) -> None:
    """A value of another type in all rows."""
    import pyarrow

    row = {"id": "one", "text": "seven birds", "seed": 3}
    row[draw.choice((*row, "language", "extra"))] = draw.choice(
        (None, True, 1.5, b"\xff", "", [1], {"a": 1}, -1, 2**62, "a" * 5000)
    )
    try:
        _write_parquet(path, [row])
    except pyarrow.ArrowException:
        _bytes(draw, path)


def _audio(draw: random.Random, path: Path) -> None:
    """Another rate, length, loudness or number of channels."""
    samples = np.random.default_rng(draw.randrange(100)).normal(
        0, 0.1, draw.choice((0, 1, 100, 16_000, 400_000))
    )
    samples *= draw.choice((0.0, 1.0, 1e6, 1e30))
    if draw.random() < 0.3:
        samples[: len(samples) // 2] = draw.choice((np.nan, np.inf))
    shaped = samples.reshape(-1, 1).repeat(draw.choice((1, 2, 8)), 1)
    soundfile.write(
        path, shaped, draw.choice((1, 100, 8000, 44_100, 192_000)), subtype=draw.choice(("FLOAT", "PCM_16"))
    )


def _special(draw: random.Random, path: Path) -> None:
    """No regular file, or one that cannot be read."""
    path.unlink()
    match draw.randrange(5):
        case 0:
            os.mkfifo(path)
        case 1:
            path.symlink_to("/dev/zero")
        case 2:
            path.symlink_to(path.name)
        case 3:
            path.mkdir()
        case _:
            pass


Spoiler = Callable[[random.Random, Path], None]
SPOILERS: dict[str, tuple[Spoiler, ...]] = {
    ".json": (_keys, _keys, _keys, _bytes, _special),
    ".jsonl": (_lines, _lines, _lines, _bytes, _special),
    ".yaml": (_yaml_keys, _yaml_keys, _yaml_keys, _bytes, _special),
    ".csv": (_column, _column, _bytes, _special),
    ".lst": (_column, _column, _bytes, _special),
    ".txt": (_bytes, _special),
    ".parquet": (_parquet, _parquet, _bytes, _special),
    ".wav": (_audio, _audio, _bytes, _special),
}
READERS = {
    "result.json": ["replay", "result.json", "-o", "out/a.wav"],
    "run/records.jsonl": ["run", "list.txt", "-o", "run", "-n", "1", "--resume"],
    "run/run.json": ["run", "list.txt", "-o", "run", "-n", "1", "--resume"],
    "recipe.yaml": ["synth", "seven birds", "--recipe", "recipe.yaml", "-o", "out/a.wav"],
    "list.csv": ["run", "list.csv", "-o", "out/run"],
    "list.jsonl": ["run", "list.jsonl", "-o", "out/run"],
    "list.txt": ["run", "list.txt", "-o", "out/run"],
    "meta.lst": ["run", "meta.lst", "-o", "out/run"],
    "list.parquet": ["run", "list.parquet", "-o", "out/run"],
    "texts.txt": ["score", "--texts", "texts.txt"],
    "voice.wav": [
        "synth",
        "seven birds",
        "--prompt-audio",
        "voice.wav",
        "--prompt-text",
        "a voice",
        "-o",
        "out/a.wav",
    ],
}
"""Every document, and a command that reads it."""


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """(kind and size, time of change) of everything in the world but the outputs, by path."""
    found = {}
    for path in _walk(folder):
        status = path.lstat()
        found[str(path.relative_to(folder))] = (status.st_mode << 48 | status.st_size, status.st_mtime_ns)
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.parent == folder and path.name in OUTPUTS:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        else:
            yield path
