"""Which files one command enters: a trace of the functions that it calls, each the first time it is called.

    python -m tests.house.walk TREE OUT ARGUMENT...

runs `llasa-search ARGUMENT...` of the tree (first on PYTHONPATH) and writes to OUT, as JSON, the walk of a
reader who follows every function once: the stays in files, in order. Imports are no calls: what runs while a
module is imported does not count.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

PACKAGES = ("llasa_core", "verifiers", "search", "experiments")
OPTIMIZED = 0x1
"""Flag of the code of functions; that of modules and class bodies lacks it."""


class Walk:
    """Records stays. `marks`: by name of an event, how many stays there were when it first came."""

    def __init__(self, tree: Path) -> None:
        self.roots = tuple(f"{tree / package}/" for package in PACKAGES)
        self.tree = tree
        self.seen: set[CodeType] = set()
        self.stays: list[str] = []
        self.marks: dict[str, int] = {}

    def mark(self, event: str) -> None:
        self.marks.setdefault(event, len(self.stays))

    def profile(self, frame: FrameType, event: str, argument: object) -> None:
        """For sys.setprofile."""
        code = frame.f_code
        if event != "call" or code in self.seen:
            return
        if code.co_name == "from_pretrained" and code.co_filename.endswith("transformers/modeling_utils.py"):
            self.mark("model")
        if not code.co_flags & OPTIMIZED or not code.co_filename.startswith(self.roots):
            self.seen.add(code)
            return
        if _importing(frame):
            return
        self.seen.add(code)
        file = str(Path(code.co_filename).relative_to(self.tree))
        if not self.stays or self.stays[-1] != file:
            self.stays.append(file)


def _importing(frame: FrameType) -> bool:
    caller = frame.f_back
    while caller is not None:
        if caller.f_code.co_name == "<module>" and caller.f_globals.get("__name__") != "__main__":
            return True
        caller = caller.f_back
    return False


def module_of(tree: Path, *names: str) -> Any:
    """The first of these modules that the tree has: they were moved. Raises FileNotFoundError if it has
    none.
    """
    for name in names:
        if tree.joinpath(*name.split(".")).with_suffix(".py").exists():
            return importlib.import_module(name)
    raise FileNotFoundError(f"{tree} has none of {', '.join(names)}")


def main(tree: Path, out: Path, arguments: list[str]) -> int:
    command: Callable[[list[str]], int] = module_of(tree, "experiments.cli.main", "experiments.cli").main
    result = module_of(tree, "search.results.result", "search.result").SearchResult
    walk = Walk(tree)
    made = result.__init__

    def init(self: object, *args: object, **options: object) -> None:
        walk.mark("result")
        made(self, *args, **options)

    result.__init__ = init
    threading.setprofile(walk.profile)
    sys.setprofile(walk.profile)
    try:
        code = command(arguments)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    walk.mark("end")
    out.write_text(json.dumps({"stays": walk.stays, "marks": walk.marks}), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
