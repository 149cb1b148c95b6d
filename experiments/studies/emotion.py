"""`python -m experiments.studies.emotion`: Table 4 of the paper on the embedded family, by two kinds of ears.

Held-out sentences are spoken in every style, with a shipped neutral voice as the prompt: by one sample, by
best-of-N, by a process reward for the emotion to the end (PRM), by partial PRM with word errors behind it,
and by the same over all recordings of the voice (`--voice-styles`). What searched is emotion2vec, and Whisper
tiny.en behind the partial PRM; what did not search judges: prosody says whether the style is there (speech in
which too little is voiced for it counts as wrong), Whisper base hears the words, GE2E the voice. Then
strength: of the same N candidates the nearest to each wanted probability of the style is taken, and prosody
says whether three levels come out in order (Spearman within a sentence). Styles of a sentence are averaged
first; means over sentences with 95 % bootstrap intervals, differences paired by sentence.
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
from rich.console import Console

from experiments.files import Outputs, check_file
from experiments.nano.second.texts import held_out
from experiments.programs import COUNT, THREADS, guarded
from experiments.prompts import arms_of
from experiments.studies.emotion_tables import (
    PLAIN,
    STRENGTHS,
    Chosen,
    compared,
    plain_figures,
    plain_interval,
    print_strengths,
    print_table,
    strengths,
)
from llasa_core.audio import Waveform, read_audio
from llasa_core.request import Request
from llasa_core.voices import NEUTRAL, VoicePrompt, shipped_voices, styles_of
from search.arms import search_arms
from search.engine import Failure, Searcher
from search.results.manifest import versions
from search.results.result import SearchResult
from search.roles import here, install
from search.strategies.registry import build
from verifiers import registry
from verifiers.base import Score, Target, Verifier

STYLES = ("neutral", "angry", "happy", "sad")
SEARCHING = "emotion2vec:nano?measure=label"
WORDS = "whisper:tiny.en?window=auto"
EARS = {"prosody": "prosody", "WER": "whisper:base", "GE2E": "ge2e"}
"""By the name in the table, what judges the chosen speech."""
BEST, PRM, PARTIAL, PROMPTS = "best-of-{n}", "PRM", "partial PRM + WER", "the same, voice's styles"


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
    for spec in (spec for spec in (WORDS, *EARS.values()) if not here(spec)):
        print(f"note: without {spec}: {install([spec])}", file=sys.stderr)
    torch.set_num_threads(threads or torch.get_num_threads())
    verifiers = (SEARCHING, *((WORDS,) if here(WORDS) else ()))
    items = wanted(limit, styles, seed)
    with Searcher.from_preset(preset, verifiers=verifiers, device=device) as searcher:
        judge = Judge({name: registry.load(spec, device) for name, spec in ears.items()})
        chosen = speak(searcher, items, count, judge, words=here(WORDS))
    settings = {
        "sentences": limit,
        "n": count,
        "styles": list(styles),
        "preset": preset,
        "seed": seed,
        "device": device,
        "searched by": verifiers,
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
    voice: VoicePrompt
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
            found.append(Item(number, style, voice, request))
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
            if name == "prosody":
                measures["prosody judges"] = float(score.usable)
                measures["prosody accuracy"] = float(score.evidence.get("label") == item.style)
        return Chosen(system, item.sentence, item.style, item.voice.name, measures)


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
    partial_prm = f"partial-prm?{pruned}&seconds=2&select={select}"
    systems = {
        best: f"best-of-n?n={count}&wide=1&verifiers=emo&select=emo",
        PRM: f"beam?{pruned}&verifiers=emo&select=emo",
        PARTIAL: partial_prm,
        PROMPTS: partial_prm,
    }
    by_id = {item.request.id: item for item in items}
    found: list[Chosen] = []
    for system, spec in systems.items():
        strategy = build(spec, directions)
        if system == PROMPTS:
            arms = (arms_of(item.request, recordings(item.voice)) for item in items)
            outcomes = search_arms(searcher, arms, strategy)
        else:
            outcomes = searcher.run_many((item.request for item in items), strategy)
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


def recordings(voice: VoicePrompt) -> list[VoicePrompt]:
    """Of a shipped voice in all its styles, the given one first."""
    return [voice, *(one for one in styles_of(voice) if one.name != voice.name)]


def from_candidates(result: SearchResult, judged: Any) -> list[Chosen]:
    """One sample, which is the first candidate of best-of-N, and of all the nearest to each strength."""
    candidates = sorted(result.candidates, key=lambda candidate: candidate.number)
    first = candidates[0]
    found = [judged(PLAIN, waveform=first.waveform, searched=first.scores["emo"])]
    for strength in STRENGTHS:
        near = min(candidates, key=lambda one: (abs(one.scores["emo"].value - strength), one.number))
        found.append(judged(f"strength {strength:g}", waveform=near.waveform, searched=near.scores["emo"]))
    return found


if __name__ == "__main__":
    sys.exit(main())
