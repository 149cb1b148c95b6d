"""`python -m experiments.studies.emotion`: Table 4 of the paper on the embedded family, by two kinds of ears.

Held-out sentences are spoken in every style, with a shipped neutral voice as the prompt: by one sample, by
best-of-N, by a process reward for the emotion to the end (PRM), and by partial PRM with word errors behind
it. What searched is emotion2vec; prosody, which did not, says whether the style is there. Then strength: of
the same N candidates the nearest to each wanted probability of the style is taken, and prosody says whether
three levels come out in order (Spearman within a sentence). Styles of a sentence are averaged first; means
over sentences with 95 % bootstrap intervals, differences paired by sentence.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.files import Outputs, check_file
from experiments.nano.second.texts import held_out
from experiments.programs import COUNT, THREADS, guarded
from llasa_core.audio import Waveform, read_audio
from llasa_core.request import Request
from llasa_core.voices import NEUTRAL, shipped_voices
from search.engine import Failure, Searcher
from search.results.manifest import versions
from search.results.result import SearchResult
from search.roles import here, install
from search.strategies.registry import build
from verifiers import registry
from verifiers.base import Score, Target, Verifier
from verifiers.stats import Interval, bootstrap_mean, paired_difference

STYLES = ("neutral", "angry", "happy", "sad")
SEARCHING = "emotion2vec:nano?measure=label"
WORDS = "whisper:tiny.en?window=auto"
EARS = {"prosody": "prosody", "WER": WORDS, "GE2E": "ge2e"}
"""By the name in the table, what judges the chosen speech."""
PLAIN, BEST, PRM, PARTIAL = "one sample", "best-of-{n}", "PRM", "partial PRM + WER"
STRENGTHS = (0.3, 0.6, 1.0)


@dataclass(frozen=True, eq=False)
class Chosen:
    """What a system chose for one sentence in one style: the measures of it, by name."""

    system: str
    sentence: int
    style: str
    voice: str
    measures: Mapping[str, float]


@click.command(help=__doc__)
@click.option("--limit", type=COUNT, default=25, help="Sentences (25).")
@click.option("-n", "count", type=click.IntRange(4, 64), default=16, help="Candidates of a search (16).")
@click.option("--style", "styles", type=click.Choice(STYLES), multiple=True, help="Repeatable (all four).")
@click.option("--preset", default="nano", help="Whose generator and codec (nano).")
@click.option("--seed", type=click.IntRange(min=0), default=7, help="Of the candidates (7).")
@click.option("--threads", type=THREADS, default=0, help="CPU threads (all cores).")
@click.option("--device", default="cpu", help="cpu, cuda, cuda:1 ... (cpu)")
@click.option("--json", "file", type=click.Path(path_type=Path), metavar="FILE", help="Write all to FILE.")
def study(
    limit: int,
    count: int,
    styles: tuple[str, ...],
    preset: str,
    seed: int,
    threads: int,
    device: str,
    file: Path | None,
) -> None:
    import torch

    styles = styles or STYLES
    if file is not None:
        check_file(file, "--json")
    registry.check(SEARCHING)
    ears = {name: spec for name, spec in EARS.items() if here(spec)}
    for spec in set(EARS.values()) - set(ears.values()):
        print(f"note: without {spec}: {install([spec])}", file=sys.stderr)
    torch.set_num_threads(threads or torch.get_num_threads())
    verifiers = (SEARCHING, *((WORDS,) if "WER" in ears else ()))
    items = wanted(limit, styles, seed)
    with Searcher.from_preset(preset, verifiers=verifiers, device=device) as searcher:
        judge = Judge({name: registry.load(spec, device) for name, spec in ears.items()})
        chosen = speak(searcher, items, count, judge, words="WER" in ears)
    settings = {
        "sentences": limit,
        "n": count,
        "styles": list(styles),
        "preset": preset,
        "seed": seed,
        "device": device,
        "searched by": SEARCHING,
        "judged by": ears,
    }
    console = Console(width=120, highlight=False)
    systems = list(dict.fromkeys(one.system for one in chosen if not one.system.startswith("strength")))
    figures = {system: compared(chosen, system, BEST.format(n=count)) for system in systems}
    print_table(console, figures, settings)
    orders = strengths(chosen)
    print_strengths(console, chosen, orders)
    if file is not None:
        found = {
            "settings": settings,
            "systems": {system: plain_figures(one) for system, one in figures.items()},
            "strength": {name: plain_interval(one) for name, one in orders.items()},
            "chosen": [vars(one) for one in chosen],
            "versions": versions(),
        }
        with Outputs() as outputs:
            outputs.stage(file).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            outputs.publish()


main = guarded(study)


@dataclass(frozen=True, eq=False)
class Item:
    """One sentence in one style, with a neutral prompt."""

    sentence: int
    style: str
    voice: str
    request: Request


def wanted(limit: int, styles: Sequence[str], seed: int) -> list[Item]:
    """The first held-out sentences, the shipped neutral voices in turn; a sentence has one voice and one seed
    in all styles."""
    neutral = [voice for voice in shipped_voices() if voice.style in ("", NEUTRAL)]
    found = []
    for number, (text, voice) in enumerate(zip(held_out()[:limit], cycle(neutral), strict=False)):
        prompt = read_audio(voice.path)
        for style in styles:
            request = Request(
                text,
                prompt_audio=prompt,
                prompt_text=voice.text,
                emotion=style,
                seed=seed,
                id=f"{number}-{style}",
            )
            found.append(Item(number, style, voice.name, request))
    return found


@dataclass(frozen=True, eq=False)
class Judge:
    """The ears that judge what was chosen, by their names in the table."""

    ears: Mapping[str, Verifier]

    def __call__(self, system: str, item: Item, waveform: Waveform, searched: Score) -> Chosen:
        """searched: the score of emotion2vec."""
        request = item.request
        target = Target(
            request.spoken.spoken, reference=request.prompt_audio, emotion=item.style, written=request.text
        )
        measures = {
            "emotion2vec": float(searched.evidence["probabilities"][item.style]),
            "emotion2vec accuracy": float(searched.evidence["label"] == item.style),
        }
        for name, ear in self.ears.items():
            (score,) = ear.score([waveform], target)
            measures[name] = score.value if score.usable else float("nan")
            if "label" in score.evidence or (name == "prosody" and not score.usable):
                measures[f"{name} accuracy"] = float(score.evidence.get("label") == item.style)
        return Chosen(system, item.sentence, item.style, item.voice, measures)


def speak(
    searcher: Searcher, items: Sequence[Item], count: int, judge: Judge, *, words: bool
) -> list[Chosen]:
    """What every system chose. words: whether a recogniser is there for the partial PRM."""
    directions = searcher.backend.directions
    beams = max(1, round(count**0.5))
    copies = count // beams
    pruned = f"beams={beams}&n={copies}&prm=emo"
    select = "wer,emo" if words else "emo"
    best = BEST.format(n=count)
    systems = {
        best: f"best-of-n?n={count}&wide=1&verifiers=emo&select=emo",
        PRM: f"beam?{pruned}&verifiers=emo&select=emo",
        PARTIAL: f"partial-prm?{pruned}&seconds=2&select={select}",
    }
    by_id = {item.request.id: item for item in items}
    found: list[Chosen] = []
    for system, spec in systems.items():
        outcomes = searcher.run_many((item.request for item in items), build(spec, directions))
        for done, outcome in enumerate(outcomes, 1):
            if isinstance(outcome, Failure):
                raise outcome.error
            judged = partial(judge, item=by_id[outcome.request.id])
            if system == best:
                found += from_candidates(outcome, judged)
            found.append(judged(system, waveform=outcome.waveform, searched=outcome.scores["emo"]))
            print(f"\r{system}: {done}/{len(items)}   ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def from_candidates(result: SearchResult, judged: Any) -> list[Chosen]:
    """One sample, which is the first candidate of best-of-N, and of all the nearest to each strength."""
    candidates = sorted(result.candidates, key=lambda candidate: candidate.number)
    first = candidates[0]
    found = [judged(PLAIN, waveform=first.waveform, searched=first.scores["emo"])]
    for strength in STRENGTHS:
        near = min(candidates, key=lambda one: (abs(one.scores["emo"].value - strength), one.number))
        found.append(judged(f"strength {strength:g}", waveform=near.waveform, searched=near.scores["emo"]))
    return found


@dataclass(frozen=True)
class Figure:
    """Of one measure of a system. less_plain, less_best: paired differences, by sentence, from one sample and
    from best-of-N; None for these themselves."""

    mean: Interval
    less_plain: Interval | None
    less_best: Interval | None


def by_sentence(chosen: Sequence[Chosen], system: str, measure: str) -> dict[int, float]:
    """The mean over the styles, of what could be judged."""
    found: dict[int, list[float]] = {}
    for one in chosen:
        value = one.measures.get(measure, float("nan"))
        if one.system == system and not np.isnan(value):
            found.setdefault(one.sentence, []).append(value)
    return {sentence: float(np.mean(values)) for sentence, values in found.items()}


def compared(chosen: Sequence[Chosen], system: str, best: str) -> dict[str, Figure]:
    """By measure. best: the name of best-of-N."""
    found = {}
    for name in dict.fromkeys(name for one in chosen for name in one.measures):
        own = by_sentence(chosen, system, name)
        if own:
            less = {
                base: None if system == base else difference(own, by_sentence(chosen, base, name))
                for base in (PLAIN, best)
            }
            found[name] = Figure(bootstrap_mean(list(own.values())), less[PLAIN], less[best])
    return found


def difference(own: Mapping[int, float], base: Mapping[int, float]) -> Interval | None:
    both = [sentence for sentence in own if sentence in base]
    if not both:
        return None
    return paired_difference([own[one] for one in both], [base[one] for one in both])


def strengths(chosen: Sequence[Chosen]) -> dict[str, Interval]:
    """By measure, Spearman's correlation of the wanted strength and what was found, within a sentence and
    style; levels that fell on one candidate or sound equal count as 0. The mean of the styles of a sentence
    is one observation. Neutral has no strength."""
    found: dict[str, Interval] = {}
    levels = [f"strength {strength:g}" for strength in STRENGTHS]
    for name in ("emotion2vec", "prosody"):
        correlations: dict[int, list[float]] = {}
        for key in dict.fromkeys((one.sentence, one.style) for one in chosen if one.style != NEUTRAL):
            by_level = {
                one.system: one.measures.get(name, float("nan"))
                for one in chosen
                if (one.sentence, one.style) == key and one.system in levels
            }
            values = np.array([by_level[level] for level in levels])
            if not np.isnan(values).any():
                correlations.setdefault(key[0], []).append(rank_correlation(values))
        if correlations:
            found[name] = bootstrap_mean([float(np.mean(one)) for one in correlations.values()])
    return found


def rank_correlation(values: Any) -> float:
    """Spearman's, of the values and their places; 0 where all are equal."""
    from experiments.report_page.judges import spearman

    found = spearman(np.arange(len(values), dtype=np.float64), np.asarray(values, dtype=np.float64))
    return 0.0 if found is None else found


