"""Runs draws in a process of their own: the real `main`, up to where models would be loaded."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import sys
import traceback
from dataclasses import dataclass, replace
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz.world import snapshot, spoil

SECONDS = 20.0
"""A draw that takes longer hangs."""
WARM_UP = 120.0
"""The first draw of a process imports torch."""
CODES = {0, 1, 2, 3, 130}
WRITES = {"-o", "--output", "--json", "--trace", "--report", "--candidates"}
"""Options behind which the file stands that a command was asked to write."""
LOADING = "models would be loaded now"


@dataclass(frozen=True, slots=True)
class Draw:
    """seed: of this draw alone. fault: what is wrong with how the command ended; "" if nothing is."""

    seed: int
    what: str
    arguments: list[str]
    code: int | None
    stderr: str
    fault: str

    @property
    def loads(self) -> bool:
        """Whether everything given was right, so that models would have been loaded."""
        return LOADING in self.stderr


class Runner:
    """Copies the good world for each draw. The process is started again after a draw that hangs or kills
    it.
    """

    def __init__(self, world: Path, scratch: Path) -> None:
        self.world, self.folder = world, scratch / "world"
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._limit = WARM_UP

    def run(self, seed: int) -> Draw:
        """Draw number `seed`, the same each time."""
        self._renew()
        draw = random.Random(seed)
        if draw.random() < 0.5:
            what, arguments = spoil(draw, self.folder)
        else:
            from tests.fuzz.commands import command_line

            what, arguments = "options", command_line(draw)
        return self._judged(seed, what, arguments)

    def run_good(self, name: str, arguments: list[str]) -> Draw:
        """The command that reads the document of that name, which is as it should be."""
        self._renew()
        draw = self._judged(-1, f"good {name}", arguments)
        return (
            draw
            if draw.fault or draw.loads or not draw.code
            else replace(draw, fault="a good document is refused")
        )

    def _renew(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.world, self.folder, symlinks=True, copy_function=_copy)

    def _judged(self, seed: int, what: str, arguments: list[str]) -> Draw:
        before = snapshot(self.folder)
        code, stderr, fault = self._ask(arguments)
        after = snapshot(self.folder)
        asked = {word for option, word in pairwise(arguments) if option in WRITES}
        changed = sorted(
            name
            for name in before.keys() | after.keys()
            if before.get(name) != after.get(name) and not asked & {name, *map(str, Path(name).parents)}
        )
        if changed and not fault:
            fault = f"changed {', '.join(changed)}"
        return Draw(seed, what, arguments, code, stderr, fault or verdict(code, stderr))

    def _ask(self, arguments: list[str]) -> tuple[int | None, str, str]:
        if self._process is None or self._pipe is None:
            spawn = multiprocessing.get_context("spawn")
            self._pipe, theirs = spawn.Pipe()
            self._process = spawn.Process(target=serve, args=(theirs, str(self.folder)), daemon=True)
            self._process.start()
            theirs.close()
            self._limit = WARM_UP
        try:
            self._pipe.send(arguments)
            if self._pipe.poll(self._limit):
                self._limit = SECONDS
                code, stderr, fault = self._pipe.recv()
                return code, stderr, fault
            fault = f"hangs for more than {self._limit:.0f} s"
        except (EOFError, OSError):
            fault = "the process died"
        self.close()
        return None, "", fault

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None


def verdict(code: int | None, stderr: str) -> str:
    """What is wrong with an exit code and what was printed on stderr; "" if nothing is."""
    errors = [line for line in stderr.splitlines() if line.startswith("error: ")]
    if code not in CODES:
        return f"exit code {code}"
    if "Traceback (most recent call last)" in stderr:
        return "a traceback"
    if code == 2 and len(errors) != 1:
        return f"{len(errors)} lines of error"
    if code == 2 and (len(errors[0]) > 650 or len(errors[0]) < 15):
        return f"an error of {len(errors[0])} characters"
    return ""


def serve(pipe: Connection, folder: str) -> None:
    """In the other process: runs the arguments that come, and answers with exit code, stderr and fault."""
    home = Path(folder) / "home"
    os.environ |= {"HOME": str(home), "TMPDIR": f"{folder}/tmp", "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}
    streams = {
        number: os.open(f"{folder}.{number}", os.O_RDWR | os.O_CREAT | os.O_TRUNC) for number in (1, 2)
    }
    for number, stream in streams.items():
        os.dup2(stream, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    refuse_models()
    from experiments.cli.main import main

    while True:
        arguments = pipe.recv()
        os.chdir(folder)
        os.ftruncate(2, 0)
        os.ftruncate(1, 0)
        os.lseek(2, 0, os.SEEK_SET)
        os.lseek(1, 0, os.SEEK_SET)
        fault, code = "", None
        try:
            code = main(arguments)
        except BaseException:  # noqa: BLE001 (what comes out of main is what is looked for)
            fault = "a traceback: " + traceback.format_exc()[-1500:]
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        pipe.send((code, os.pread(2, 1 << 20, 0).decode("utf-8", "replace"), fault))


def refuse_models() -> None:
    """A command that would load models ends there, with one line as for bad input."""
    import verifiers.instances
    from llasa_core.errors import UserError
    from search.engine import Searcher

    def refuse(*_: object, **__: object) -> None:
        raise UserError(f"all that was given is right: {LOADING}")

    Searcher.load = refuse  # type: ignore[assignment, method-assign]
    verifiers.instances.load_shared = refuse  # type: ignore[assignment]


def _copy(source: str, target: str) -> None:
    """Pipes are made again, not read."""
    if Path(source).is_fifo():
        os.mkfifo(target)
    else:
        shutil.copy2(source, target)
