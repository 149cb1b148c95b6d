"""Recipes: options of `llasa-search synth` and `run` in a YAML file, by their long names."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from llasa_core.errors import UserError
from verifiers.spec import nearest

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
    """The options of a shipped recipe or of a file. Raises UserError for what is none."""
    import yaml

    path = Path(name).expanduser()
    if "/" not in name and path.suffix not in (".yaml", ".yml"):
        path = FOLDER / f"{name}.yaml"
        if not path.is_file():
            raise UserError(f"no recipe {name!r} is shipped{nearest(name, shipped())}; or give a YAML file")
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(
            f"--recipe {path}: {' '.join(str(error).split())}: give a readable YAML file"
        ) from None
    if not isinstance(found, dict):
        raise UserError(f"--recipe {path}: write options by their long names, as in 'strategy: beam'")
    return {str(key): value for key, value in found.items()}


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
