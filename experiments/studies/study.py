"""`python -m experiments.studies.study`: every strategy at growing width, over held-out sentences: what the
search buys.

Each run is appended to records.jsonl and never done twice, so the command can be stopped and given again. The
table has means with 95 % bootstrap intervals over the sentences. Judges do not search: the preset's, and
pocketsphinx where the extra "train" is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.documents import Schema, checked
from experiments.files import Log, read_log
from experiments.nano.data.corpus import HELD_OUT_SENTENCES
from experiments.nano.data.texts import held_out_sentences
from experiments.programs import COUNT, guarded, numbers
from llasa_core.audio import Waveform, read_audio
from llasa_core.errors import UserError, nearest
from llasa_core.request import Request
from llasa_core.voices import shipped_voices
from search.engine import Failure, Searcher
from search.results.display import ears
from search.results.result import SearchResult
from search.roles import roles
from search.strategies.registry import build
from verifiers.registry import directions
from verifiers.stats import bootstrap_mean, paired_difference, wilson

TEXT_SEED = 1
"""Of the sentences that the nano recipe keeps out of its training texts."""
QUALITY = ("wer", "pocketsphinx", "judge", "sim")
COST = {"tokens": 0, "gflops": 2}
"""Measures with the digits that are shown."""
COMPARED = ("wer", "pocketsphinx")
BASE = "best-of-n (wer)"
BEAMS = {1: (1, 1), 2: (1, 2), 4: (2, 2), 8: (2, 4), 16: (4, 4)}
"""Beams and continuations of a search so many candidates wide."""


def specs_at(width: int) -> dict[str, str]:
    """One spec of each strategy, as wide as best-of-N of that width."""
    beams, n = BEAMS[width]
    tree = f"beams={beams}&n={n}&prm=sim"
    return {
        "best-of-n (wer)": f"best-of-n?n={width}&select=wer,sim",
        "best-of-n (sim)": f"best-of-n?n={width}&select=sim",
        "beam (sim)": f"beam?{tree}&select=sim",
        "partial-prm (sim, wer)": f"partial-prm?{tree}&select=wer,sim",
        "dvts (sim)": f"dvts?{tree}&select=sim",
        "particle (sim, wer)": f"particle?particles={width}&prm=sim&select=wer,sim",
        "adaptive (wer)": f"adaptive?n={width}&select=wer<=0,sim",
        "repair (wer)": f"repair?first={max(1, width // 2)}&n={max(1, width // 8)}&rounds=4&select=wer,sim",
    }


class Record(Schema):
    """One search: what it was asked, and what the table is made of. gflops, seconds: without those of the
    judges. ears: as `SearchResult.ears`. failed: whether the winner is a catastrophic failure by the judge,
    if that is a recogniser.
    """

    strategy: str
    spec: str
    width: int
    text: str
    seed: int
    wer: float
    sim: float
    judge: float
    tokens: int
    gflops: float
    seconds: float
    ears: str = ""
    pocketsphinx: float | None = None
    failed: bool | None = None


NAMES = sorted({part for name in specs_at(1) for part in (name, name.split()[0])})
"""What --only takes: a strategy with what it searches by, or all of that strategy."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line gave; see `study`. `only`: names of strategies, all if there are none."""

    sentences: int
    widths: tuple[int, ...]
    only: tuple[str, ...]
    preset: str
    device: str
    seed: int
    in_flight: int


