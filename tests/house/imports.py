"""Imports between the modules of a tree, read from the sources without running them, and the circles among
them.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

PACKAGES = ("llasa_core", "verifiers", "search", "experiments")
Graph = dict[str, set[str]]
"""Module or sub-package -> those that it imports."""


def modules(tree: Path) -> dict[str, Path]:
    """Dotted name -> file, of every module of the four packages; a package goes by its own name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((tree / package).rglob("*.py")):
            parts = path.relative_to(tree).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def import_graph(found: Mapping[str, Path]) -> Graph:
    """Every import statement counts: those in functions and under TYPE_CHECKING too."""
    return {
        name: {target for wanted in _imported(path) if (target := _known(wanted, found)) and target != name}
        for name, path in found.items()
    }


def sub_packages(graph: Graph) -> Graph:
    """The same between sub-packages: `search.backends.ray.actors` and all below it count as
    `search.backends`.
    """
    short = {name: ".".join(name.split(".")[:2]) for name in graph}
    found: Graph = {}
    for name, targets in graph.items():
        found.setdefault(short[name], set()).update(short[target] for target in targets)
    return {name: targets - {name} for name, targets in found.items()}


def circles(graph: Graph) -> list[list[str]]:
    """Groups that reach each other by imports: the strongly connected components of two and more (Tarjan
    1972).
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in sorted(graph[name]):
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            place = stack.index(name)
            if len(stack) - place > 1:
                found.append(sorted(stack[place:]))
            del stack[place:]

    for name in graph:
        if name not in index:
            visit(name)
    return found


def lines_of(paths: Collection[Path]) -> tuple[int, int]:
    """(all lines, lines with code: neither blank, nor a comment, nor part of a docstring)."""
    every = code = 0
    for path in paths:
        text = path.read_text(encoding="utf-8")
        every += len(text.splitlines())
        docstrings = set(_docstring_lines(ast.parse(text)))
        skipped = {
            tokenize.COMMENT,
            tokenize.NL,
            tokenize.NEWLINE,
            tokenize.INDENT,
            tokenize.DEDENT,
            tokenize.ENDMARKER,
        }
        used: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type not in skipped:
                used.update(range(token.start[0], token.end[0] + 1))
        code += len(used - docstrings)
    return every, code


def _docstring_lines(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _imported(path: Path) -> Iterator[str]:
    """Dotted names that may be modules: of `from a import b` first a.b, then a."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _known(wanted: str, found: Mapping[str, Path]) -> str | None:
    """The module of the tree that the name means: itself, or the one that holds it."""
    if wanted in found:
        return wanted
    holder = wanted.rpartition(".")[0]
    return holder if holder in found else None
