"""A search as one HTML file: its tree to look at and listen to, its candidates, what it cost, and who agrees.

The file needs nothing else: style, script and clips are in it, and its policy forbids the browser to fetch.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment
from markupsafe import Markup

from experiments.report_page.audio import AudioClips, Decode, record
from experiments.report_page.environment import page_environment
from experiments.report_page.judges import compare, judge_metrics
from experiments.report_page.layout import lanes
from experiments.report_page.tree import Node, Tree, read_tree
from experiments.report_page.words import transcripts
from llasa_core.audio import CODES_PER_SECOND
from search.results.candidate import Candidate, plain
from search.results.ends import ENDS, NOT_REACHED, UNMET
from search.results.failures import FAILURES
from search.results.result import SearchResult
from search.results.trace import Step
from verifiers.base import Score
from verifiers.errors import VerifierError
from verifiers.selection.parse import parse_selection

LIMIT = 12_000_000
"""Bytes of a page, unless told otherwise."""
OPEN_CANDIDATES = 6
"""Candidates that are shown at once; the others can be unfolded."""


def write_page(
    file: Path,
    result: SearchResult,
    steps: Sequence[Step],
    decode: Decode,
    *,
    judges_note: str = "",
    limit: int = LIMIT,
) -> None:
    """Writes the page of one search.

    decode: rows of speech codes -> waveforms, for the branches that were pruned; the candidates have theirs.
    judges_note: a remark beside the comparison with the held-out judges. limit: bytes of the file; where all
    clips together are more, pruned branches lose theirs first (`audio.record`), and the page says so.
    The winner's recording and the page itself are written whatever the limit. Raises OSError.
    """
    tree = read_tree(steps, result.candidates)
    silent = render(result, steps, tree, AudioClips({}), judges_note)
    clips = record(tree, decode, limit - len(silent.encode()))
    file.write_text(render(result, steps, tree, clips, judges_note), encoding="utf-8")


def render(
    result: SearchResult, steps: Sequence[Step], tree: Tree, clips: AudioClips, judges_note: str
) -> str:
    """The HTML. Whatever a user wrote is escaped, in the text by Jinja, in the data by `data_block`."""
    environment = page_environment()
    environment.filters |= {"number": number, "score": score_text, "brief": brief, "better": better}
    script = _source(environment, "page.js")
    candidates = sorted(result.candidates, key=lambda candidate: candidate.rank)
    return environment.get_template("page.html.jinja").render(
        result=result,
        strategy=_strategy(result.manifest),
        style=Markup(_source(environment, "page.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=data_block(tree_data(result, steps, tree, clips)),
        counts=_counts(tree),
        candidates=candidates,
        open_candidates=OPEN_CANDIDATES,
        leaf_of={node.candidate.number: index for index, node in enumerate(tree.nodes) if node.candidate},
        clips=clips,
        transcripts={
            candidate.number: transcripts(candidate.scores, "")
            + transcripts(candidate.judged, "held-out judge ")
            for candidate in candidates
        },
        comparisons=compare(result),
        metrics=judge_metrics(result),
        directions=result.directions,
        digits=_digits(result),
        constraints=constraints_of(result),
        ends=[ENDS[end] for end in result.ends if end not in (UNMET, NOT_REACHED)],
        failures={
            name: [f"{kind} ({FAILURES[kind]})" for kind in found]
            for name, found in result.winner.failures.items()
            if found
        },
        judges_note=judges_note,
        ledger=result.ledger.as_dict(),
        manifest=json.dumps(plain(result.manifest), indent=2, ensure_ascii=False),
    )


def tree_data(result: SearchResult, steps: Sequence[Step], tree: Tree, clips: AudioClips) -> dict[str, Any]:
    """What the script draws and plays. Times in codes; clips of candidates stand in the list of
    candidates.
    """
    scales = _scales(result, tree)
    shades = [_shades(node, scales) for node in tree.nodes]
    first = scales[0]["name"] if scales else ""
    y, height = lanes(tree, {index: shade[first] for index, shade in enumerate(shades) if first in shade})
    leaf_of = clips.leaf_of(tree)
    return {
        "height": height,
        "length": max((node.end for node in tree.nodes), default=0),
        "codesPerSecond": CODES_PER_SECOND,
        "scales": [
            {key: value for key, value in scale.items() if key not in {"higher", "values"}}
            for scale in scales
        ],
        "judged": sorted(
            {
                max(int(str(record["id"]).rpartition("@")[2]) for record in step.scores)
                for step in steps
                if step.partial and step.scores
            }
        ),
        "nodes": [
            {
                "id": node.id,
                "parent": node.parent,
                "start": node.start,
                "end": node.end,
                "y": y[index],
                "role": node.role,
                "finished": node.finished,
                "cutOff": node.cut_off,
                "scores": plain(node.scores),
                "shades": shades[index],
                "leaf": leaf_of.get(index),
                "candidate": None if node.candidate is None else _candidate(node.candidate),
            }
            for index, node in enumerate(tree.nodes)
        ],
        "clips": {leaf: text for leaf, text in clips.by_leaf.items() if tree.nodes[leaf].candidate is None},
    }


def data_block(value: Any) -> Markup:
    """JSON that can stand in a <script> element: nothing in it ends the element or a line of script."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def number(value: float) -> str:
    """12345 -> "12,345"; 0.51234 -> "0.51"."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def score_text(score: Score, digits: int = 3) -> str:
    return f"{score.value:.{digits}f}" if score.usable else f"none ({score.reason})"


def digits_of(values: Sequence[float]) -> int:
    """Digits behind the point, 3 to 5, that tell the middle half of the values apart."""
    middle_half = float(np.subtract(*np.percentile(values, [75, 25]))) if values else 0.0
    return int(np.clip(1 - np.floor(np.log10(middle_half)), 3, 5)) if middle_half else 3


def better(higher: bool) -> str:
    """Which way a metric is better, in words."""
    return "higher is better" if higher else "lower is better"


def constraints_of(result: SearchResult) -> list[str]:
    """The constraints of the selection, such as "wer<=0.02"; empty if there were none."""
    rule = str(result.manifest.get("strategy", {}).get("select", ""))
    try:
        selection = parse_selection(rule, result.directions)
    except VerifierError:
        return []
    return list(map(str, selection.constraints))


def _digits(result: SearchResult) -> dict[str, int]:
    """By verifier and by judge, for the scores of the candidates."""
    found: dict[str, list[float]] = {}
    for candidate in result.candidates:
        for name, score in (*candidate.scores.items(), *candidate.judged.items()):
            found.setdefault(name, []).extend([score.value] if score.usable else [])
    return {name: digits_of(values) for name, values in found.items()}


def brief(spec: str) -> str:
    """A spec without its options."""
    return spec.split("?")[0]


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {"number": candidate.number, "rank": candidate.rank}


def _counts(tree: Tree) -> dict[str, int]:
    roles = [node.role for node in tree.nodes]
    return {role: roles.count(role) for role in ("candidate", "kept", "survivor", "pruned")}


def _strategy(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The settings of the strategy as words, its name first."""
    settings = dict(manifest.get("strategy", {}))
    name = str(settings.pop("name", "unknown"))
    words = {
        key: value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
        for key, value in settings.items()
    }
    return {"name": name, **words}


