"""The certificate as files: JSON with all there is, and a page that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from experiments.narration.production.certificate.account import Certificate, certify
from experiments.narration.production.certificate.clips import clip, embeds
from experiments.narration.production.certificate.worth import Worth
from experiments.narration.production.loudness import Loudness
from experiments.narration.production.meter import Levels
from experiments.narration.production.timeline import Placed, Timeline
from experiments.narration.takes import Heard, Narration
from experiments.report_page.build import number
from experiments.report_page.environment import page_environment
from experiments.report_page.words import Word

KINDS = {"equal": "right", "substituted": "changed", "missing": "missed", "inserted": "added"}
"""Of words, as the report page names them."""


def write_certificate(
    page: Path,
    data: Path,
    narration: Narration,
    timelines: Sequence[Timeline],
    levels: Mapping[int, Levels],
    loudness: Loudness,
    clips: str,
    worth: Worth | None = None,
) -> None:
    """clips: as `Making` has it. Raises OSError, and UserError for a take that cannot be read."""
    found = certify(narration, timelines, levels, loudness, worth)
    data.write_text(json.dumps(found.as_dict(), indent=1, ensure_ascii=False) + "\n", "utf-8")
    with page.open("w", encoding="utf-8") as file:
        file.writelines(render(found, clips))


def render(certificate: Certificate, clips: str) -> Iterator[str]:
    """The HTML in pieces. clips: as `Making` has it. What a user wrote is escaped by Jinja."""
    environment = page_environment("experiments.narration.production")
    environment.filters |= {"number": number, "clock": clock, "marked": marked, "url": quote}
    embedded = embeds(clips, certificate.totals.spoken_seconds)
    folder = certificate.narration.folder

    def heard_of(placed: Placed) -> Any:
        return clip(folder, placed, clips, embedded=embedded)

    template = environment.get_template("certificate.html.jinja")
    styles = (environment.get_template(name).render() for name in ("page.css", "certificate.css"))
    return template.generate(
        certificate=certificate,
        plan=certificate.narration.plan,
        totals=certificate.totals,
        drifts=certificate.narration.drifts,
        style=Markup("\n".join(styles)),
        clip=heard_of,
        embedded=embedded,
        manifest=_manifest(certificate),
    )


def marked(heard: Heard) -> list[Word]:
    """What an ear heard beside the text; right words that follow each other are one stretch."""
    found: list[Word] = []
    for word in heard.alignment:
        kind = KINDS[word.kind]
        if kind == "right" and found and found[-1].kind == "right":
            found[-1] = Word("right", f"{found[-1].expected} {word.expected}", "")
        else:
            found.append(Word(kind, word.expected, word.heard))
    return found


def clock(seconds: float) -> str:
    """3725.2 -> "1:02:05", 65 -> "1:05"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _manifest(certificate: Certificate) -> str:
    """Of the first chunk. Those of the others differ in text and seed, and are in the JSON file."""
    every = (placed for timeline in certificate.timelines for placed in timeline.placed)
    found = next((one for placed in every for one in placed.take.manifests), None)
    return "" if found is None else json.dumps(found, indent=2, ensure_ascii=False)
