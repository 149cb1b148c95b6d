"""`python -m experiments.bench.verifiers`: seconds of audio judged a second, in one call and one at a time.

The same candidates are judged both ways, alternating, the way that goes first changing from pair to pair;
medians over the pairs, with 95 % bootstrap intervals. Candidates are pieces of the shipped voice prompts.
Nothing is remembered between runs but the embedding of the reference.
"""

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from experiments.bench.timing import Ratio, tell, timed
from experiments.files import Outputs, check_file
from experiments.programs import COUNT, THREADS, Positive, guarded
from llasa_core.audio import SAMPLE_RATE, Waveform, read_audio, seconds
from llasa_core.codec.features import HOP
from llasa_core.voices import VoicePrompt, shipped_voices
from search.results.manifest import versions
from search.roles import roles
from verifiers import registry
from verifiers.base import Target, Verifier
from verifiers.shared.loading import check_device

RAGGED = 0.5
"""With --ragged, lengths are spread evenly from this share less to this share more."""


@dataclass(frozen=True)
class Speed:
    """Of one verifier: seconds of audio judged a second, medians over the pairs.

    ratios: of each pair, how many times faster the call with all candidates is. difference: the largest
    between a score in the batch and alone. unusable: candidates that could not be judged.
    """

    spec: str
    batched: float
    single: float
    ratios: tuple[float, ...]
    difference: float
    unusable: int


@click.command(help=__doc__)
@click.option(
    "--verifier", "specs", multiple=True, metavar="SPEC", help="Repeatable (all of the nano preset)."
)
@click.option(
    "--seconds",
    "length",
    type=Positive(60),
    default=3.0,
    help="Of a candidate (3).",
)
@click.option("--count", type=COUNT, default=32, help="Candidates (32).")
@click.option("--ragged", is_flag=True, help="Lengths from half to one and a half times that, not all equal.")
@click.option("--pairs", type=COUNT, default=9, help="Runs each way (9).")
@click.option("--seed", type=int, default=0, help="Of where candidates are cut, and their lengths (0).")
@click.option("--threads", type=THREADS, default=0, help="CPU threads (all cores).")
@click.option("--device", default="cpu", help="cpu, cuda, cuda:1 ... (cpu)")
@click.option(
    "--json", "file", type=click.Path(path_type=Path), metavar="FILE", help="Write the figures to FILE."
)
def bench(
    specs: Sequence[str],
    length: float,
    count: int,
    ragged: bool,
    pairs: int,
    seed: int,
    threads: int,
    device: str,
    file: Path | None,
) -> None:
    nano = roles("nano")
    specs = specs or (*nano.verifiers, *nano.judges)
    if file is not None:
        check_file(file, "--json")
    for spec in specs:
        registry.check(spec)
    check_device(device)
    torch.set_num_threads(threads or torch.get_num_threads())
    voices = shipped_voices()
    candidates = cut(voices, count, length, seed, ragged=ragged)
    speeds = [
        measure(registry.load(spec, device), candidates, target_of(spec, voices), pairs) for spec in specs
    ]
    settings = {
        "count": count,
        "seconds": length,
        "ragged": ragged,
        "audio": sum(map(seconds, candidates)),
        "pairs": pairs,
        "seed": seed,
        "threads": torch.get_num_threads(),
        "device": device_name(device),
    }
    print_speeds(speeds, settings)
    if file is not None:
        found = {"settings": settings, "speeds": [asdict(speed) for speed in speeds], "versions": versions()}
        with Outputs() as outputs:
            outputs.stage(file).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
            outputs.publish()


main = guarded(bench)


def cut(
    voices: Sequence[VoicePrompt], count: int, length: float, seed: int, *, ragged: bool = False
) -> list[Waveform]:
    """Pieces of the voice prompts, one after the other and around, from random places."""
    speech = np.concatenate([read_audio(voice.path) for voice in voices])
    generator = np.random.default_rng(seed)
    spread = RAGGED if ragged else 0.0
    lengths = length * generator.uniform(1.0 - spread, 1.0 + spread, size=count)
    starts = generator.integers(0, len(speech), size=count)
    return [
        speech.take(range(start, start + max(1, round(own * SAMPLE_RATE / HOP)) * HOP), mode="wrap")
        for start, own in zip(starts.tolist(), lengths.tolist(), strict=True)
    ]


def target_of(spec: str, voices: Sequence[VoicePrompt]) -> Target:
    """What the kind needs, from the voice prompts."""
    voice = read_audio(voices[0].path)
    styled = next((v for v in voices if v.style not in ("", "neutral")), voices[0])
    fields: dict[str, Any] = {
        "text": voices[0].text,
        "reference": voice,
        "resynthesis": voice,
        "emotion": styled.style,
        "emotion_reference": read_audio(styled.path),
    }
    about = getattr(registry.find(registry.check(spec).kind), "about", None)
    needs = fields if about is None else about.needs
    return Target(**{name: value for name, value in fields.items() if name in needs})


def measure(verifier: Verifier, candidates: Sequence[Waveform], target: Target, pairs: int) -> Speed:
    """Both ways, `pairs` times, after one run of each that does not count."""
    together = verifier.score(candidates, target)
    alone = [verifier.score([candidate], target)[0] for candidate in candidates]
    ways = (
        lambda: verifier.score(candidates, target),
        lambda: [verifier.score([candidate], target) for candidate in candidates],
    )
    spent: list[tuple[float, float]] = []
    for pair in range(pairs):
        tell(f"{verifier.spec}: pair {pair + 1} of {pairs}")
        first = pair % 2
        times = {first: timed(ways[first])}
        times[1 - first] = timed(ways[1 - first])
        spent.append((times[0], times[1]))
    tell("")
    audio = sum(map(seconds, candidates))
    return Speed(
        verifier.spec,
        audio / statistics.median(batched for batched, _ in spent),
        audio / statistics.median(single for _, single in spent),
        tuple(single / batched for batched, single in spent),
        max(abs(a.value - b.value) for a, b in zip(together, alone, strict=True)),
        sum(not score.usable for score in together),
    )


def print_speeds(speeds: Sequence[Speed], settings: dict[str, Any]) -> None:
    console = Console()
    lengths = f"{settings['seconds']:g} s{' on average' if settings['ragged'] else ''}"
    console.print(
        f"n={settings['count']} candidates of {lengths}, seed {settings['seed']}, {settings['device']}, "
        f"{settings['threads']} threads; seconds of audio a second, medians of {settings['pairs']} pairs "
        "[95 % interval]",
        highlight=False,
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (
        "verifier",
        "batched",
        "one at a time",
        "ratio",
        "difference",
        "unusable",
    ):
        table.add_column(heading, justify="left" if heading == "verifier" else "right", overflow="fold")
    for speed in speeds:
        table.add_row(
            speed.spec,
            f"{speed.batched:.1f}",
            f"{speed.single:.1f}",
            Ratio.of(speed.ratios).show(),
            f"{speed.difference:.0e}",
            str(speed.unusable),
        )
    console.print(table)


def device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


if __name__ == "__main__":
    sys.exit(main())
