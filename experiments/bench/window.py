"""`python -m experiments.bench.window`: what a shorter window of a Whisper saves, and which readings change.

The same audio is read with the whole window and with shorter ones: candidates of the nano generator, and
human speech (of the package moonshine-voice, where it is installed) cut where it is quiet. A transcript has
changed if its words have. Of the candidates, each reading chooses the best of a sentence, and a recogniser
that chose nothing says how many words of that are wrong. Means over sentences or pieces with 95 % bootstrap
intervals; times are medians of the ratio to the whole window.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import click
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from experiments.bench import speech
from experiments.bench.timing import Ratio, tell
from experiments.human_speech import human_pieces
from experiments.programs import COUNT, THREADS, Positive, guarded
from llasa_core.audio import Waveform
from search.engine import Failure, Searcher
from verifiers import registry
from verifiers.base import Score, Target, Verifier
from verifiers.selection.parse import parse_selection
from verifiers.spec import Spec
from verifiers.stats import Interval, bootstrap_mean, paired_difference

WINDOWS = ("auto", "10", "15")
NOTHING_SAID = " ".join(["word"] * 30)
"""For human speech, whose text is not known: the cap on tokens follows from it."""
PIECES = 8
"""Of human speech, judged at once."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Of each group of waveforms, in one call: the scores, and wall seconds."""

    scores: tuple[tuple[Score, ...], ...]
    seconds: tuple[float, ...]

    @property
    def transcripts(self) -> list[list[str]]:
        return [words(score) for group in self.scores for score in group]


@click.command(help=__doc__)
@click.option("--model", default="whisper:tiny.en", help="Whose window (whisper:tiny.en).")
@click.option("--window", "windows", multiple=True, metavar="SECONDS|auto", help="Repeatable (auto, 10, 15).")
@click.option("--judge", default="whisper:base", help="The recogniser that chooses nothing (whisper:base).")
@click.option("--sentences", type=COUNT, default=30, help="Of generated speech (30).")
@click.option("-n", "count", type=COUNT, default=8, help="Candidates of each (8).")
@click.option("--longest", type=Positive(30), default=6.0, help="Seconds of a piece of human speech (6).")
@click.option("--seed", type=int, default=7, help="Of the candidates (7).")
@click.option("--threads", type=THREADS, default=0, help="CPU threads (all cores).")
def bench(
    model: str,
    windows: Sequence[str],
    judge: str,
    sentences: int,
    count: int,
    longest: float,
    seed: int,
    threads: int,
) -> None:
    specs = {"whole": model, **{name: with_window(model, name) for name in windows or WINDOWS}}
    for spec in (*specs.values(), judge):
        registry.check(spec)
    torch.set_num_threads(threads or torch.get_num_threads())
    texts, groups = generated(sentences, count, seed)
    human = human_pieces(longest)
    pieces = [human[k : k + PIECES] for k in range(0, len(human), PIECES)]
    targets = [Target(text=text) for text in texts]
    console = Console(width=120, highlight=False)
    readings, of_human = {}, {}
    for name, spec in specs.items():
        verifier = registry.load(spec)
        readings[name] = read(verifier, groups, targets, name)
        of_human[name] = read(verifier, pieces, [Target(text=NOTHING_SAID)] * len(pieces), name)
    tell("")
    heard = read(registry.load(judge), groups, targets, judge)
    console.print(
        f"{model}; {len(texts)} sentences, {count} candidates each, seed {seed}, {torch.get_num_threads()} "
        f"threads; choices judged by {judge}; means [95 % intervals]"
    )
    console.print(generated_table(readings, heard))
    if human:
        console.print(f"\n{len(human)} pieces of human speech, at most {longest:g} s each")
        console.print(human_table(of_human))


main = guarded(bench)


def with_window(model: str, window: str) -> str:
    spec = Spec.parse(model)
    return str(Spec(spec.kind, spec.source, {**spec.options, "window": window}))