@click.command(help=__doc__)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("study"), help="Folder for records.jsonl (study)."
)
@click.option(
    "--sentences",
    type=click.IntRange(1, HELD_OUT_SENTENCES),
    default=60,
    help=f"At most {HELD_OUT_SENTENCES} (60).",
)
@click.option(
    "--widths",
    default=",".join(map(str, BEAMS)),
    callback=numbers,
    help="Candidates of a search (1,2,4,8,16).",
)
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="Strategies, repeatable (all): 'beam', or 'best-of-n (wer)'.",
)
@click.option("--preset", default="nano", help="Whose models (nano).")
@click.option("--device", default="cpu", help="cpu, cuda, cuda:1 ... (cpu)")
@click.option("--seed", type=int, default=0, help="Of the searches (0).")
@click.option("--in-flight", type=COUNT, default=8, help="Sentences searched at once (8).")
@click.option("--table", is_flag=True, help="Only print the table of the records so far.")
def study(out: Path, widths: list[int], only: tuple[str, ...], table: bool, **options: Any) -> None:
    judge = roles(options["preset"]).judges[0]
    for width in widths:
        if width not in BEAMS:
            raise UserError(f"--widths {width}: there are {', '.join(map(str, BEAMS))}")
    for name in only:
        if name not in NAMES:
            raise UserError(f"--only {name}{nearest(name, NAMES)}")
    path = out / "records.jsonl"
    if not table:
        chosen = Options(widths=tuple(widths), only=only, **options)
        with Log(path) as log:
            for record in run(path, chosen):
                log.append(record.model_dump(exclude_none=True))
    print_table(read(path), widths, judge)


main = guarded(study)


def requests(count: int, seed: int) -> list[Request]:
    """Held-out sentences, with the shipped voice prompts in turn."""
    voices = shipped_voices()
    sentences = held_out_sentences(HELD_OUT_SENTENCES, TEXT_SEED)[:count]
    return [
        Request(
            text,
            prompt_audio=read_audio(voices[k % len(voices)].path),
            prompt_text=voices[k % len(voices)].text,
            seed=seed,
            id=text,
        )
        for k, text in enumerate(sentences)
    ]


def run(path: Path, options: Options) -> Iterator[Record]:
    """The records that are missing."""
    found = roles(options.preset)
    own = ears(found.verifiers, found.judges[:1])
    done = {(record.spec, record.text, record.seed) for record in read(path) if record.ears == own}
    searcher = Searcher.from_preset(
        options.preset, verifiers=found.verifiers, judges=found.judges[:1], device=options.device
    )
    transcribe = pocketsphinx()
    metrics = directions(*found.verifiers)
    for width in options.widths:
        for name, spec in specs_at(width).items():
            if options.only and not {name, name.split()[0]} & set(options.only):
                continue
            missing = [
                request
                for request in requests(options.sentences, options.seed)
                if (spec, request.text, request.seed) not in done
            ]
            outcomes = searcher.run_many(missing, build(spec, metrics), in_flight=options.in_flight)
            for count, outcome in enumerate(outcomes, start=1):
                print(f"\r{spec}: {count}/{len(missing)}   ", end="", file=sys.stderr, flush=True)
                if isinstance(outcome, Failure):
                    raise outcome.error
                yield record_of(outcome, name, spec, width, transcribe)
            print(file=sys.stderr)


def record_of(
    result: SearchResult, name: str, spec: str, width: int, transcribe: Callable[[Waveform], str] | None
) -> Record:
    """transcribe: a held-out recogniser beside the preset's judges."""
    import jiwer

    ledger, text = result.ledger, result.request.text
    return Record(
        strategy=name,
        spec=spec,
        width=width,
        text=text,
        seed=result.request.seed,
        wer=result.scores["wer"].value,
        failed=failed_by(next(iter(result.winner.judged)), result),
        sim=result.scores["sim"].value,
        judge=next(iter(result.winner.judged.values())).value,
        tokens=ledger.tokens_generated,
        gflops=sum(flops for part, flops in ledger.flops.items() if not part.startswith("judge")) / 1e9,
        seconds=sum(s for part, s in ledger.wall.items() if not part.startswith("judge")),
        ears=result.ears,
        pocketsphinx=None if transcribe is None else jiwer.wer(text, transcribe(result.waveform)),
    )


def failed_by(judge: str, result: SearchResult) -> bool | None:
    """Whether the winner is a catastrophic failure by a judge; None if that says nothing of words."""
    found = result.winner.failures.get(judge)
    return None if found is None else bool(found)


