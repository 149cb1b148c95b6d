"""How figures look: panels of one style, on light and dark ground, saved as PNG and SVG.

Colours are those of Okabe and Ito, which the colour-blind tell apart; every series has a marker and a dash of
its own too, so that a figure stays legible in grey.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any, TypeAlias

import numpy as np

from experiments.files import Outputs
from verifiers.stats import Interval

Panel: TypeAlias = Callable[[Any], None]
"""Draws one set of axes (`matplotlib.axes.Axes`)."""
WIDTH, HEIGHT = 4.6, 3.4
"""Inches of a panel, without its legend."""
COLUMNS = 2
DPI = 200
LIGHT = ("#0072B2", "#D55E00", "#009E73", "#A6448A", "#B27D00", "#3A9BD1", "#1D2129", "#7A5C3E")
DARK = ("#5AB4F0", "#FF8A4A", "#3FCF9F", "#E59AC8", "#F2BE42", "#A5DCFF", "#E9E8E4", "#C9A27A")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1)), (0, (4, 2)), (0, (1, 1)), (0, (8, 2)))
HATCHES = ("", "////", "....", "xx", "\\\\\\\\", "oo", "++", "--")
LABEL, UPRIGHT, BESIDE, NAME, TITLE = 50, 42, 34, 30, 44
"""Characters of a line: of a label below, one at the side, one below a panel with names of rows, such a name,
and a title."""
ROW = 0.19
"""Inches of a line of names beside rows."""
DODGE = 0.025
"""By how much series stand apart at the same N, as a power of N's distance."""


@dataclass(frozen=True)
class Figure:
    """name: of its files. title, caption: in words. panels: side by side in files, apart in a report.
    names: beside the rows of a panel, which is as tall as they are."""

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    names: Sequence[str] = ()

    @property
    def height(self) -> float:
        """Of a panel, in inches."""
        lines = sum(fill(name, NAME, break_on_hyphens=False).count("\n") + 1 for name in self.names)
        return max(HEIGHT, 0.9 + ROW * (lines + 0.5 * len(self.names)))


@dataclass(frozen=True, slots=True)
class Look:
    """Of one series, the same in every figure."""

    colour: str
    marker: str
    dash: Any
    hatch: str


def look(number: int) -> Look:
    """Of the series of that number, in the scheme that is being drawn."""
    import matplotlib

    colours = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
    kinds = len(colours)
    return Look(
        colours[number % kinds],
        MARKERS[(number + number // kinds) % len(MARKERS)],
        DASHES[(number + number // kinds) % len(DASHES)],
        HATCHES[number % len(HATCHES)],
    )


def save(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Writes NAME.png and NAME.svg of each figure, all or none. Raises UserError."""
    paths = []
    with Outputs() as outputs:
        for figure in figures:
            with _drawn(figure.panels, figure.height, dark=False) as drawn:
                for kind in ("png", "svg"):
                    path = folder / f"{figure.name}.{kind}"
                    drawn.savefig(outputs.stage(path), format=kind, dpi=DPI, metadata=_metadata(kind))
                    paths.append(path)
        outputs.publish()
    return paths


def svg(panel: Panel, height: float = HEIGHT, *, dark: bool) -> str:
    """One panel as SVG on transparent ground, its words as text, in the reader's fonts."""
    with _drawn((panel,), height, dark=dark, fonts="none") as drawn:
        stream = io.StringIO()
        drawn.savefig(stream, format="svg", transparent=True, metadata=_metadata("svg"))
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _metadata(kind: str) -> dict[str, None]:
    """Without the time of writing: the same table draws the same bytes."""
    return {"Date": None} if kind == "svg" else {}


@contextmanager
def _drawn(panels: Sequence[Panel], height: float, *, dark: bool, fonts: str = "path") -> Iterator[Any]:
    """The panels in a grid, with one legend below for all of them."""
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    with matplotlib.rc_context({**_style(dark), "svg.fonttype": fonts}):
        drawn = Canvas(figsize=(WIDTH * columns, height * rows + 0.3), layout="constrained")
        axes = drawn.subplots(rows, columns, squeeze=False).ravel()
        for panel, own in zip(panels, axes, strict=False):
            panel(own)
        for empty in axes[len(panels) :]:
            empty.set_axis_off()
        _legend(drawn, axes, columns)
        yield drawn


def _legend(drawn: Any, axes: Any, columns: int) -> None:
    named: dict[str, Any] = {}
    for own in axes:
        for handle, name in zip(*own.get_legend_handles_labels(), strict=True):
            named.setdefault(name, handle)
    if named:
        longest = max(map(len, named))
        across = max(1, min(len(named), int(WIDTH * columns * 12 / (longest + 8))))
        drawn.legend(named.values(), named.keys(), loc="outside lower center", ncols=across, frameon=False)


def _style(dark: bool) -> dict[str, Any]:
    from cycler import cycler

    ink, line = ("#E9E8E4", "#4A505C") if dark else ("#1D2129", "#C9C7BF")
    return {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
        "font.size": 9,
        "axes.titlesize": 9.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 9,
        "axes.edgecolor": line,
        "axes.labelcolor": ink,
        "axes.titlecolor": ink,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=DARK if dark else LIGHT),
        "grid.color": line,
        "grid.linewidth": 0.5,
        "grid.alpha": 0.6,
        "text.color": ink,
        "xtick.color": ink,
        "ytick.color": ink,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "legend.fontsize": 8.5,
        "lines.linewidth": 1.6,
        "lines.markersize": 5.5,
        "hatch.linewidth": 0.8,
        "svg.hashsalt": "llasa-search",
    }


def wrapped(text: str, width: int = LABEL) -> str:
    """A label in lines of at most `width` characters; what is in brackets begins a line if it is too long."""
    if len(text) > width and text.endswith(")") and " (" in text:
        head, _, tail = text.rpartition(" (")
        return f"{wrapped(head, width)}\n{wrapped(f'({tail}', width)}"
    return fill(text, width, break_long_words=False, break_on_hyphens=False)


def logarithmic(axis: Any, values: Sequence[float], *, base: int = 10) -> None:
    """A logarithmic axis with plain numbers at ticks: all values of base 2, else 1, 2 and 5 of each power."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

    axis.axes.set_xscale("log", base=base)
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())
    axis.set_minor_locator(NullLocator())
    axis.set_major_locator(FixedLocator(sorted(set(values))) if base == 2 else LogLocator(subs=(1, 2, 5)))


def series(own: Any, x: Any, intervals: Sequence[Interval], number: int, name: str) -> None:
    """A line through the means with its marker and dash, and thin bars for the intervals."""
    style = look(number)
    y = np.array([one.mean for one in intervals])
    bars = np.array([[one.mean - one.low, one.high - one.mean] for one in intervals]).T.clip(0)
    own.errorbar(x, y, yerr=bars, fmt="none", ecolor=style.colour, elinewidth=0.9, capsize=2, alpha=0.7)
    own.plot(x, y, color=style.colour, marker=style.marker, linestyle=style.dash, label=name)


def few_ticks(axis: Any) -> None:
    """So few numbers that they do not touch, however long they are."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(4))


def rows(own: Any, names: Sequence[str]) -> None:
    """Names of rows at the left, the first on top."""
    own.set_yticks(range(len(names)), [fill(name, NAME, break_on_hyphens=False) for name in names])
    own.set_ylim(len(names) - 0.4, -0.6)
    own.grid(axis="y", visible=False)
