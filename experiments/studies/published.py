"""Published values that ours are printed beside, from a data file with their source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from experiments.documents import Schema, checked, read_yaml
from llasa_core.errors import UserError, nearest

FILE = Path(__file__).with_name("published.yaml")
COLUMNS = {"WER": ("score:wer", 100.0), "CER": ("score:wer", 100.0), "SIM-o": ("score:sim", 1.0)}
"""By metric: the column of the table that has ours, and what it is multiplied by: WER and CER are published
in per cent."""


class Value(Schema):
    """preset, strategy: as the table has them. list: what a grid names under `published`."""

    preset: str
    list: str
    strategy: str
    metric: Literal["WER", "CER", "SIM-o"]
    value: Annotated[float, Field(ge=0, le=1000)]


class Published(Schema):
    source: str
    values: list[Value]


def read_published() -> Published:
    """All that the data file has."""
    return checked(Published, read_yaml(FILE, "the published values"), str(FILE))


def check_lists(lists: Sequence[str]) -> None:
    """Raises UserError for a list that no published value is of."""
    known = sorted({value.list for value in read_published().values})
    for name in lists:
        if name not in known:
            raise UserError(f"published: there are no values of {name!r}{nearest(name, known)}")
