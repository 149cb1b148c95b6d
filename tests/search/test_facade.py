"""`import llasa_search`, and what it says when another distribution has taken one of the names."""

import shutil
import subprocess
import sys
from pathlib import Path

import llasa_search
import pytest

import search

pytestmark = pytest.mark.processes
ROOT = Path(search.__file__).resolve().parents[1]


def python(code: str, *path: Path) -> subprocess.CompletedProcess[str]:
    """Runs code with these folders on the path, and nothing of this project but by them."""
    lines = [
        f"import sys; sys.path[:0] = {[str(folder) for folder in path]!r}",
        # an editable installation of this project would find what is missing
        "sys.meta_path = [one for one in sys.meta_path if 'editable' not in getattr(one, '__module__', '')]",
        code,
    ]
    return subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, cwd="/", check=False
    )


def test_it_names_what_most_programs_need_and_loads_no_model_library() -> None:
    for name in llasa_search.__all__:
        assert getattr(llasa_search, name) is not None
    assert llasa_search.Searcher is search.Searcher
    names = ("torch", "transformers", "ray")
    code = f"import llasa_search; print([name for name in {names} if name in sys.modules])"
    done = python(code, ROOT, ROOT / "search/facade")
    assert done.stdout == "[]\n", done.stderr


def test_a_name_that_the_engine_does_not_have() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Searchers'"):
        _ = search.Searchers
    assert set(search.__all__) == set(search._HOMES)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The packages as they are installed beside each other, without what is heavy."""
    folder = tmp_path / "site-packages"
    for package in ("llasa_core", "verifiers", "search", "experiments"):
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("nano", "facade", "*.pyc")
        )
    shutil.copytree(ROOT / "search/facade/llasa_search", folder / "llasa_search")
    return folder


@pytest.mark.parametrize("package", ["verifiers", "experiments", "llasa_core", "search"])
def test_files_that_were_written_over_are_named(installed: Path, package: str) -> None:
    """As another distribution of that name leaves them: its own __init__, ours gone."""
    shutil.rmtree(installed / package)
    (installed / package).mkdir()
    (installed / package / "__init__.py").write_text("__version__ = '0.1'\n")
    done = python("import llasa_search", installed)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        f"ImportError: the package '{package}' of llasa-search has been removed or replaced by another "
        "distribution of that name: pip install --force-reinstall llasa-search, best in an environment of "
        "its own"
    )


def test_a_package_that_lies_elsewhere_is_named(installed: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "experiments").mkdir(parents=True)
    (other / "experiments" / "__init__.py").touch()
    done = python("import llasa_search", other, installed)
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .startswith(
            f"ImportError: the package 'experiments' is found in {other}, not in {installed} where the rest"
        )
    )


def test_nothing_is_said_where_nothing_is_wrong(installed: Path) -> None:
    done = python("import llasa_search; print(llasa_search.__file__)", installed)
    assert done.stdout == f"{installed}/llasa_search/__init__.py\n", done.stderr
