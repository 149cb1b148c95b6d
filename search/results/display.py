"""A result in a notebook: a player, and a row of scores for every candidate."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from llasa_core.audio import wav_bytes
from verifiers.base import Score

if TYPE_CHECKING:
    from search.results.result import SearchResult

SHOWN = 20
"""Candidates of which a row is shown, best first."""


def html(result: SearchResult) -> str:
    """The text, a player of the winner, and a table with the best candidates first."""
    best = sorted(result.candidates, key=lambda candidate: candidate.rank)
    metrics = [*result.winner.scores, *result.winner.judged]
    rows = ["".join(f"<th>{escape(title)}</th>" for title in ("", "s", *map(_titled(result), metrics)))]
    for candidate in best[:SHOWN]:
        scores = {**candidate.scores, **candidate.judged}
        cells = [
            str(candidate.number),
            f"{candidate.seconds:.2f}",
            *(_cell(scores[name]) for name in metrics),
        ]
        rows.append("".join(f"<td>{escape(cell)}</td>" for cell in cells))
    more = f"<p>and {len(best) - SHOWN} more</p>" if len(best) > SHOWN else ""
    notes = [] if result.satisfied else ["No candidate met all constraints."]
    notes += [f"Stopped: {result.stopped}."] if result.stopped else []
    sound = base64.b64encode(wav_bytes(result.waveform)).decode()
    return (
        f"<p>{escape(result.request.text)}</p>"
        f'<audio controls src="data:audio/wav;base64,{sound}"></audio>'
        f"<p>{escape(' '.join(notes))}</p><table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>{more}"
    )


def _titled(result: SearchResult) -> Callable[[str], str]:
    """A metric with an arrow to where it is better."""
    arrows = {True: " \N{UPWARDS ARROW}", False: " \N{DOWNWARDS ARROW}", None: ""}
    return lambda name: name + arrows[result.directions.get(name)]


def _cell(score: Score) -> str:
    return f"{score.value:.4f}" if score.usable else score.reason
