"""`python -m tests.house [TREE...]`: files, lines, circles of imports, and the files that `synth` and `run`
enter, of each tree.

Without a tree it is this one. Trees may be older: `git worktree add /tmp/before COMMIT`, then
`python -m tests.house /tmp/before .` prints both beside each other.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.house import walk
from tests.house.imports import PACKAGES, circles, import_graph, lines_of, modules, sub_packages

TEXT = "the morning train is late again"
SHIPPED = "--verifier whisper:nano --verifier wavlm-sv:nano --judge hubert-ctc:nano".split()
"""Whatever else is installed."""
COMMANDS = {
    "synth": ["synth", TEXT, "-n", "2", "-o", "{out}/a.wav", *SHIPPED],
    "run": ["run", "{out}/texts.txt", "-n", "2", "-o", "{out}/run", *SHIPPED],
}
UNTIL = {"model": "before a model is loaded", "result": "to the result", "end": "to the end"}


def figures(tree: Path, walks: bool) -> dict[str, str]:
    """By what is counted, its figure."""
    found = modules(tree)
    graph = import_graph(found)
    rows = {}
    for package in PACKAGES:
        own = [path for name, path in found.items() if name.split(".")[0] == package]
        rows[package] = "{}, {} ({})".format(len(own), *lines_of(own))
    rows["all four"] = "{}, {} ({})".format(len(found), *lines_of(found.values()))
    tests = sorted((tree / "tests").rglob("*.py"))
    rows["tests"] = "{}, {} ({})".format(len(tests), *lines_of(tests))
    for title, some in (("modules", graph), ("sub-packages", sub_packages(graph))):
        rows[f"circles of {title}"] = "\n".join([str(len(circles(some))), *map(" ".join, circles(some))])
    for name in COMMANDS if walks else ():
        stays, marks = walk_of(tree, name)
        for event, until in UNTIL.items():
            part = stays[: marks[event]]
            files = len(set(part))
            rows[f"{name} {until}"] = f"{files}, {len(part) - files}"
    return rows


def walk_of(tree: Path, name: str) -> tuple[list[str], dict[str, int]]:
    """The stays of the command, and how many there were at each event. Raises CalledProcessError if it
    fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "texts.txt").write_text(f"{TEXT}\n", encoding="utf-8")
        arguments = [part.format(out=folder) for part in COMMANDS[name]]
        subprocess.run(
            [sys.executable, str(Path(walk.__file__)), str(tree), f"{folder}/walk.json", *arguments],
            env={**os.environ, "PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1", "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        found = json.loads((Path(folder) / "walk.json").read_text(encoding="utf-8"))
    return found["stays"], found["marks"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.house", description=__doc__.split("\n\n")[0])
    parser.add_argument("trees", nargs="*", type=Path, default=[Path()], metavar="TREE")
    parser.add_argument("--static", action="store_true", help="run no command: lines and imports only")
    parser.add_argument(
        "--show", choices=COMMANDS, help="print the walk of a command through the last tree instead"
    )
    arguments = parser.parse_args()
    trees = [tree.resolve() for tree in arguments.trees]
    if arguments.show:
        stays, marks = walk_of(trees[-1], arguments.show)
        for place, stay in enumerate(stays):
            events = [until for event, until in UNTIL.items() if marks[event] == place]
            print(
                *(f"-- {until}" for until in events),
                ("   " if stay in stays[:place] else "") + stay,
                sep="\n",
            )
        return 0
    counted = [figures(tree, not arguments.static) for tree in trees]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("files, lines (with code); files entered, returns", *map(str, arguments.trees)):
        table.add_column(heading, justify="right" if table.columns else "left")
    for row in counted[-1]:
        table.add_row(row, *(each[row] for each in counted))
    Console(highlight=False).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
