"""Recipes: options of `llasa-search synth` and `run` in a YAML file, by their long names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.documents import read_yaml
from llasa_core.errors import UserError, nearest
from llasa_core.paths import shown, user_path

FOLDER = Path(__file__).parents[1] / "recipes"


def shipped() -> dict[str, str]:
    """Names of the recipes in this package, each with its first line."""
    return {
        path.stem: path.read_text("utf-8").splitlines()[0].lstrip("# ")
        for path in sorted(FOLDER.glob("*.yaml"))
    }


def recipe_path(name: str) -> Path:
    """Where a recipe is: a file, or a shipped one by its name. Raises UserError for an unknown name."""
    if "/" in name or name.endswith((".yaml", ".yml")):
        return user_path(name, "--recipe")
    if name not in shipped():
        raise UserError(
            f"no recipe {shown(name)!r} is shipped{nearest(name, shipped())}; or give a YAML file"
        )
    return FOLDER / f"{name}.yaml"


def read_recipe(name: str) -> dict[str, Any]:
    """The options of a recipe, by their names as they are written in it. Raises UserError."""
    path = recipe_path(name)
    found = read_yaml(path, "--recipe")
    if not isinstance(found, dict):
        raise UserError(f"--recipe {shown(path)}: write options by their long names, as in 'strategy: beam'")
    for key in found:
        if not isinstance(key, str):
            raise UserError(f"--recipe {shown(path)}: {key!r} is no name of an option: write it as text")
    return found
