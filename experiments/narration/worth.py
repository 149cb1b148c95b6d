"""`python -m experiments.narration.worth`: what a certificate is worth, by an ear that did not search.

A chapter is spoken three ways: one sample of each chunk, the best of 8 of each chunk by the first ear, and as
`llasa-search narrate` does it, all with the same models and voice. A third ear, which chose nothing, counts
wrong words. Of the chunks that passed it says in how many it finds no error, of the flagged ones in how many
it finds one. Word error rates are all errors over all words with 95 % bootstrap intervals over the chunks,
shares have Wilson intervals. One sample costs no verifier. What is spoken stays in the folder, and the same
command goes on there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import torch
from rich.console import Console
from rich.table import Table

from experiments.config import SearchOptions, Settings
from experiments.files import Log, read_log
from experiments.narration.chunks import Packing, chunks
from experiments.narration.opening import open_book
from experiments.narration.readable import pace_of
from experiments.narration.speaking.ladder import Limits
from experiments.narration.speaking.planning import Speaking, speaking
from experiments.narration.speaking.speak import narrate
from experiments.narration.speaking.standard import SPEAKER, named, standard_of
from experiments.narration.takes import PlannedChunk, Take, read_narration
from experiments.narration.third_ear import counts_of, share_with, share_without
from experiments.programs import COUNT, THREADS, guarded
from experiments.request_options import RequestOptions
from experiments.terminal import say
from llasa_core.audio import read_audio
from llasa_core.presets import find_preset
from search.engine import Failure
from search.results.result import SearchResult
from search.roles import check_apart, here
from verifiers import registry
from verifiers.base import Score, Target
from verifiers.stats import Interval, bootstrap_ratio, wilson

CHAPTER = Path(__file__).parent / "data" / "chapter.md"
BEST_OF = 8
BASELINE, HEARD = "best-of-8.jsonl", "third-ear.jsonl"


@dataclass(frozen=True, slots=True)
class Way:
    """A chapter spoken one way: errors and words of each chunk by the third ear, and what it cost."""

    name: str
    errors: tuple[int, ...]
    words: tuple[int, ...]
    tokens: int
    flops: float
    seconds: float

    @property
    def rate(self) -> Interval:
        return bootstrap_ratio(self.errors, self.words)


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--book", type=click.Path(path_type=Path), default=CHAPTER, help="Instead of the shipped one.")
@click.option("--chunks", "count", type=COUNT, help="Of the book, evenly spread (all).")
@click.option("--ears", metavar="SPEC,SPEC", help="Of the narration (as narrate).")
@click.option("--judge", default="whisper:base", help="The third ear (whisper:base).")
@click.option("--seed", type=int, default=11, help="Of the book (11).")
@click.option("--threads", type=THREADS, default=0, help="CPU threads (all cores).")
def worth(
    folder: Path, book: Path, count: int | None, ears: str | None, judge: str, seed: int, threads: int
) -> None:
    torch.set_num_threads(threads or torch.get_num_threads())
    registry.check(judge)
    plan = planned(book, count, () if ears is None else ears.split(","), seed)
    check_apart([ear.spec for ear in plan.standard.ears], [judge])
    if signal := narrate(folder / "narrated", plan):
        raise signal
    narration = read_narration(folder / "narrated")
    spoken = [(chunk, take) for chunk, take in narration.in_order if take is not None]
    baseline = best_of(folder, plan, [chunk for chunk, _ in spoken], judge)
    third = heard_by(folder, judge, plan, spoken, folder / "narrated")
    kept = [(chunk, take) for chunk, take in spoken if chunk.key in baseline and chunk.key in third]
    console = Console(width=120, highlight=False)
    names = ", ".join(ear.spec for ear in plan.standard.ears)
    console.print(
        f"{len(kept)} chunks of {book.name}, seed {seed}, {torch.get_num_threads()} threads; "
        f"searched by {names}; judged by {judge}"
    )
    console.print(ways_table(ways(kept, baseline, third)))
    console.print(worth_table(kept, third))


main = guarded(worth)


def planned(book: Path, count: int | None, ears: Sequence[str], seed: int) -> Speaking:
    """The chunks of a book, or `count` of them evenly spread, to be spoken by the nano preset."""
    preset = find_preset("nano")
    given = open_book(book, None).book
    found = chunks(given, Packing.of(pace_of(preset)))
    if count is not None and count < len(found):
        found = tuple(found[k * len(found) // count] for k in range(count))
    request = RequestOptions(language=given.language, seed=seed)
    standard = standard_of(preset, given.language, ears, pace=pace_of(preset))
    return speaking(given, found, standard, SearchOptions(), Limits(), seed, lambda speaker: request)


def best_of(
    folder: Path, plan: Speaking, wanted: Sequence[PlannedChunk], judge: str
) -> dict[str, dict[str, Any]]:
    """By key: what the third ear says of the best of 8, and of the first of them, with their costs."""
    path = folder / BASELINE
    found = {one["key"]: one for _, one in read_log(path, "the log")} if path.exists() else {}
    missing = [chunk for chunk in wanted if chunk.key not in found]
    if not missing:
        return found
    first = plan.standard.ears[0]
    voice = (SPEAKER,) if here(SPEAKER) else ()
    select = f"{first.metric}<=0,{voice[0] if voice else first.metric}"
    options = replace(
        plan.search,
        strategy={"name": "best-of-n", "n": BEST_OF, "wide": 1, "select": select},
        verifiers=(named(first.spec, first.metric), *voice),
        judges=(judge,),
    )
    rows = {row.id: (chunk, row) for chunk in missing for row in [plan.row(chunk, chunk.text, "best of 8")]}
    settings = Settings.from_options(options, next(iter(rows.values()))[1])
    with closing(settings.searcher()) as searcher, Log(path) as log:
        outcomes = searcher.run_many(
            (row.request() for _, row in rows.values()),
            settings.strategy,
            heard=lambda choice: {0, choice.ranking[0]},
        )
        for number, outcome in enumerate(outcomes, start=1):
            if isinstance(outcome, Failure):
                raise outcome.error
            chunk = rows[outcome.request.id][0]
            found[chunk.key] = baseline_line(chunk, outcome, judge)
            log.append(found[chunk.key])
            say(f"best of {BEST_OF}: {number} of {len(missing)}", error=True)
    return found


def baseline_line(chunk: PlannedChunk, result: SearchResult, judge: str) -> dict[str, Any]:
    ledger = result.ledger.as_dict()
    one = result.candidates[0]
    share = len(one.tokens) / max(result.ledger.tokens_generated, 1)
    speaking_alone = ("generator", "codec")
    searching = {name: value for name, value in ledger["flops"].items() if not name.startswith("judge")}
    wall = {name: value for name, value in ledger["wall_seconds"].items() if not name.startswith("judge")}
    return {
        "key": chunk.key,
        "best": counted(result.winner.judged[judge]),
        "one": counted(one.judged[judge]),
        "tokens": result.ledger.tokens_generated,
        "flops": sum(searching.values()),
        "seconds": sum(wall.values()),
        "one_tokens": len(one.tokens),
        "one_flops": share * sum(searching.get(name, 0.0) for name in speaking_alone),
        "one_seconds": share * sum(wall.get(name, 0.0) for name in speaking_alone),
    }


def counted(score: Score) -> list[int]:
    """Errors and words, as they are logged."""
    found = counts_of(score)
    return [found.errors, found.words]


def heard_by(
    folder: Path, judge: str, plan: Speaking, spoken: Sequence[tuple[PlannedChunk, Take]], audio: Path
) -> dict[str, list[int]]:
    """By key: errors and words of what narrate has spoken, by the third ear."""
    path = folder / HEARD
    known = {one["audio"]: one["heard"] for _, one in read_log(path, "the log")} if path.exists() else {}
    found: dict[str, list[int]] = {}
    ear = None
    with Log(path) as log:
        for chunk, take in spoken:
            if take.audio_sha256 not in known:
                ear = ear or registry.load(judge)
                request = plan.row(chunk, take.text).request()
                target = Target(request.spoken.spoken, request.language, written=take.text)
                waveform = read_audio(audio / take.audio)
                known[take.audio_sha256] = counted(ear.score([waveform], target)[0])
                log.append({"audio": take.audio_sha256, "heard": known[take.audio_sha256]})
            found[chunk.key] = known[take.audio_sha256]
    return found


def ways(
    spoken: Sequence[tuple[PlannedChunk, Take]],
    baseline: Mapping[str, Mapping[str, Any]],
    third: Mapping[str, Sequence[int]],
) -> Iterator[Way]:
    rows = [baseline[chunk.key] for chunk, _ in spoken]
    for name, key, prefix in (("one sample", "one", "one_"), (f"best of {BEST_OF}", "best", "")):
        errors, words = zip(*(row[key] for row in rows), strict=True)
        cost = [sum(row[f"{prefix}{what}"] for row in rows) for what in ("tokens", "flops", "seconds")]
        yield Way(name, errors, words, int(cost[0]), cost[1], cost[2])
    errors, words = zip(*(third[chunk.key] for chunk, _ in spoken), strict=True)
    takes = [take for _, take in spoken]
    seconds = sum(attempt.seconds for take in takes for attempt in take.attempts)
    tokens, flops = sum(take.tokens for take in takes), sum(take.flops for take in takes)
    yield Way("narrate", errors, words, tokens, flops, seconds)


def ways_table(found: Iterator[Way]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("spoken as")
    for heading in ("WER", "wrong words", "chunks without one", "tokens", "TFLOPs", "seconds"):
        table.add_column(heading, justify="right")
    for way in found:
        clean = wilson(sum(not errors for errors in way.errors), len(way.errors))
        table.add_row(
            way.name,
            str(way.rate),
            f"{sum(way.errors)} of {sum(way.words)}",
            str(clean),
            f"{way.tokens:,}",
            f"{way.flops / 1e12:,.1f}",
            f"{way.seconds:,.0f}",
        )
    return table


def worth_table(spoken: Sequence[tuple[PlannedChunk, Take]], third: Mapping[str, Sequence[int]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("the certificate says")
    for heading in ("chunks", "the third ear says", "share"):
        table.add_column(heading, justify="right")
    for says, passed, wanted in (("passed", True, "no error"), ("doubtful", False, "an error")):
        own = [third[chunk.key][0] for chunk, take in spoken if take.passed == passed]
        share = share_without(own) if passed else share_with(own)
        table.add_row(says, str(len(own)), wanted, "-" if share is None else str(share))
    return table


if __name__ == "__main__":
    sys.exit(main())
