"""`python -m experiments.studies.study`: every strategy at growing width, over held-out sentences: what the search buys.

Each run is appended to records.jsonl and never done twice, so the command can be stopped and given again. The table has
means with 95 % bootstrap intervals over the sentences. Judges do not search: the preset's, and pocketsphinx where the
extra "train" is installed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.nano.data.corpus import HELD_OUT_SENTENCES
from experiments.nano.data.texts import held_out_sentences
from llasa_core.audio import AudioError, read_audio
from llasa_core.errors import UserError
from llasa_core.presets import find_preset
from llasa_core.request import Request
from llasa_core.voices import shipped_voices
from search.engine import Failure, Searcher
from search.results.result import SearchResult
from search.strategies.registry import build
from verifiers.errors import VerifierError
from verifiers.registry import directions
from verifiers.stats import bootstrap_mean, paired_difference

WIDTHS = (1, 2, 4, 8, 16)
TEXT_SEED = 1
"""Of the sentences that the nano recipe keeps out of its training texts."""
COMPARED = ("wer", "pocketsphinx")
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


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.studies.study",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("study"), help="folder for records.jsonl (study)")
    parser.add_argument("--sentences", type=int, default=60, help=f"at most {HELD_OUT_SENTENCES} (60)")
    parser.add_argument("--widths", default="1,2,4,8,16", help="candidates a search is wide (1,2,4,8,16)")
    parser.add_argument("--only", action="append", metavar="NAME", help="strategies, repeatable (all)")
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--in-flight", type=int, default=8, help="sentences searched at once (8)")
    parser.add_argument("--table", action="store_true", help="only print the table of what there is")
    arguments = parser.parse_args(argv)
    try:
        widths = [int(width) for width in arguments.widths.split(",") if int(width) in BEAMS]
        if not widths or not 1 <= arguments.sentences <= HELD_OUT_SENTENCES:
            raise UserError(f"--widths of {list(BEAMS)} and --sentences from 1 to {HELD_OUT_SENTENCES}")
        path = arguments.out / "records.jsonl"
        if not arguments.table:
            arguments.out.mkdir(parents=True, exist_ok=True)
            for record in run(path, widths, arguments):
                append(path, record)
        print_table(read(path), widths)
    except (UserError, AudioError, VerifierError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: give the command again to go on", file=sys.stderr)
        return 130
    return 0


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


def run(path: Path, widths: Sequence[int], arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The records that are missing."""
    done = {(record["spec"], record["text"], record["seed"]) for record in read(path)}
    preset = find_preset(arguments.preset)
    searcher = Searcher.from_preset(arguments.preset, judges=preset.judges, device=arguments.device)
    hear = independent_ear()
    metrics = directions(*preset.verifiers)
    for width in widths:
        for name, spec in specs_at(width).items():
            if arguments.only and name.split()[0] not in arguments.only and name not in arguments.only:
                continue
            missing = [
                request
                for request in requests(arguments.sentences, arguments.seed)
                if (spec, request.text, request.seed) not in done
            ]
            outcomes = searcher.run_many(missing, build(spec, metrics), in_flight=arguments.in_flight)
            for count, outcome in enumerate(outcomes, start=1):
                print(f"\r{spec}: {count}/{len(missing)}   ", end="", file=sys.stderr, flush=True)
                if isinstance(outcome, Failure):
                    raise outcome.error
                yield record_of(outcome, name, spec, width, hear)
            print(file=sys.stderr)


def record_of(result: SearchResult, name: str, spec: str, width: int, hear: Any) -> dict[str, Any]:
    """What the table is made of."""
    ledger = result.ledger
    record = {
        "strategy": name,
        "spec": spec,
        "width": width,
        "text": result.request.text,
        "seed": result.request.seed,
        "wer": result.scores["wer"].value,
        "sim": result.scores["sim"].value,
        "judge": next(iter(result.winner.judged.values())).value,
        "tokens": ledger.tokens_generated,
        "gflops": sum(flops for part, flops in ledger.flops.items() if not part.startswith("judge")) / 1e9,
        "seconds": sum(s for part, s in ledger.wall.items() if not part.startswith("judge")),
    }
    if hear is not None:
        import jiwer

        record["pocketsphinx"] = jiwer.wer(result.request.text, hear(result.waveform))
    return record


def independent_ear() -> Any:
    """What pocketsphinx hears in a waveform, or None where it is not installed."""
    try:
        from experiments.nano.evaluate.sphinx import Sphinx
    except ImportError:
        return None
    return Sphinx.of_vocabulary(held_out_sentences(3000, TEXT_SEED + 1)).transcribe


def append(path: Path, record: dict[str, Any]) -> None:
    """Adds one line; behind one that was not written whole, a new one is begun."""
    torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * torn + json.dumps(record, ensure_ascii=False) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    """Records so far; a last line that was not written whole is left out."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def print_table(records: Sequence[dict[str, Any]], widths: Sequence[int]) -> None:
    """Means with intervals, and each strategy against best-of-N by WER of the same width on the same sentences.

    Of the seconds median and quartiles: a pause of the machine is no part of a search.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    measures = ("wer", "pocketsphinx", "judge", "sim", "tokens", "gflops")
    against = [f"{measure} against best-of-n (wer)" for measure in COMPARED]
    for heading in ("strategy", "N", *measures, "seconds (median)", *against):
        table.add_column(heading, justify="left" if heading == "strategy" else "right")
    for width in widths:
        base = {r["text"]: r for r in records if r["spec"] == specs_at(width)["best-of-n (wer)"]}
        for name, spec in specs_at(width).items():
            own = {r["text"]: r for r in records if r["spec"] == spec}
            if not own:
                continue
            cells = []
            for measure in measures:
                values = [r[measure] for r in own.values() if measure in r]
                if not values:
                    cells.append("")
                    continue
                mean = bootstrap_mean(values)
                digits = {"tokens": 0, "gflops": 2}.get(measure, 3)
                cells.append(f"{mean.mean:.{digits}f} [{mean.low:.{digits}f}, {mean.high:.{digits}f}]")
            low, middle, high = np.quantile([r["seconds"] for r in own.values()], [0.25, 0.5, 0.75])
            cells.append(f"{middle:.2f} [{low:.2f}, {high:.2f}]")
            for measure in COMPARED:
                both = [t for t in own if t in base and measure in own[t] and own[t] is not base[t]]
                if both:
                    change = paired_difference(
                        [own[t][measure] for t in both], [base[t][measure] for t in both]
                    )
                    cells.append(f"{change.mean:+.3f} [{change.low:+.3f}, {change.high:+.3f}]")
            table.add_row(f"{name}, n={len(own)}", str(width), *cells)
    Console(width=280).print(table)


if __name__ == "__main__":
    sys.exit(main())
