"""`python -m experiments.bench.ears`: what cheap evidence is worth, by a real recogniser that did not search.

Candidates of ordinary sentences are generated once. Each kind of evidence then orders the candidates of a
sentence, and a held-out recogniser says how many of their words are wrong. Shown are the rank correlation
within a sentence (positive if the evidence prefers what the judge prefers; sentences whose candidates the
judge finds all alike say nothing and are left out), the mean WER of the candidate that is chosen, and its
difference from one sample; means over the sentences with 95 % bootstrap intervals. Ties go to the first.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from experiments.bench import speech
from experiments.files import Outputs, check_file
from experiments.programs import COUNT, THREADS, guarded
from experiments.report_page.judges import spearman
from llasa_core.loading import check_device
from llasa_core.request import Request
from search.engine import Failure, Searcher
from search.results.manifest import versions
from search.results.result import SearchResult
from search.strategies.registry import build
from verifiers import registry
from verifiers.selection.parse import parse_selection
from verifiers.stats import Interval, bootstrap_mean, paired_difference

JUDGE, EAR = "whisper:base", "whisper:tiny.en?name=tiny.en"
EVIDENCE = (
    "likelihood",
    "likelihood?measure=margin",
    "likelihood?measure=lowest",
    "loops",
    "length",
    "signal",
    "whisper:nano?name=nano",
    "wavlm-sv:nano",
)
RULES = (
    *("logp", "margin", "lowest-margin", "loops", "length", "signal", "nano", "sim"),
    *("consensus(nano)", "consensus(sim)", "consensus(length)", "consensus(nano,sim,length)"),
    *("ranks(margin,nano)", "consensus(tiny.en)", "tiny.en"),
)
"""What is compared: selections over the evidence, each of the cheap ones and then the real recogniser."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence: the judge's WER of each candidate, its scores by metric, and by rule the order in which
    it puts them, best first, and their places, where equal ones share one. seconds: wall time by part."""

    text: str
    errors: tuple[float, ...]
    values: Mapping[str, tuple[float, ...]]
    orders: Mapping[str, tuple[int, ...]]
    places: Mapping[str, tuple[float, ...]]
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Worth:
    """Of one rule. correlation: within a sentence, over those where it is defined; None if it is in none."""

    rule: str
    correlation: Interval | None
    error: Interval
    gain: Interval


@click.command(help=__doc__)
@click.option(
    "--sentences", "source", type=click.Path(path_type=Path), default=speech.SENTENCES, help="One a line."
)
@click.option("--limit", type=COUNT, default=50, help="Sentences (50).")
@click.option("-n", "count", type=COUNT, default=8, help="Candidates of each (8).")
@click.option("--judge", default=JUDGE, help=f"Held-out recogniser ({JUDGE}).")
@click.option(
    "--verifier", "specs", multiple=True, metavar="SPEC", help="Evidence, repeatable (cheap kinds)."
)
@click.option("--rule", "rules", multiple=True, metavar="RULE", help="Selections over it, repeatable.")
@click.option("--preset", default="nano", help="Whose generator and codec (nano).")
@click.option("--seed", type=int, default=7, help="Of the candidates (7).")
@click.option("--threads", type=THREADS, default=0, help="CPU threads (all cores).")
@click.option("--device", default="cpu", help="cpu, cuda, cuda:1 ... (cpu)")
@click.option("--json", "file", type=click.Path(path_type=Path), metavar="FILE", help="Write all to FILE.")
def bench(
    source: Path,
    limit: int,
    count: int,
    judge: str,
    specs: tuple[str, ...],
    rules: tuple[str, ...],
    preset: str,
    seed: int,
    threads: int,
    device: str,
    file: Path | None,
) -> None:
    specs = specs or (*EVIDENCE, EAR)
    directions = registry.directions(*specs)
    rules = rules or RULES
    for rule in rules:
        parse_selection(rule, directions)
    registry.check(judge)
    if file is not None:
        check_file(file, "--json")
    check_device(device)
    torch.set_num_threads(threads or torch.get_num_threads())
    wanted = requests(source, limit, seed)
    searcher = Searcher.from_preset(preset, verifiers=specs, judges=(judge,), device=device)
    strategy = build(f"best-of-n?n={count}&wide=1&select={rules[0]}", directions)
    found = []
    for outcome in searcher.run_many(wanted, strategy, in_flight=1):
        if isinstance(outcome, Failure):
            raise outcome.error
        found.append(judged(outcome, rules, directions))
        print(f"\r{len(found)}/{len(wanted)}   ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    settings = {
        "sentences": len(found),
        "n": count,
        "judge": judge,
        "preset": preset,
        "seed": seed,
        "device": device,
    }
    worths = [worth(rule, found) for rule in rules]
    print_worths(worths, found, settings)
    if file is not None:
        plain = {
            "settings": settings,
            "sentences": [asdict(one) for one in found],
            "versions": versions(),
        }
        with Outputs() as outputs:
            outputs.stage(file).write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
            outputs.publish()


main = guarded(bench)


def requests(source: Path, limit: int, seed: int) -> list[Request]:
    """The first sentences of the file, each once, in the shipped neutral voices in turn."""
    found = speech.requests(limit, seed, source)
    return [replace(one, id=one.text) for one in found if one.seed == seed]


def judged(result: SearchResult, rules: Sequence[str], directions: Mapping[str, bool]) -> Sentence:
    """The candidates in lineage order."""
    candidates = sorted(result.candidates, key=lambda candidate: candidate.number)
    scores = {name: [candidate.scores[name] for candidate in candidates] for name in directions}
    orders = {rule: parse_selection(rule, directions).rank(scores).order for rule in rules}
    return Sentence(
        result.request.text,
        tuple(next(iter(candidate.judged.values())).value for candidate in candidates),
        {name: tuple(score.value for score in own) for name, own in scores.items()},
        orders,
        {rule: shared_places(rule, scores, directions, order) for rule, order in orders.items()},
        {part: spent for part, spent in result.ledger.wall.items()},
    )


def shared_places(
    rule: str,
    scores: Mapping[str, Sequence[Any]],
    directions: Mapping[str, bool],
    order: Sequence[int],
) -> tuple[float, ...]:
    """The place of each candidate, equal for those that the rule finds equal: by a metric, its value."""
    if rule in directions:
        sign = -1.0 if directions[rule] else 1.0
        return tuple(sign * score.value for score in scores[rule])
    places = np.empty(len(order))
    places[list(order)] = np.arange(len(order))
    return tuple(places.tolist())


def worth(rule: str, found: Sequence[Sentence]) -> Worth:
    errors = [np.array(one.errors) for one in found]
    correlations = [
        value
        for one, wrong in zip(found, errors, strict=True)
        if (value := spearman(np.array(one.places[rule]), wrong)) is not None
    ]
    chosen = [float(wrong[one.orders[rule][0]]) for one, wrong in zip(found, errors, strict=True)]
    return Worth(
        rule,
        bootstrap_mean(correlations) if correlations else None,
        bootstrap_mean(chosen),
        paired_difference(chosen, [float(wrong.mean()) for wrong in errors]),
    )


def print_worths(worths: Sequence[Worth], found: Sequence[Sentence], settings: Mapping[str, Any]) -> None:
    console = Console(width=120, highlight=False)
    sample = bootstrap_mean([float(np.mean(one.errors)) for one in found])
    oracle = bootstrap_mean([min(one.errors) for one in found])
    console.print(
        f"{settings['sentences']} sentences, {settings['n']} candidates each, seed {settings['seed']}; "
        f"WER by {settings['judge']}, which chose nothing; means [95 % intervals]"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("chosen by", "rank correlation", "n", "WER of the choice", "less that of one sample"):
        table.add_column(heading, justify="left" if heading == "chosen by" else "right")
    table.add_row("one sample", "", "", shown(sample), "")
    for one in worths:
        correlation = "" if one.correlation is None else shown(one.correlation, "+")
        known = "" if one.correlation is None else str(one.correlation.n)
        table.add_row(one.rule, correlation, known, shown(one.error), shown(one.gain, "+"))
    table.add_row("the judge itself", "", "", shown(oracle), "")
    console.print(table)
    parts = sorted({part for one in found for part in one.seconds})
    spent = {part: sum(one.seconds.get(part, 0.0) for one in found) for part in parts}
    console.print("seconds: " + ", ".join(f"{part} {value:.1f}" for part, value in spent.items()))


def shown(interval: Interval, sign: str = "") -> str:
    return f"{interval.mean:{sign}.3f} [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]"


if __name__ == "__main__":
    sys.exit(main())
