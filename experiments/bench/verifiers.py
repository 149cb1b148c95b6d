"""`python -m experiments.bench.verifiers`: seconds of audio judged a second, in one call and one at a time.

The same candidates are judged both ways, alternating, the way that goes first changing from pair to pair; medians
over the pairs, with 95 % bootstrap intervals. Candidates are pieces of the shipped voice prompts. Nothing is remembered
between runs but the embedding of the reference.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from experiments.bench.timing import Ratio, tell, timed
from experiments.files import Outputs, check_file
from llasa_core.audio import SAMPLE_RATE, AudioError, Waveform, read_audio, seconds
from llasa_core.errors import UserError
from llasa_core.presets import find_preset
from llasa_core.voices import VoicePrompt, shipped_voices
from search.results.manifest import versions
from verifiers import registry
from verifiers.base import Target, Verifier
from verifiers.errors import VerifierError
from verifiers.shared.loading import check_device

HOP = 320
"""Samples of a speech token: candidates of a search are whole numbers of it long."""
RAGGED = 0.5
"""With --ragged, lengths are spread evenly from this share less to this share more."""


@dataclass(frozen=True)
class Speed:
    """Of one verifier: seconds of audio judged a second, medians over the pairs.

    ratios: of each pair, how many times faster the call with all candidates is. difference: the largest between
    a score in the batch and alone. unusable: candidates that could not be judged.
    """

    spec: str
    batched: float
    single: float
    ratios: tuple[float, ...]
    difference: float
    unusable: int


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.bench.verifiers",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    preset = find_preset("nano")
    parser.add_argument(
        "--verifier", action="append", metavar="SPEC", help="repeatable (default: all of the nano preset)"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a candidate (3)")
    parser.add_argument("--count", type=int, default=32, help="candidates (32)")
    parser.add_argument(
        "--ragged", action="store_true", help="lengths from half to one and a half times that, not all equal"
    )
    parser.add_argument("--pairs", type=int, default=9, help="runs each way (9)")
    parser.add_argument(
        "--seed", type=int, default=0, help="of where candidates are cut, and their lengths (0)"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all cores)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    arguments = parser.parse_args(argv)
    try:
        run(arguments, arguments.verifier or (*preset.verifiers, *preset.judges))
    except (UserError, AudioError, VerifierError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def run(arguments: argparse.Namespace, specs: Sequence[str]) -> None:
    """Raises UserError, AudioError or VerifierError."""
    for option in ("count", "pairs"):
        if getattr(arguments, option) < 1:
            raise UserError(f"--{option} {getattr(arguments, option)}: give at least 1")
    if not 0.0 < arguments.seconds <= 60.0:
        raise UserError(f"--seconds {arguments.seconds:g}: give more than 0 and at most 60")
    if arguments.threads < 0:
        raise UserError(f"--threads {arguments.threads}: give at least 1, or 0 for all cores")
    if arguments.json is not None:
        check_file(arguments.json, "--json")
    for spec in specs:
        registry.check(spec)
    check_device(arguments.device)
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    voices = shipped_voices()
    candidates = cut(voices, arguments.count, arguments.seconds, arguments.seed, ragged=arguments.ragged)
    speeds = [
        measure(registry.load(spec, arguments.device), candidates, target_of(spec, voices), arguments.pairs)
        for spec in specs
    ]
    settings = {
        "count": arguments.count,
        "seconds": arguments.seconds,
        "ragged": arguments.ragged,
        "audio": sum(map(seconds, candidates)),
        "pairs": arguments.pairs,
        "seed": arguments.seed,
        "threads": torch.get_num_threads(),
        "device": device_name(arguments.device),
    }
    print_speeds(speeds, settings)
    if arguments.json is not None:
        found = {"settings": settings, "speeds": [asdict(speed) for speed in speeds], "versions": versions()}
        with Outputs() as outputs:
            outputs.stage(arguments.json).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
            outputs.publish()


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
        f"{settings['threads']} threads; seconds of audio a second, medians of {settings['pairs']} pairs [95 % interval]",
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
