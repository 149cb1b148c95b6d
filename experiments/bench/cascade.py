"""`python -m experiments.bench.cascade`: what a cheap verifier in front of a dear one saves, and loses.

Searches of ordinary sentences draw candidates once, and all verifiers judge all of them. The choice is then
made from the same scores with a stage and without, by the code that ends every search, so that winners can be
compared and it is known whom the dear verifier would have been asked about. Costs are those measured in the
searches, of a candidate in the mean: of the dear verifier and the stage, and of all with generator and codec;
each as a share of that without the stage. Lost is what the winner is worse by the dear verifier and by the
similarity. Means over the searches with 95 % bootstrap intervals.

Each search is appended to records.jsonl and never done twice, so the command can be stopped and given again.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch
from rich.console import Console
from rich.table import Table

from experiments.bench import speech
from experiments.bench.timing import tell
from experiments.documents import Schema, checked
from experiments.files import Log, read_log
from experiments.programs import COUNT, THREADS, guarded
from llasa_core.errors import UserError
from search.asks import Beam, Choice, Measure, Work
from search.engine import Failure, Searcher
from search.results.result import SearchResult
from search.strategies.candidates import judged
from verifiers import registry
from verifiers.base import Score
from verifiers.selection.parse import parse_selection
from verifiers.stats import Interval, bootstrap_mean

EAR, VOICE = "whisper:tiny.en", "wavlm-sv:nano"
STAGES = ("wavlm-sv:nano", "signal", "whisper:nano?name=wer-nano", "whisper:tiny.en?name=wer-10s&window=10")
RULE = "wer<=0,sim"
SHARES = (0.25, 0.5, 0.75)


class Heard(Schema):
    """A score, without what nobody looks at."""

    value: float | None
    usable: bool
    short: bool
    logp: float | None


class Record(Schema):
    """One search. scores: by metric, of each candidate. wall, flops: as the ledger has them."""

    text: str
    seed: int
    scores: dict[str, list[Heard]]
    wall: dict[str, float]
    flops: dict[str, float]


@dataclass(frozen=True, slots=True)
class Compared:
    """A choice with a stage and the one without. heard: the share of candidates that the dear verifier was
    asked about. flops, seconds: of the verifiers, and of the whole search, as shares."""

    same: bool
    heard: float
    flops: float
    seconds: float
    search: float
    error: float
    similarity: float


@click.command(help=__doc__)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("cascade"),
    help="Of records.jsonl (cascade).",
)
@click.option("--searches", type=COUNT, default=100, help="Sentences, over and over with other seeds (100).")
@click.option("-n", "count", type=COUNT, default=16, help="Candidates of each (16).")
@click.option("--ear", default=EAR, help=f"The dear verifier ({EAR}).")
@click.option("--voice", default=VOICE, help=f"Of the similarity ({VOICE}).")
@click.option("--stage", "stages", multiple=True, metavar="SPEC", help="Cheap ones, repeatable.")
@click.option("--share", "shares", multiple=True, type=click.FloatRange(0, 1, min_open=True), help="Kept.")
@click.option("--rule", default=RULE, help=f"Behind the stage ({RULE}).")
@click.option("--seed", type=int, default=7, help="Of the first searches (7).")
@click.option("--threads", type=THREADS, default=0, help="CPU threads (all cores).")
@click.option("--table", is_flag=True, help="Only print the table of the records so far.")
def bench(
    out: Path,
    searches: int,
    count: int,
    ear: str,
    voice: str,
    stages: Sequence[str],
    shares: Sequence[float],
    rule: str,
    seed: int,
    threads: int,
    table: bool,
) -> None:
    stages = stages or STAGES
    specs = tuple(dict.fromkeys((ear, voice, *stages)))
    for spec in specs:
        registry.check(spec)
    directions = registry.directions(*specs)
    if missing := {"wer", "sim"}.difference(parse_selection(rule, directions).metrics):
        raise UserError(f"--rule {rule}: what is lost is told in wer and sim, so add {' and '.join(missing)}")
    torch.set_num_threads(threads or torch.get_num_threads())
    path = out / "records.jsonl"
    if not table:
        with Log(path) as log:
            for record in run(read(path), specs, searches, count, seed):
                log.append(record.model_dump())
    records = read(path)[:searches]
    if not records:
        raise UserError(f"{path} holds no searches: leave --table out")
    metrics = [next(iter(registry.directions(spec))) for spec in stages]
    print_table(records, metrics, shares or SHARES, rule, directions, ear)


main = guarded(bench)


def run(
    done: Sequence[Record], specs: Sequence[str], searches: int, count: int, seed: int
) -> Iterator[Record]:
    """The records that are missing."""
    known = {(record.text, record.seed) for record in done}
    missing = [
        request for request in speech.requests(searches, seed) if (request.text, request.seed) not in known
    ]
    with Searcher.from_preset("nano", verifiers=specs) as searcher:
        strategy = f"best-of-n?n={count}&wide=1&select={RULE}"
        for number, outcome in enumerate(searcher.run_many(missing, strategy, in_flight=1), start=1):
            if isinstance(outcome, Failure):
                raise outcome.error
            yield record_of(outcome)
            tell(f"{number} of {len(missing)} searches")
    tell("")


def record_of(result: SearchResult) -> Record:
    names = result.winner.scores
    return Record(
        text=result.request.text,
        seed=result.request.seed,
        scores={name: [heard(one.scores[name]) for one in result.candidates] for name in names},
        wall=result.ledger.wall,
        flops=result.ledger.flops,
    )


def heard(score: Score) -> Heard:
    logp = score.evidence.get("logp")
    return Heard(
        value=score.value if math.isfinite(score.value) else None,
        usable=score.usable,
        short=score.short,
        logp=logp if isinstance(logp, float) and math.isfinite(logp) else None,
    )


def read(path: Path) -> list[Record]:
    """Raises UserError for a line that is no record."""
    if not path.exists():
        return []
    return [
        checked(Record, {key: value for key, value in line.items() if key != "schema"}, place)
        for place, line in read_log(path, "the cascade")
    ]


def chosen(record: Record, rule: str, directions: Mapping[str, bool]) -> tuple[Choice, dict[str, int]]:
    """The choice, and how many candidates each verifier was asked about."""
    scores = {
        name: [
            Score(
                math.nan if one.value is None else one.value,
                {} if one.logp is None else {"logp": one.logp},
                one.usable,
                short=one.short,
            )
            for one in own
        ]
        for name, own in record.scores.items()
    }
    selection = parse_selection(rule, directions)
    beams = tuple(Beam(((0, k),), (k,), finished=True) for k in range(len(next(iter(scores.values())))))
    plan: Work[Choice] = judged(beams, selection.metrics, selection)
    asked = dict.fromkeys(selection.metrics, 0)
    told: Any = None
    while True:
        try:
            ask = plan.send(told)
        except StopIteration as done:
            return done.value, asked
        assert isinstance(ask, Measure)
        asked[ask.verifier] += len(ask.beams)
        told = tuple(scores[ask.verifier][beam.tokens[0]] for beam in ask.beams)


def compared(record: Record, stage: str, share: float, rule: str, directions: Mapping[str, bool]) -> Compared:
    plain, all_asked = chosen(record, rule, directions)
    found, asked = chosen(record, f"keep({stage}={share}),{rule}", directions)
    with_stage, without = found.ranking[0], plain.ranking[0]
    count = len(plain.beams)

    def cost(of: Mapping[str, float], counts: Mapping[str, int]) -> float:
        return sum(of.get(f"verifier {name}", 0.0) * number / count for name, number in counts.items())

    rest = sum(record.wall.get(part, 0.0) for part in ("generator", "codec"))
    spent, plainly = cost(record.wall, asked), cost(record.wall, all_asked)
    return Compared(
        with_stage == without,
        asked["wer"] / count,
        cost(record.flops, asked) / cost(record.flops, all_asked),
        spent / plainly,
        (rest + spent) / (rest + plainly),
        plain.scores["wer"][with_stage].value - plain.scores["wer"][without].value,
        plain.scores["sim"][without].value - plain.scores["sim"][with_stage].value,
    )


def print_table(
    records: Sequence[Record],
    stages: Sequence[str],
    shares: Sequence[float],
    rule: str,
    directions: Mapping[str, bool],
    ear: str,
) -> None:
    console = Console(width=120, highlight=False)
    plain = [chosen(record, rule, directions)[0] for record in records]
    met = bootstrap_mean([float(choice.satisfied) for choice in plain])
    error = bootstrap_mean([choice.scores["wer"][choice.ranking[0]].value for choice in plain])
    console.print(
        f"{len(records)} searches of {len(plain[0].beams)} candidates, {rule} by {ear}; "
        f"means [95 % intervals]. Without a stage: WER {shown(error)}, constraints met in {shown(met, 2)}"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (
        "stage",
        "same winner",
        "heard",
        "FLOPs",
        "seconds",
        "all seconds",
        "WER lost",
        "sim lost",
    ):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for stage in stages:
        for share in shares:
            found = [compared(record, stage, share, rule, directions) for record in records]
            table.add_row(
                f"keep({stage}={share:g})",
                f"{sum(one.same for one in found)} of {len(found)}",
                *(
                    f"{bootstrap_mean([getattr(one, name) for one in found]).mean:.2f}"
                    for name in ("heard", "flops", "seconds", "search")
                ),
                shown(bootstrap_mean([one.error for one in found])),
                shown(bootstrap_mean([one.similarity for one in found]), 4),
            )
    console.print(table)


def shown(interval: Interval, digits: int = 3) -> str:
    return f"{interval.mean:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


if __name__ == "__main__":
    sys.exit(main())
