"""Entry points as installed packages would add them."""

from importlib import metadata

import pytest

from verifiers.registry import ENTRY_POINTS


def install(monkeypatch: pytest.MonkeyPatch, **targets: str) -> None:
    """Kinds by name, each with its `module:Class`."""
    points = [metadata.EntryPoint(name, target, ENTRY_POINTS) for name, target in targets.items()]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points if group == ENTRY_POINTS else [])
