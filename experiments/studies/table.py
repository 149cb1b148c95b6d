"""candidates.parquet: the tidy table of a sweep, one row for each candidate of each search.

FIXED are the columns that every table has, in this order; behind them stand those by part, each kind in the
order of KINDS and sorted by name. NAME is a metric (of a verifier that searched) or the spec of a judge:

- `score:METRIC`, `judge:SPEC` (float): the value; `unusable:NAME` (str): "" for what was judged, "short" for
  speech that is too short for this metric alone, "dropped" where a cascade did not ask, else "bad". The value
  of bad speech is the worst that there is. Judges are asked about winners only, unless the grid says
  otherwise: all their columns are empty (NaN, None) for the other candidates.
- `logp:NAME` (float): what tells equal values apart, higher is better; NaN where there is none.
- `words:NAME`, `errors:NAME` (Int64): of the text, and made by the speaker, as a recogniser heard it;
  `transcript:NAME` (str); `failures:NAME` (str): catastrophic failures with commas between, "" for none.
- `flops:PART`, `wall:PART` (float): of the search, the same in each of its rows; parts as in the ledger:
  "generator", "codec", "verifier NAME", "judge NAME". `flops` and `wall` are the sums without the judges.

Wall seconds are measured, and the only columns in which two sweeps of one grid differ.

Which way each metric is better is in the file's metadata, and in `frame.attrs["directions"]` once read: by
metric name or spec of a judge, whether higher is better.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.files import write_whole
from llasa_core.errors import UserError, first_line
from llasa_core.paths import regular_file, shown

if TYPE_CHECKING:
    import pandas

NAME = "candidates.parquet"
METADATA = b"llasa_search"
"""Key of what the file says beside its columns."""
FIXED: dict[str, str] = {
    "search": "str",
    "cell": "str",
    "series": "str",
    "preset": "str",
    "strategy": "str",
    "spec": "str",
    "n": "int64",
    "beams": "int64",
    "subsampled": "int64",
    "utterance": "str",
    "text": "str",
    "language": "str",
    "voice": "str",
    "seed": "int64",
    "candidate": "int64",
    "rank": "int64",
    "winner": "bool",
    "tokens": "int64",
    "seconds": "float64",
    "cut_off": "bool",
    "satisfied": "bool",
    "stopped": "str",
    "codes": "codes",
    "tokens_generated": "int64",
    "tokens_prefilled": "int64",
    "flops": "float64",
    "wall": "float64",
}
"""Name and type of each column that is always there. cell: the id of the grid's cell. series: the same
without the width n, what one curve is drawn of. strategy: its name in the grid. spec: what the registry
builds it from. n: complete candidates that the cell asks for; beams: 0 where the strategy has none.
subsampled: the N of the run that the search was taken from, 0 for one that was run as it stands. candidate:
its number in lineage order. codes: int32 [tokens], without those of the prompt. seconds: of audio."""
KINDS: dict[str, str] = {
    "score": "float64",
    "judge": "float64",
    "unusable": "str",
    "logp": "float64",
    "words": "Int64",
    "errors": "Int64",
    "transcript": "str",
    "failures": "str",
    "flops": "float64",
    "wall": "float64",
}
"""Kind and type of the columns by part, `KIND:PART`."""
KEY = ("cell", "utterance", "seed", "candidate")
"""What names a row, and how rows are sorted."""


def check_installed() -> None:
    """Raises UserError without the library that writes Parquet."""
    if find_spec("pyarrow") is None:
        raise UserError("tables of sweeps need pyarrow: pip install 'llasa-search[studies]'")


def parts(frame: pandas.DataFrame, kind: str) -> list[str]:
    """The parts that have a column of this kind: `parts(frame, "score")` are the metrics."""
    return [name.partition(":")[2] for name in frame.columns if name.startswith(f"{kind}:")]


def winners(frame: pandas.DataFrame) -> pandas.DataFrame:
    """One row for each search."""
    return frame[frame["winner"]].reset_index(drop=True)


def ordered(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Rows and columns in the one order, with their types. Columns that are neither FIXED nor of KINDS are
    left out; a fixed one that is missing raises KeyError."""
    own = [f"{kind}:{part}" for kind in KINDS for part in sorted(parts(frame, kind))]
    found = frame[[*FIXED, *own]].sort_values(list(KEY), kind="stable", ignore_index=True)
    types = {name: kind for name, kind in FIXED.items() if kind not in ("str", "codes")}
    types |= {name: kind for name in own if (kind := KINDS[name.partition(":")[0]]) != "str"}
    return found.astype(types)


def write(folder: Path, frame: pandas.DataFrame, directions: Mapping[str, bool]) -> Path:
    """Writes the table whole; the same rows make the same bytes. Raises UserError."""
    import pyarrow
    import pyarrow.parquet

    frame = ordered(frame)
    schema = pyarrow.schema([(name, _arrow(name)) for name in frame.columns])
    table = pyarrow.Table.from_pandas(frame, schema=schema, preserve_index=False)
    content = io.BytesIO()
    known = {METADATA: json.dumps({"directions": dict(sorted(directions.items()))})}
    pyarrow.parquet.write_table(table.replace_schema_metadata(known), content, compression="zstd")
    path = folder / NAME
    write_whole(path, content.getvalue())
    return path


def read(folder: Path) -> pandas.DataFrame:
    """The table of a sweep's folder, or of a file. Raises UserError for what is no such table."""
    check_installed()
    import pyarrow
    import pyarrow.parquet

    path = folder / NAME if folder.is_dir() else folder
    if not path.exists():
        raise UserError(
            f"{shown(folder)} holds no {NAME}: give the folder of a sweep, or make its table first "
            f"(llasa-search sweep --table --out {shown(folder)})"
        )
    try:
        found = pyarrow.parquet.read_table(regular_file(path, "the table"))
        frame = found.to_pandas()
        told = json.loads((found.schema.metadata or {}).get(METADATA, b"{}"))
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise UserError(f"{shown(path)} is no Parquet file ({first_line(error)}): make it again") from None
    missing = [name for name in FIXED if name not in frame.columns]
    if missing or "directions" not in told:
        lacking = f"the columns {', '.join(missing[:3])}" if missing else "the directions of its metrics"
        raise UserError(
            f"{shown(path)} lacks {lacking}: it is no table of a sweep, or one of another version"
        )
    if not len(frame):
        raise UserError(f"{shown(path)} holds no searches: go on with the sweep first")
    frame = ordered(frame)
    frame.attrs["directions"] = told["directions"]
    return frame


def _arrow(name: str) -> Any:
    import pyarrow

    kinds: dict[str, Any] = {
        "str": pyarrow.string(),
        "int64": pyarrow.int64(),
        "Int64": pyarrow.int64(),
        "float64": pyarrow.float64(),
        "bool": pyarrow.bool_(),
        "codes": pyarrow.list_(pyarrow.int32()),
    }
    return kinds[FIXED.get(name) or KINDS[name.partition(":")[0]]]


def columns(frame: pandas.DataFrame, kinds: Sequence[str]) -> list[str]:
    """The columns of these kinds, and the sums over one: `columns(frame, ("wall",))` are all wall seconds."""
    return [name for name in frame.columns if name in kinds or name.partition(":")[0] in kinds]
