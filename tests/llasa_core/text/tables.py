"""The tables of cases beside this file: fields apart by tabs, lines that begin with "# " are comments."""

from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
BLOCK = 25
DATA = Path(__file__).parent / "data"


def rows(name: str) -> list[list[str]]:
    lines = (DATA / name).read_text("utf-8").split("\n")
    return [line.split("\t") for line in lines if line and not line.startswith("# ")]


SPOKEN = [
    (locale, written, tuple(right.split("|")))
    for locale, name in (("en-US", "spoken_en_us"), ("en-GB", "spoken_en_gb"), ("zh-CN", "spoken_zh"))
    for written, right in rows(f"{name}.tsv")
]
EQUAL = [
    (locale, text, heard, frozenset(names.split()))
    for locale, text, heard, names in rows("compare_equal.tsv")
]
DIFFERENT = [
    (locale, text, heard, int(errors)) for locale, text, heard, errors in rows("compare_different.tsv")
]


def blocks(table: list[T]) -> list[list[T]]:
    """The table in parts of a test each, which names all rows of the part that fail: a test of its own for
    every row takes longer than what it tests.
    """
    return [table[start : start + BLOCK] for start in range(0, len(table), BLOCK)]
