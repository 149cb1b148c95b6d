"""A study as one HTML file: its findings, figures and tables, and examples to listen to.

The file needs nothing else; style, figures and clips are in it, and its policy forbids the browser to fetch.
Each panel is in it for light and for dark ground.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from experiments.files import Outputs
from experiments.report_page.environment import page_environment
from experiments.studies.analysis import Analysis
from experiments.studies.figures import figures
from experiments.studies.plots import Figure, svg
from experiments.studies.report_cells import shown as interval
from experiments.studies.report_examples import Decode, examples
from experiments.studies.report_tables import tables
from experiments.studies.rescore.beginnings import switches


@dataclass(frozen=True, slots=True)
class Picture:
    """One panel, as base64 of SVG on light and on dark ground. alt: what it shows."""

    light: str
    dark: str
    alt: str


def write_report(file: Path, found: Analysis, folder: Path, decode: Decode | None) -> None:
    """Writes the report, whole or not at all. folder: of the sweep, with the kept recordings. decode: codes
    -> waveforms, for candidates that were not kept; None where the codec is not on this machine. Raises
    UserError."""
    text = render(found, folder, decode)
    with Outputs() as outputs:
        outputs.stage(file).write_text(text, encoding="utf-8")
        outputs.publish()


def render(found: Analysis, folder: Path, decode: Decode | None) -> str:
    """The HTML; whatever a user wrote is escaped."""
    environment = page_environment("experiments.studies")
    chosen_by, listened = examples(found, folder, decode)
    made = figures(found)
    return environment.get_template("study.html.jinja").render(
        style=Markup(_source(environment, "page.css") + _source(environment, "study.css")),
        facts=_facts(found),
        findings=findings(found),
        figures=[(figure, pictures(figure)) for figure in made],
        tables=tables(found),
        examples=listened,
        chosen_by=chosen_by,
        decoded=decode is not None,
    )


def findings(found: Analysis) -> list[str]:
    """What the study shows, in sentences: whether the gain is real, and what more candidates would bring."""
    base = {line.name for line in found.lines if line.is_base}
    sentences = [one.sentence for one in found.hacking if one.line in base]
    if found.rescoring is not None:
        sentences += [one.sentence(found.name_of(one.series)) for one in found.rescoring.lucks]
        sentences += [one.sentence for one in switches(found.rescoring.agreements)]
    for line in found.lines:
        rows = [(one, row) for one in found.qualities for row in found.equal[one][0] if row.line == line.name]
        own = []
        for one, row in rows:
            sure = row.difference.low > 0 or row.difference.high < 0
            if sure and row.n == max(r.n for _, r in rows):
                better = "better" if (row.difference.mean > 0) == one.higher else "worse"
                own.append(f"{better} in {one.title} ({interval(row.difference, sign=True)})")
        if rows:
            n = max(row.n for _, row in rows)
            verdict = ", ".join(own) or "no difference beyond chance"
            sentences.append(f"{line.name} with N={n} beside best-of-N of the same FLOPs: {verdict}")
    return sentences


def pictures(figure: Figure) -> list[Picture]:
    """The panels of a figure in both schemes."""
    found = []
    for number, panel in enumerate(figure.panels, start=1):
        light, dark = (_encoded(svg(panel, figure.height, dark=scheme)) for scheme in (False, True))
        found.append(Picture(light, dark, f"{figure.title}, panel {number}"))
    return found


def _facts(found: Analysis) -> Sequence[tuple[str, str]]:
    frame = found.frame
    return [
        ("preset", ", ".join(sorted(frame["preset"].unique()))),
        ("utterances", f"{frame['utterance'].nunique():,}"),
        ("seeds", f"{frame['seed'].nunique():,}"),
        ("searches", f"{frame['search'].nunique():,}"),
        ("candidates", f"{(frame['subsampled'] == 0).sum():,}"),
    ]


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