def print_table(
    console: Console, figures: Mapping[str, Mapping[str, Figure]], settings: Mapping[str, Any]
) -> None:
    console.print(
        f"{settings['sentences']} sentences, styles {', '.join(settings['styles'])}, N = {settings['n']}, "
        f"seed {settings['seed']}; searched by {SEARCHING}, partial PRM also by the ear of WER; means over "
        "sentences [95 % intervals] and paired differences"
    )
    for name in dict.fromkeys(name for one in figures.values() for name in one):
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in (name, "mean", "n", "less one sample", "less best-of-N"):
            table.add_column(heading, justify="left" if heading == name else "right", min_width=20)
        for system, one in figures.items():
            if figure := one.get(name):
                less = [shown(gain, "+") for gain in (figure.less_plain, figure.less_best)]
                table.add_row(system, shown(figure.mean), str(figure.mean.n), *less)
        console.print(table)


def print_strengths(console: Console, chosen: Sequence[Chosen], orders: Mapping[str, Interval]) -> None:
    felt = [one for one in chosen if one.style != NEUTRAL]
    for strength in STRENGTHS:
        system = f"strength {strength:g}"
        means = [
            f"{name} {shown(bootstrap_mean(list(own.values())))}"
            for name in ("emotion2vec", "prosody")
            if (own := by_sentence(felt, system, name))
        ]
        console.print(f"{system}: {', '.join(means)}")
    for name, order in orders.items():
        told = f"{shown(order, '+')} (n = {order.n} sentences)"
        console.print(f"Spearman of wanted strength and {name}: {told}")


def shown(interval: Interval | None, sign: str = "") -> str:
    if interval is None:
        return ""
    return f"{interval.mean:{sign}.3f} [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]"


def plain_interval(interval: Interval | None) -> dict[str, float] | None:
    if interval is None:
        return None
    return {"mean": interval.mean, "low": interval.low, "high": interval.high, "n": interval.n}


def plain_figures(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {
        measure: {name: plain_interval(interval) for name, interval in vars(figure).items()}
        for measure, figure in figures.items()
    }


if __name__ == "__main__":
    sys.exit(main())
