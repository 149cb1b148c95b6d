"""Every row of docs/text.md is true."""

import re
from pathlib import Path

import pytest

from llasa_core.text import spoken_form
from llasa_core.text.compare import compare

PAGE = (Path(__file__).parents[3] / "docs/text.md").read_text("utf-8")


def table(*heads: str) -> list[list[str]]:
    """The rows of all tables with these heads, without the backquotes around cells."""
    head = "\n| " + " | ".join(heads) + " |\n"
    found = []
    for after in PAGE.split(head)[1:]:
        lines = re.match(r"(?:\|.*\n)+", after).group().splitlines()[1:]
        found += [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines]
    assert found
    return found


@pytest.mark.parametrize(("kind", "written", "spoken"), table("kind", "written", "spoken"))
def test_kinds(kind, written, spoken):
    assert spoken_form(written).spoken == spoken


@pytest.mark.parametrize(("code", "written", "spoken"), table("language", "written", "spoken"))
def test_locales(code, written, spoken):
    assert spoken_form(written, code).spoken == spoken


@pytest.mark.parametrize(("name", "text", "transcript"), table("name", "text", "transcript"))
def test_equivalences(name, text, transcript):
    found = compare(text, transcript)
    assert found.equal and name in found.equivalences


@pytest.mark.parametrize(("text", "transcript"), table("text", "transcript"))
def test_errors(text, transcript):
    assert not compare(text, transcript).equal