def pocketsphinx() -> Callable[[Waveform], str] | None:
    """Waveform, float32 [samples], -> the words that pocketsphinx hears; None where the extra "train" is not
    installed.
    """
    if find_spec("pocketsphinx") is None:
        return None
    from experiments.nano.evaluate.sphinx import Sphinx

    return Sphinx.of_vocabulary(held_out_sentences(3000, TEXT_SEED + 1)).transcribe


def read(path: Path) -> list[Record]:
    """The records so far. Raises UserError for a line that is none of a study."""
    if not path.exists():
        return []
    lines = read_log(path, "study")
    return [
        checked(Record, {key: value for key, value in line.items() if key != "schema"}, place)
        for place, line in lines
    ]


def print_table(records: Sequence[Record], widths: Sequence[int], judge: str) -> None:
    """Means with 95 % intervals, then each strategy against best-of-N by WER of the same width on the same
    sentences.

    At most 120 columns wide. Of the seconds median and quartiles: a pause of the machine is no part of a
    search.
    """
    console = Console(width=120, highlight=False)
    own = {
        (name, width): found
        for width in widths
        for name, spec in specs_at(width).items()
        if (found := {r.text: r for r in records if r.spec == spec})
    }
    quality, cost = _table(*QUALITY), _table("sentences", *COST, "seconds (quartiles)")
    for (name, width), found in own.items():
        quality.add_row(name, str(width), *(_mean(found, measure, 3) for measure in QUALITY))
        low, middle, high = np.quantile([r.seconds for r in found.values()], [0.25, 0.5, 0.75])
        cells = (_mean(found, measure, digits) for measure, digits in COST.items())
        cost.add_row(name, str(width), str(len(found)), *cells, f"{middle:.2f} [{low:.2f}, {high:.2f}]")
    console.print(f"means [95 % intervals]; judge: {judge}, which searched nothing")
    for heard in sorted({record.ears for record in records if record.ears}):
        console.print(heard)
    failed = _table("catastrophic failures by the judge")
    for (name, width), found in own.items():
        if share := _share(found):
            failed.add_row(name, str(width), share)
    for table in (quality, failed, cost):
        if table.row_count:
            console.print(table, "")
    against = _table(*(f"{measure} less that of {BASE}" for measure in COMPARED))
    for (name, width), found in own.items():
        base = own.get((BASE, width), {})
        changes = [_change(found, base, measure) for measure in COMPARED] if name != BASE else []
        if any(changes):
            against.add_row(name, str(width), *changes)
    if against.row_count:
        console.print(against)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("strategy", "N", *headings):
        table.add_column(heading, justify="left" if heading == "strategy" else "right")
    return table


def _mean(own: Mapping[str, Record], measure: str, digits: int) -> str:
    """By text, records -> "0.123 [0.101, 0.150]"; "" if none has the measure."""
    values = [value for record in own.values() if (value := getattr(record, measure)) is not None]
    if not values:
        return ""
    mean = bootstrap_mean(values)
    return f"{mean.mean:.{digits}f} [{mean.low:.{digits}f}, {mean.high:.{digits}f}]"


def _share(own: Mapping[str, Record]) -> str:
    """Catastrophic failures, with the Wilson interval; "" if no record says whether it is one."""
    values = [record.failed for record in own.values() if record.failed is not None]
    if not values:
        return ""
    rate = wilson(sum(values), len(values))
    return f"{rate.mean:.3f} [{rate.low:.3f}, {rate.high:.3f}]"


def _change(own: Mapping[str, Record], base: Mapping[str, Record], measure: str) -> str:
    """The mean of `own` less `base` over the sentences that both have; "" if there are none."""
    pairs = [(getattr(own[text], measure), getattr(base[text], measure)) for text in own if text in base]
    pairs = [pair for pair in pairs if None not in pair]
    if not pairs:
        return ""
    change = paired_difference(*zip(*pairs, strict=True))
    return f"{change.mean:+.3f} [{change.low:+.3f}, {change.high:+.3f}]"


if __name__ == "__main__":
    sys.exit(main())