def generated(sentences: int, count: int, seed: int) -> tuple[list[str], list[list[Waveform]]]:
    """Sentences as they are spoken, and the candidates of each."""
    texts, groups = [], []
    with Searcher.from_preset("nano", verifiers=("signal",)) as searcher:
        strategy = f"best-of-n?n={count}&wide=1&select=signal"
        for outcome in searcher.run_many(speech.requests(sentences, seed), strategy):
            if isinstance(outcome, Failure):
                raise outcome.error
            texts.append(outcome.request.spoken.spoken)
            groups.append([candidate.waveform for candidate in outcome.candidates])
            tell(f"generated {len(texts)} of {sentences}")
    return texts, groups


def read(
    verifier: Verifier, groups: Sequence[Sequence[Waveform]], targets: Sequence[Target], name: str
) -> Reading:
    scores, spent = [], []
    if groups:
        verifier.score(groups[0], targets[0])  # what is done once is not counted
    for k, (group, target) in enumerate(zip(groups, targets, strict=True), start=1):
        began = time.perf_counter()
        scores.append(tuple(verifier.score(group, target)))
        spent.append(time.perf_counter() - began)
        tell(f"{name}: {k} of {len(groups)}")
    return Reading(tuple(scores), tuple(spent))


def words(score: Score) -> list[str]:
    """What was heard, lower case and without punctuation."""
    kept = (c if c.isalnum() or c in " '" else " " for c in str(score.evidence.get("transcript", "")).lower())
    return "".join(kept).split()


def apart(found: Reading, whole: Reading) -> tuple[Interval, Interval]:
    """The share of transcripts that changed, and of their words (edits over the longer of the two)."""
    from rapidfuzz.distance import Levenshtein

    pairs = list(zip(found.transcripts, whole.transcripts, strict=True))
    changed = [float(one != other) for one, other in pairs]
    return bootstrap_mean(changed), bootstrap_mean([Levenshtein.normalized_distance(*pair) for pair in pairs])


def faster(found: Reading, whole: Reading) -> str:
    return Ratio.of([w / f for f, w in zip(found.seconds, whole.seconds, strict=True)]).show(1)


def shown(interval: Interval, sign: str = "") -> str:
    return f"{interval.mean:{sign}.3f} [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]"


def choices(found: Reading, heard: Reading) -> list[float]:
    """The judge's WER of what each reading chooses."""
    rule = parse_selection("wer", {"wer": False})
    return [
        judged[rule.rank({"wer": own}).order[0]].value
        for own, judged in zip(found.scores, heard.scores, strict=True)
    ]


def generated_table(readings: dict[str, Reading], heard: Reading) -> Table:
    table = _table(
        "window", "times as fast", "changed", "words apart", "WER", "WER of choice", "less that of whole"
    )
    whole = readings["whole"]
    best = choices(whole, heard)
    for name, found in readings.items():
        errors = [float(np.mean([score.value for score in own])) for own in found.scores]
        own = choices(found, heard)
        table.add_row(
            name,
            *(("1", "", "") if found is whole else (faster(found, whole), *map(shown, apart(found, whole)))),
            shown(bootstrap_mean(errors)),
            shown(bootstrap_mean(own)),
            "" if found is whole else shown(paired_difference(own, best), "+"),
        )
    sample = [float(np.mean([score.value for score in own])) for own in heard.scores]
    table.add_row("(one sample)", "", "", "", "", shown(bootstrap_mean(sample)), "")
    return table


def human_table(readings: dict[str, Reading]) -> Table:
    table = _table("window", "times as fast", "changed", "words apart")
    for name, found in readings.items():
        if name != "whole":
            changed, words_apart = apart(found, readings["whole"])
            table.add_row(name, faster(found, readings["whole"]), shown(changed), shown(words_apart))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "window" else "right")
    return table


if __name__ == "__main__":
    sys.exit(main())
