"""A result in a notebook: a player, and a row of scores for every candidate."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from llasa_core.audio import wav_bytes
from search.results.candidate import Candidate
from verifiers.base import Score

SHOWN = 20
"""Candidates of which a row is shown, best first."""
_ARROWS = {True: " \N{UPWARDS ARROW}", False: " \N{DOWNWARDS ARROW}", None: ""}
"""Where a metric is better."""


def ears(verifiers: Iterable[str], judges: Iterable[str]) -> str:
    """`searched by whisper:tiny.en, wavlm-sv:nano; judged by ge2e, held out of the search`; "" for none."""
    searched, judged = ", ".join(verifiers), ", ".join(judges)
    if not searched:
        return ""
    return f"searched by {searched}" + (f"; judged by {judged}, held out of the search" if judged else "")


def html(
    text: str, candidates: Sequence[Candidate], directions: Mapping[str, bool], notes: Sequence[str]
) -> str:
    """The text, a player of the winner, notes, and a table with the best candidates first."""
    best = sorted(candidates, key=lambda candidate: candidate.rank)
    metrics = [*best[0].scores, *best[0].judged]
    titles = ["", "s", *(metric + _ARROWS[directions.get(metric)] for metric in metrics)]
    rows = ["".join(f"<th>{escape(title)}</th>" for title in titles)]
    for candidate in best[:SHOWN]:
        scores = {**candidate.scores, **candidate.judged}
        cells = [
            str(candidate.number),
            f"{candidate.seconds:.2f}",
            *(_cell(scores[name]) if name in scores else "" for name in metrics),
        ]
        rows.append("".join(f"<td>{escape(cell)}</td>" for cell in cells))
    more = f"<p>and {len(best) - SHOWN} more</p>" if len(best) > SHOWN else ""
    sound = base64.b64encode(wav_bytes(best[0].waveform)).decode()
    return (
        f"<p>{escape(text)}</p>"
        f'<audio controls src="data:audio/wav;base64,{sound}"></audio>'
        f"<p>{escape(' '.join(notes))}</p><table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>{more}"
    )


def _cell(score: Score) -> str:
    return f"{score.value:.4f}" if score.usable else score.reason
