"""Recipes: options of `llasa-search synth` and `run` in a YAML file, by their long names."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from experiments.documents import read_yaml
from llasa_core.errors import UserError, nearest
from llasa_core.paths import shown, user_path

FOLDER = Path(__file__).parents[1] / "recipes"
OUTPUTS = set(
    "help recipe text output json trace report candidates input resume retry_failed limit in_flight".split()
)
"""What a recipe cannot set: that belongs to one call."""


def shipped() -> dict[str, str]:
    """Names of the recipes in this package, each with its first line."""
    return {
        path.stem: path.read_text("utf-8").splitlines()[0].lstrip("# ")
        for path in sorted(FOLDER.glob("*.yaml"))
    }


def read_recipe(name: str) -> dict[str, Any]:
    """The options of a shipped recipe or of a file, by their names as they are written in it. Raises UserError."""
    path = Path(name)
    if "/" not in name and path.suffix not in (".yaml", ".yml"):
        path = FOLDER / f"{name}.yaml"
        if not user_path(path, "--recipe").is_file():
            raise UserError(
                f"no recipe {shown(name)!r} is shipped{nearest(name, shipped())}; or give a YAML file"
            )
    found = read_yaml(path, "--recipe")
    if not isinstance(found, dict):
        raise UserError(f"--recipe {shown(path)}: write options by their long names, as in 'strategy: beam'")
    for key in found:
        if not isinstance(key, str):
            raise UserError(f"--recipe {shown(path)}: {key!r} is no name of an option: write it as text")
    return found


def apply_recipe(parser: argparse.ArgumentParser, name: str) -> None:
    """Make a recipe's options the defaults of a parser. Raises UserError for an option that it does not have."""
    known = {action.dest for action in parser._actions} - OUTPUTS
    values: dict[str, Any] = {}
    for key, value in read_recipe(name).items():
        option = key.replace("-", "_")
        if option not in known:
            raise UserError(f"--recipe {name}: no option {key!r}{nearest(option, known)}")
        if option in ("verifier", "judge"):
            value = [value] if isinstance(value, str) else [str(item) for item in value]
        elif (
            option not in ("strategy", "budget")
            and isinstance(value, int | float)
            and not isinstance(value, bool)
        ):
            value = str(value)  # read like one that is typed
        values[option] = value
    parser.set_defaults(**values)
