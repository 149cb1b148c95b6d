"""Entry points as installed packages would add them."""

from importlib import metadata
from typing import Any

import pytest

from verifiers.registry import ENTRY_POINTS


def install(monkeypatch: pytest.MonkeyPatch, **targets: str) -> None:
    """Kinds by name, each with its `module:Class`."""
    points = [metadata.EntryPoint(name, target, ENTRY_POINTS) for name, target in targets.items()]
    real = metadata.entry_points

    def entry_points(**wanted: Any) -> Any:
        """Those of other groups stay: libraries ask for theirs when they are first used."""
        return points if wanted.get("group") == ENTRY_POINTS else real(**wanted)

    monkeypatch.setattr(metadata, "entry_points", entry_points)
