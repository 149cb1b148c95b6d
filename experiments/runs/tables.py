"""Lists of texts: JSON lines, CSV, Parquet, the meta.lst of seed-tts-eval, and plain text, one text a line.

A cell keeps what is written in it: the id 007 stays text.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from experiments.documents import parse_json, read_lines
from llasa_core.errors import UserError, nearest
from llasa_core.paths import regular_file, shown, user_path

Cells: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = Iterator[tuple[str, Cells | UserError]]

COLUMNS = tuple("id text prompt_audio prompt_text voice language emotion emotion_audio seed".split())
TRUTH = "truth"
"""Of a meta.lst: the recording of a human who says the text. It is not spoken from."""
KINDS = ".jsonl, .csv, .tsv, .parquet, .lst, .txt"
PARQUET_ROWS = 1024
"""Rows of a Parquet file that are in memory at a time."""


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """The columns that hold the text and the id, where they have other names."""

    text: str | None = None
    id: str | None = None


class Table:
    """The rows of a list. `unused`: columns of no meaning; `silent`: places of lines without anything to say.

    Raises UserError for a file that cannot be read or is not what its name says.
    """

    def __init__(self, path: Path, mapping: ColumnMapping) -> None:
        self.path = user_path(path, "the list")
        self.mapping = mapping
        self.unused: dict[str, None] = {}
        self.silent: list[str] = []
        if self.path.is_dir():
            self._reader, self.folder = self._parquet_folder, self.path
            return
        readers = {
            ".jsonl": self._jsonl,
            ".csv": self._csv,
            ".tsv": self._csv,
            ".parquet": self._parquet_file,
            ".lst": self._meta_list,
            ".txt": self._lines,
        }
        reader = readers.get(self.path.suffix.lower())
        if reader is None:
            hint = ""
            if self.path.suffix.lower() in (".md", ".markdown", ".rst", ".html"):
                hint = ", such as a .txt file with one text a line and no markup"
            raise UserError(f"cannot tell what {shown(path)} is: give a file that ends in {KINDS}{hint}")
        regular_file(self.path, "the list")
        self._reader, self.folder = reader, self.path.parent

    def rows(self) -> Rows:
        """Each row with its place (`line 3 of list.csv`); for a row that cannot be read its UserError."""
        return self._reader()

    def _lines(self) -> Rows:
        for number, line in read_lines(self.path, "the list"):
            where = self._place("line", number)
            if any(character.isalnum() for character in line):
                yield where, {"text": line}
            elif line.strip():
                self.silent.append(where)  # a break between scenes, such as ***

    def _jsonl(self) -> Rows:
        for number, line in read_lines(self.path, "the list"):
            where = self._place("line", number)
            if not line.strip():
                continue
            try:
                cells = parse_json(line, where)
                if not isinstance(cells, dict):
                    raise UserError(f'{where} is no JSON object: write it as {{"id": "1", "text": "..."}}')
                names = self._names(cells)
            except UserError as error:
                yield where, error
                continue
            yield where, {name: cells[column] for name, column in names.items()}

    def _csv(self) -> Rows:
        lines = (f"{line}\n" for _, line in read_lines(self.path, "the list"))
        header = next(lines, "")
        separators = "\t" if self.path.suffix.lower() == ".tsv" else ",;\t"
        found = {mark: _split(header, mark) for mark in separators}
        mark = next((mark for mark, names in found.items() if "text" in self._match(names)), separators[0])
        columns = found[mark]
        names = self._names(columns)
        self._need_text(names, columns)
        reader = csv.reader(lines, strict=True, delimiter=mark)
        places = {name: columns.index(column) for name, column in names.items()}
        while True:
            try:
                values = next(reader, None)
            except csv.Error as error:
                where = self._place("line", reader.line_num + 1)
                yield where, UserError(f"{where} is no CSV ({error}): repair it")
                return
            if values is None:
                return
            where = self._place("line", reader.line_num + 1)
            if len(values) == len(columns):
                yield where, {name: values[place] for name, place in places.items()}
            elif values:
                yield (
                    where,
                    UserError(
                        f"{where} has {len(values)} cells and the first line {len(columns)}: "
                        f'put a text that holds {mark!r} in "quotes"'
                    ),
                )

    def _parquet_folder(self) -> Rows:
        """A data set as it comes from the Hugging Face hub: one split, in one or more files."""
        files = sorted(self.path.glob("*.parquet")) or sorted(self.path.glob("data/*.parquet"))
        if not files:
            raise UserError(f"the folder {shown(self.path)} holds no .parquet files: give a file of {KINDS}")
        splits = sorted({file.stem.partition("-")[0] for file in files})
        if len(splits) > 1:
            raise UserError(
                f"the folder {shown(self.path)} holds several sets of texts ({', '.join(splits)}): "
                "give a file of one"
            )
        for file in files:
            yield from self._parquet(file)

    def _parquet_file(self) -> Rows:
        return self._parquet(self.path)

    def _parquet(self, path: Path) -> Rows:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise UserError(
                f"{shown(path)}: Parquet needs pyarrow, not installed here: "
                "pip install 'llasa-search[parquet]'"
            ) from None
        regular_file(path, "the list")
        number = 0
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                columns = file.schema_arrow.names
                names = self._names(columns)
                self._need_text(names, columns)
                for batch in file.iter_batches(PARQUET_ROWS, columns=list(names.values())):
                    for cells in batch.to_pylist():
                        number += 1
                        yield (
                            f"row {number} of {shown(path)}",
                            {name: cells[column] for name, column in names.items()},
                        )
        except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
            if isinstance(error, UserError):
                raise
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"{shown(path)} is no Parquet file that can be read behind row {number} ({reason}): "
                "write it again"
            ) from None

    def _meta_list(self) -> Rows:
        """Fields as get_wav_res_ref_text.py of BytedanceSpeech/seed-tts-eval reads them: `utt|text`,
        `utt[.wav]|text|prompt_wav`, `utt|prompt_text|prompt_wav|text`, and the same with `|truth_wav`."""
        for number, line in read_lines(self.path, "the list"):
            where, fields = self._place("line", number), line.strip().split("|")
            if not line.strip():
                continue
            if len(fields) == 2:
                yield where, {"id": fields[0], "text": fields[1]}
            elif len(fields) == 3:
                yield (
                    where,
                    {"id": fields[0].removesuffix(".wav"), "text": fields[1], "prompt_audio": fields[2]},
                )
            elif len(fields) in (4, 5):
                names = ("id", "prompt_text", "prompt_audio", "text", TRUTH)
                yield where, dict(zip(names, fields, strict=False))
            else:
                yield (
                    where,
                    UserError(
                        f"{where} has {len(fields)} fields: write "
                        "utt|prompt_text|prompt_wav|text[|truth_wav], utt|text|prompt_wav or utt|text"
                    ),
                )

    def _place(self, unit: str, number: int) -> str:
        return f"{unit} {number} of {shown(self.path)}"

    def _names(self, columns: Iterable[str]) -> dict[str, str]:
        """The column that each of COLUMNS is read from; those of no meaning become `unused`."""
        names = self._match(columns)
        self.unused |= dict.fromkeys(column for column in columns if column not in names.values())
        return names

    def _match(self, columns: Iterable[str]) -> dict[str, str]:
        """By the mapping, or else by the name in any capitals. Raises UserError for two of one meaning."""
        columns = list(columns)
        chosen = {"text": self.mapping.text, "id": self.mapping.id}
        names: dict[str, str] = {}
        for column in columns:
            name = column.strip().lower().replace("-", "_").replace(" ", "_")
            name = next((name for name, mapped in chosen.items() if mapped == column), name)
            if name not in COLUMNS or chosen.get(name) not in (None, column):
                continue
            if name in names:
                raise UserError(f"{shown(self.path)} has two columns {name!r}: leave one out")
            names[name] = column
        return names

    def _need_text(self, names: Mapping[str, str], columns: Sequence[str]) -> None:
        """Raises UserError for a list without texts, or without a column that the mapping names."""
        for option, column in (("--text-column", self.mapping.text), ("--id-column", self.mapping.id)):
            if column is not None and column not in columns:
                raise UserError(
                    f"{option} {column}: {shown(self.path)} has no such column{nearest(column, columns)}"
                )
        if "text" not in names:
            has = f"it has {', '.join(columns)}" if columns else "it is empty"
            raise UserError(
                f"{shown(self.path)} has no column 'text' ({has}): name the columns in the first line, "
                "or say with --text-column which one holds the text"
            )


def _split(header: str, mark: str) -> list[str]:
    """The names in the first line of a CSV file."""
    try:
        return [name.strip() for name in next(csv.reader([header], strict=True, delimiter=mark), [])]
    except csv.Error:
        return []