def _scales(result: SearchResult, tree: Tree) -> list[dict[str, Any]]:
    """By verifier, those of unfinished speech first: worst, median and best of the tree, and digits to tell
    them by.

    What `_shades` needs beside: whether higher is better, and the sorted values.
    """
    values: dict[str, list[float]] = {}
    partial = set()
    for node in tree.nodes:
        for score in node.scores:
            if score["partial"]:
                partial.add(score["verifier"])
            if score["usable"]:
                values.setdefault(score["verifier"], []).append(float(score["value"]))
    found = []
    for name in sorted(values, key=lambda name: (name not in partial, list(values).index(name))):
        higher = result.directions[name]
        order = np.sort(values[name])
        found.append(
            {
                "name": name,
                "partial": name in partial,
                "worst": float(order[0 if higher else -1]),
                "median": float(np.median(order)),
                "best": float(order[-1 if higher else 0]),
                "digits": digits_of(values[name]),
                "higher": higher,
                "values": order,
            }
        )
    return found


def _shades(node: Node, scales: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """By verifier, the share of all other values in the tree, equals apart, that are worse: 0 to 1, the best.

    Of the unfinished speech, or else of the whole. By rank, as scores may lie close together with a few far
    off.
    """
    found: dict[str, float] = {}
    for scale in scales:
        usable = [score for score in node.scores if score["verifier"] == scale["name"] and score["usable"]]
        if usable:
            value = min(usable, key=lambda score: not score["partial"])["value"]
            below = int(np.searchsorted(scale["values"], value, "left"))
            above = len(scale["values"]) - int(np.searchsorted(scale["values"], value, "right"))
            worse, better = (below, above) if scale["higher"] else (above, below)
            found[scale["name"]] = round(worse / (worse + better), 3) if worse + better else 1.0
    return found


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
