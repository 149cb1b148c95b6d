"""What a sweep came to: the log becomes candidates.parquet, and the means are printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field
from rich.table import Table
from rich.text import Text

from experiments.documents import Schema, checked, read_json
from experiments.files import check_version
from experiments.studies import table
from experiments.studies.published import COLUMNS, read_published
from experiments.studies.sweep_grid import read_grid
from experiments.studies.sweep_log import NAME as SEARCHES
from experiments.studies.sweep_log import read_searches, rows_of
from experiments.terminal import Terminal
from llasa_core.errors import UserError
from llasa_core.paths import shown
from verifiers.stats import Interval, bootstrap_mean, wilson

if TYPE_CHECKING:
    import pandas

GRID, SURROUNDINGS = "grid.yaml", "sweep.json"
QUALITY = ("score", "judge")


class Columns(Schema):
    """What the table says of a cell."""

    series: str
    preset: str
    strategy: str
    spec: str
    n: Annotated[int, Field(ge=0)]
    beams: Annotated[int, Field(ge=0)]
    subsampled: Annotated[int, Field(ge=0)]


class Surroundings(Schema):
    """sweep.json, as far as the table needs it."""

    model_config = ConfigDict(extra="ignore")
    cells: dict[str, Columns]
    directions: dict[str, bool]
    texts: dict[str, Any]


def surroundings(folder: Path) -> Surroundings:
    """Raises UserError for a folder that is no sweep's."""
    path = folder / SURROUNDINGS
    if not path.exists():
        raise UserError(f"{shown(folder)} holds no {SURROUNDINGS}: give the folder of a sweep")
    return checked(
        Surroundings, check_version(read_json(path, "the sweep"), shown(path)), f"the sweep {shown(path)}"
    )


def frame_of(folder: Path) -> pandas.DataFrame:
    """All rows of the log, each with what the grid says of its cell. Raises UserError if there are none."""
    import pandas

    found = surroundings(folder)
    rows = []
    seen = set()
    for search in read_searches(folder):
        if search.key in seen:
            continue
        seen.add(search.key)
        for cell in search.chosen:
            if cell not in found.cells:
                raise UserError(f"{shown(folder)}: a search of {cell!r}, which the sweep does not have")
            columns = found.cells[cell].model_dump()
            rows += [{**columns, **row} for row in rows_of(search, cell)]
    if not rows:
        raise UserError(f"{shown(folder)}/{SEARCHES} holds no searches yet: go on with the sweep first")
    frame = table.ordered(pandas.DataFrame(rows))
    frame.attrs["directions"] = found.directions
    return frame


def conclude(folder: Path, published: Sequence[str] = ()) -> None:
    """Writes the table of what there is, and prints its means."""
    table.check_installed()
    frame = frame_of(folder)
    path = table.write(folder, frame, frame.attrs["directions"])
    terminal = Terminal()
    print_means(frame, terminal)
    tell_what_lacks(folder, frame, terminal)
    print_published(frame, published, terminal)
    searches = frame["search"].nunique()
    terminal.say(f"{searches} searches, {len(frame)} candidates: {path}")


def mean_over_utterances(frame: pandas.DataFrame, column: str) -> Interval | None:
    """The mean with its bootstrap interval over utterances, the seeds of each averaged first; None where
    nothing has a value."""
    values = frame[["utterance", column]].dropna().groupby("utterance")[column].mean()
    return bootstrap_mean(values.to_numpy()) if len(values) else None


def print_means(frame: pandas.DataFrame, terminal: Terminal) -> None:
    """Quality and cost of each cell's winners, three of the first in a table."""
    winners = table.winners(frame)
    metrics = [f"{kind}:{part}" for kind in QUALITY for part in table.parts(frame, kind)]
    utterances, seeds = winners["utterance"].nunique(), winners["seed"].nunique()
    groups = [(series, int(n), own) for (series, n), own in winners.groupby(["series", "n"], sort=False)]
    terminal.say(
        f"means over {utterances} utterances, seeds ({seeds}) averaged first [95 % intervals]; "
        "judges searched nothing"
    )
    order = {series: place for place, series in enumerate(dict.fromkeys(winners["series"]))}
    groups.sort(key=lambda group: (order[group[0]], group[1]))
    for some in [metrics[first : first + 3] for first in range(0, len(metrics), 3)]:
        quality = _table("series", "N", *(name.partition(":")[2] for name in some))
        for series, n, own in groups:
            quality.add_row(Text(series), str(n), *(_shown(mean_over_utterances(own, name)) for name in some))
        terminal.print(quality, "")
    cost = _table("series", "N", "searches", "tokens", "GFLOPs", "seconds", "cut off")
    for series, n, own in groups:
        cut = wilson(int(own["cut_off"].sum()), len(own))
        cost.add_row(
            Text(series),
            str(n),
            str(len(own)),
            f"{own['tokens_generated'].mean():.0f}",
            f"{own['flops'].mean() / 1e9:.2f}",
            f"{own['wall'].median():.2f}",
            f"{cut.mean:.3f}",
        )
    terminal.print(cost, "")
    if (frame["subsampled"] > 0).any():
        terminal.say("best-of-N below the largest N is sub-sampled from its run; seconds are medians")


def tell_what_lacks(folder: Path, frame: pandas.DataFrame, terminal: Terminal) -> None:
    """One line on a sweep that is not done: how many of its cells have not all of their searches."""
    found = surroundings(folder)
    whole = len(found.texts) * len(read_grid(folder / GRID).seeds)
    there = table.winners(frame)["cell"].value_counts()
    short = sum(int(there.get(cell, 0)) < whole for cell in found.cells)
    if short:
        terminal.say(
            f"not finished: {short} of {len(found.cells)} rows have fewer than their {whole} searches "
            "(the table of costs says how many); the same sweep command goes on"
        )


def print_published(frame: pandas.DataFrame, lists: Sequence[str], terminal: Terminal) -> None:
    """The published values of these lists beside ours, where there are any of that preset."""
    if not lists:
        return
    winners, known = table.winners(frame), read_published()
    found = _table("preset", "list", "strategy", "metric", "published", "here, at the largest N")
    for value in known.values:
        own = winners[(winners["preset"] == value.preset) & (winners["strategy"] == value.strategy)]
        if value.list not in lists:
            continue
        column, scale = COLUMNS[value.metric]
        widest = own[own["n"] == own["n"].max()]
        ours = mean_over_utterances(widest, column) if column in widest else None
        cells = (value.preset, value.list, value.strategy, value.metric, f"{value.value:g}")
        found.add_row(*map(Text, cells), _shown(ours, scale) or "not run")
    terminal.print(found, "")
    terminal.say(f"published: {known.source}; WER and CER in per cent")
    terminal.say(
        "published values are seed-tts-eval's: WER by Whisper large-v3 (CER by Paraformer) and its "
        "normalisation, SIM-o by WavLM-large fine-tuned for speakers; here the verifiers of the grid measured"
    )


def _table(*headings: str) -> Table:
    found = Table(box=None, pad_edge=False, header_style="bold")
    for place, heading in enumerate(headings):
        found.add_column(Text(heading), justify="right" if place else "left", overflow="fold")
    return found


def _shown(mean: Interval | None, scale: float = 1.0) -> str:
    if mean is None:
        return ""
    return f"{mean.mean * scale:.3f} [{mean.low * scale:.3f}, {mean.high * scale:.3f}]"
