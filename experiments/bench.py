"""`python -m experiments.bench`: tokens a second of the generator, real-time factors of codec and verifiers."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from experiments.voices import find_voice
from llasa_core.audio import SAMPLE_RATE, AudioError, Waveform, read_audio
from llasa_core.codec import Codec
from llasa_core.decoding import Generator, Prompt
from llasa_core.errors import UserError
from llasa_core.presets import find_preset, resolve_source
from llasa_core.prompt import build_prompt
from verifiers import registry
from verifiers.base import Target
from verifiers.errors import VerifierError

TEXT = "the morning train is late again"
TOKENS = 100


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments.bench", description=__doc__)
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--rows", default="1,4,16", help="batch sizes, with commas between (default 1,4,16)")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args(argv)
    try:
        bench(arguments.preset, read_rows(arguments.rows), arguments.device)
    except (UserError, AudioError, VerifierError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def read_rows(text: str) -> list[int]:
    """`1,4,16` as numbers. Raises UserError for anything else."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise UserError(f"--rows {text}: give batch sizes of at least 1 with commas between, such as 1,4,16")
    return [int(part) for part in parts]


def bench(preset_name: str, rows: Sequence[int], device: str) -> None:
    """Prints one line a part and batch size. The real-time factor is wall time over seconds of audio."""
    preset = find_preset(preset_name)
    voice = find_voice(None)
    audio = read_audio(voice.path)
    generator = Generator.from_source(resolve_source(preset.generator), device=device)
    codec = Codec.from_source(resolve_source(preset.codec), device=device)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("part", "rows", "seconds", "per second", "real-time factor"):
        table.add_column(heading, justify="left" if heading == "part" else "right")

    codes = codec.encode(audio)
    seconds = timed(lambda: codec.encode(audio))
    table.add_row("codec encode", "1", f"{seconds:.3f}", "", factor(seconds, [audio]))
    ids = build_prompt(generator.tokenizer, TEXT, voice.text, codes)
    for count in rows:
        batch = generator.prefill([Prompt(ids, "bench", 0)]).fork([0] * count)
        began = time.perf_counter()
        batch.extend(TOKENS)
        seconds = time.perf_counter() - began
        tokens = sum(map(len, batch.tokens))
        spoken = tokens / 50
        table.add_row(
            "generator",
            str(count),
            f"{seconds:.3f}",
            f"{tokens / seconds:.0f} tokens",
            f"{seconds / spoken:.3f}",
        )
    for count in rows:
        batched = [codes] * count
        waveforms = codec.decode(batched)
        seconds = timed(lambda batched=batched: codec.decode(batched))  # type: ignore[misc]
        table.add_row("codec decode", str(count), f"{seconds:.3f}", "", factor(seconds, waveforms))
    target = Target(voice.text, "en", audio)
    for spec in preset.verifiers:
        verifier = registry.load(spec, device=device)
        verifier.score([audio], target, False)
        for count in rows:
            waves = [audio] * count
            seconds = timed(lambda waves=waves, verifier=verifier: verifier.score(waves, target, False))  # type: ignore[misc]
            table.add_row(spec, str(count), f"{seconds:.3f}", "", factor(seconds, waves))
    Console().print(table)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def factor(seconds: float, waveforms: Sequence[Waveform]) -> str:
    return f"{seconds / (sum(map(len, waveforms)) / SAMPLE_RATE):.3f}"


if __name__ == "__main__":
    sys.exit(main())
