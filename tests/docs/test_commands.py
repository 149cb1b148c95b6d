"""Every command and Python snippet of README.md and docs/ is run, in the order in which a reader meets it.

A block after `<!-- not run: REASON -->` is not run; the reasons are listed here, so that no reason is added
unseen. A block after `<!-- file: PATH -->` shows that file, which other tests run.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from experiments.cli.main import main
from llasa_core.voices import find_voice

pytestmark = pytest.mark.models
ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>not run|file): (?P<what>[^>]*) -->\n)?"
    r"```(?P<language>\w+)\n(?P<text>.*?)```",
    re.DOTALL,
)
NOT_RUN = {"needs a GPU and the hub", "needs GPUs and several machines", "minutes", "hours"}
OTHERS = ("git clone", "pip install", "apt-get", "export ", "ray start", "cd ")
"""Beginnings of commands that prepare a machine."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page. reason: why it is not run, or "". file: the file that it shows, or ""."""

    language: str
    text: str
    reason: str
    file: str


def blocks(page: Path) -> list[Block]:
    found = []
    for one in BLOCK.finditer(page.read_text("utf-8")):
        marks = {"not run": "", "file": "", one["mark"]: one["what"]}
        found.append(Block(one["language"], one["text"], marks["not run"], marks["file"]))
    return found


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a block, without comments, lines that go on joined."""
    for line in text.replace("\\\n", " ").splitlines():
        if words := shlex.split(line, comments=True):
            yield words


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the pages speak of."""
    voice = find_voice(None)
    for name in ("voice.wav", "a.wav", "b.wav"):
        shutil.copy(voice.path, tmp_path / name)
    (tmp_path / "sentences.csv").write_text(
        "text,seed\nThe train is late.,1\nSeven green birds sit on the old wall.,2\n"
    )
    (tmp_path / "book.md").write_text("# One\n\nIt rained.\n\n# Two\n\nHuh!\n")
    (tmp_path / "list.txt").write_text("a.wav|the train is late\nb.wav|seven green birds\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_says_works(page: Path, reader: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ray = "--ray" in page.read_text("utf-8")
    for block in blocks(page):
        assert block.reason == "" or block.reason in NOT_RUN
        if block.file:
            assert block.text == (ROOT / block.file).read_text("utf-8"), f"copy {block.file} again"
        if block.reason or block.file:
            continue
        if block.language == "python":
            exec(compile(block.text, str(page), "exec"), {"__name__": "snippet"})  # noqa: S102
        elif block.language == "bash":
            for words in commands(block.text):
                if words[0] == "llasa-search":
                    if "--ray" in words and ray:
                        continue  # real actors: tests/search/backends/ray
                    code = main(words[1:])
                    # 3: spoken, but these few candidates need not keep what the page asks for
                    bound = "<=" in " ".join(words) or not {"narration", "--emotion"}.isdisjoint(words)
                    assert code in ((0, 3) if bound else (0,)), (words, capsys.readouterr().err)
                elif words[0] == "make":
                    assert words[1] in targets()
                else:
                    assert " ".join(words).startswith(OTHERS), words


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), (page.name, target)
