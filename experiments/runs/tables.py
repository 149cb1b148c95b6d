"""Tables as files: JSON lines, CSV, Parquet, the meta.lst of seed-tts-eval, and plain text with one text a line.

A cell keeps what is written in it: the id 007 stays text.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from experiments.runs.meta_list import read_meta_list
from llasa_core.errors import UserError
from verifiers.spec import nearest

Cells: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = Iterator[tuple[str, Cells]]


def read_table(path: Path, columns: Sequence[str]) -> Rows:
    """Each row with its place (`line 3 of list.csv`); empty lines are none. Columns that are named beforehand have to
    be among these, and `text` among them.

    Raises UserError for a file that cannot be read or is not what its name says, as it comes to it.
    """
    readers = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet, ".lst": _meta_list, ".txt": _lines}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"cannot tell what {path} is: give a file that ends in {', '.join(readers)}")
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"{path} {what}: give a file that ends in {', '.join(readers)}")
    try:
        yield from reader(path, columns)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}): convert it") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def _lines(path: Path, _: Sequence[str]) -> Rows:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield f"line {number} of {path}", {"text": line}


def _jsonl(path: Path, _: Sequence[str]) -> Rows:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            where = f"line {number} of {path}"
            if not line.strip():
                continue
            try:
                cells = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UserError(f"{where} is no JSON ({error}): write one object a line") from None
            if not isinstance(cells, dict):
                raise UserError(f'{where} is no JSON object: write it as {{"id": "1", "text": "..."}}')
            yield where, cells


def _csv(path: Path, columns: Sequence[str]) -> Rows:
    # newline="": the reader itself knows which line ends are within quotes
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            names = [name.strip() for name in next(reader, [])]
            _check_names(path, names, columns)
            for values in reader:
                where = f"line {reader.line_num} of {path}"
                if not values:
                    continue
                if len(values) != len(names):
                    raise UserError(
                        f"{where} has {len(values)} cells and the first line {len(names)}: "
                        'put a text with commas in "quotes"'
                    )
                yield where, dict(zip(names, values, strict=True))
        except csv.Error as error:
            raise UserError(f"line {reader.line_num} of {path} is no CSV ({error}): repair it") from None


def _parquet(path: Path, columns: Sequence[str]) -> Rows:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError(
            f"{path}: Parquet needs pyarrow, not installed here: pip install 'llasa-search[parquet]'"
        ) from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            _check_names(path, file.schema_arrow.names, columns)
            number = 0
            for batch in file.iter_batches(columns=file.schema_arrow.names):
                for cells in batch.to_pylist():
                    number += 1
                    yield f"row {number} of {path}", cells
    except pyarrow.ArrowException as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is no Parquet file that can be read ({reason}): write it again") from None


def _meta_list(path: Path, _: Sequence[str]) -> Rows:
    for number, item in enumerate(read_meta_list(path), start=1):
        prompt = None if item.prompt_wav is None else str(item.prompt_wav.absolute())
        cells = {"id": item.utt, "text": item.text, "prompt_text": item.prompt_text, "prompt_audio": prompt}
        yield f"row {number} of {path}", cells


def _check_names(path: Path, names: Sequence[str], columns: Sequence[str]) -> None:
    """Raises UserError for columns that mean nothing or come twice, and if there are no texts."""
    for name in names:
        if name not in columns:
            raise UserError(f"{path}: there is no column {name!r}{nearest(name, columns)}")
        if names.count(name) > 1:
            raise UserError(f"{path} has two columns {name!r}: leave one out")
    if "text" not in names:
        has = f"it has {', '.join(names)}" if names else "it is empty"
        raise UserError(f"{path} has no column 'text' ({has}): name the columns in the first line")
