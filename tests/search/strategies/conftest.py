"""Strategies of other packages."""

from collections.abc import Callable
from pathlib import Path

import pytest

Install = Callable[[dict[str, str]], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package whose entry points are {name: "module:object"}."""

    def installed(entry_points: dict[str, str]) -> None:
        folder = tmp_path / "some_plugin-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: some-plugin\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in entry_points.items()]
        (folder / "entry_points.txt").write_text("\n".join(["[llasa_search.strategies]", *lines]) + "\n")
        monkeypatch.syspath_prepend(tmp_path)

    return installed


@pytest.fixture
def examples(install: Install) -> None:
    """The example of the documentation."""
    here = "tests.search.strategies.example_plugin"
    install({"short-list": f"{here}:short_list", "longest": f"{here}:Longest"})
