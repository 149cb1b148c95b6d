"""`llasa-search verifiers`: what can judge, what each needs, and what of it can run here now."""

import json

from rich.console import Console
from rich.table import Table

from verifiers import catalogue
from verifiers.catalogue import Kind


def print_verifiers(as_json: bool) -> None:
    """A table of all kinds with the weights that they are released with, or the same as JSON."""
    kinds = catalogue.describe()
    if as_json:
        print(json.dumps([kind.as_dict() for kind in kinds], indent=2, ensure_ascii=False))
        return
    console = Console()
    console.print(kind_table(kinds))
    console.print()
    console.print(release_table(kinds))
    for kind in kinds:
        if kind.install:
            needs = f"{kind.kind} needs {', '.join(kind.missing)}: "
            console.print(needs + kind.install, highlight=False, markup=False, soft_wrap=True)
        if kind.problem:
            said = f"{kind.kind} ({kind.target}): {kind.problem}"
            console.print(said, highlight=False, markup=False, soft_wrap=True)


def kind_table(kinds: list[Kind]) -> Table:
    """What each kind measures."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("kind", "metric", "better", "needs", "shortest", "measures"):
        table.add_column(heading, overflow="fold")
    for kind in kinds:
        if kind.about is None:
            table.add_row(kind.kind, "", "", "", "", "unknown: see below")
            continue
        table.add_row(
            kind.kind,
            kind.metric,
            "higher" if kind.higher_is_better else "lower",
            ", ".join(need.replace("_", " ") for need in kind.about.needs) or "nothing",
            f"{kind.about.min_seconds:g} s",
            kind.about.measures,
        )
    return table


def release_table(kinds: list[Kind]) -> Table:
    """The weights that each kind can be loaded with."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("weights", "here", "licence"):
        table.add_column(heading, overflow="fold")
    for release in (release for kind in kinds for release in kind.releases):
        table.add_row(release.spec, release.state, release.licence)
    return table
