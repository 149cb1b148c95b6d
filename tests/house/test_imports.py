"""What `make house` counts, on small trees."""

from pathlib import Path

import pytest

from tests.house.imports import circles, import_graph, lines_of, modules, sub_packages


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    "back",
    [
        "import search.a",
        "from search import a",
        "from search.a import A",
        "def f():\n    from search.a import A",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from search.a import A",
    ],
)
def test_every_kind_of_import_closes_a_circle(tmp_path: Path, back: str) -> None:
    files = {"search/__init__.py": "", "search/a.py": "from search.b import B", "search/b.py": back}
    graph = import_graph(modules(tree(tmp_path, files)))
    assert graph["search.a"] == {"search.b"}
    assert circles(graph) == [["search.a", "search.b"]]


def test_a_circle_of_sub_packages_needs_none_of_modules(tmp_path: Path) -> None:
    files = {
        "search/x/one.py": "from search.y import two",
        "search/y/two.py": "import json",
        "search/y/three.py": "import search.x.four",
        "search/x/four.py": "",
    }
    graph = import_graph(modules(tree(tmp_path, files)))
    assert circles(graph) == []
    assert circles(sub_packages(graph)) == [["search.x", "search.y"]]


def test_lines_with_code_leave_out_blanks_comments_and_docstrings(tmp_path: Path) -> None:
    text = '"""A\n\ndocstring."""\n\n# comment\nx = (\n    1,\n)\n\n'
    text += '\ndef f():\n    """One."""\n    return """a\nb"""\n'
    path = tmp_path / "a.py"
    path.write_text(text)
    assert lines_of([path]) == (14, 6)
