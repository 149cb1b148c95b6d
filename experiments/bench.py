"""`python -m experiments.bench`: speed of the decoding engine, real-time factors of codec and verifiers.

The engine is measured against what it has to read (bytes a second, beside a plain copy in the same run) and against
`generate(num_return_sequences=N)` of transformers: same model, same prompt, same sampling, alternating, medians of
nine pairs. No row ends before its last token, so that all runs do the same work.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from experiments import bench_decoding
from experiments.voices import find_voice
from llasa_core.audio import SAMPLE_RATE, AudioError, Waveform, read_audio
from llasa_core.codec import Codec
from llasa_core.decoding import Generator
from llasa_core.errors import UserError
from llasa_core.models import check_device, default_dtype, load_model, load_tokenizer
from llasa_core.presets import Preset, find_preset, resolve_source
from llasa_core.prompt import build_prompt
from llasa_core.sampling import Sampling
from verifiers import registry
from verifiers.base import Target
from verifiers.errors import VerifierError

TEXT = "the morning train is late again"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SHAPES = {"llama-1b": bench_decoding.LLAMA_1B}
SHAPE_PROMPT, SHAPE_CODES = 250, 65_536
"""Prompt tokens and codes where a shape stands in for a checkpoint: a short text and 4 s of voice."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--preset", default="nano", help="whose models are measured (default nano)")
    parser.add_argument(
        "--shape", choices=SHAPES, help="random weights in this shape instead: the generator alone"
    )
    parser.add_argument("--rows", default="1,4,16,64", help="batch sizes, with commas between (1,4,16,64)")
    parser.add_argument("--tokens", type=int, default=100, help="speech tokens of each row (100)")
    parser.add_argument(
        "--dtype", choices=DTYPES, help="of the generator (float32 on a CPU, bfloat16 on a GPU)"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all cores)")
    parser.add_argument(
        "--no-generate", action="store_true", help="leave out the comparison with transformers"
    )
    parser.add_argument(
        "--no-fork", action="store_true", help="leave out what a fork costs (16 rows of 500 tokens)"
    )
    parser.add_argument(
        "--no-graphs", action="store_true", help="on a GPU: do not record steps as CUDA graphs"
    )
    parser.add_argument("--generator-only", action="store_true", help="leave out codec and verifiers")
    arguments = parser.parse_args(argv)
    try:
        rows = read_rows(arguments.rows)
        check_device(arguments.device)
        if arguments.threads < 0:
            raise UserError(f"--threads {arguments.threads}: give at least 1, or 0 for all cores")
        if arguments.tokens < 1:
            raise UserError(f"--tokens {arguments.tokens}: give at least 1")
        torch.set_num_threads(arguments.threads or torch.get_num_threads())
        dtype = DTYPES[arguments.dtype] if arguments.dtype else default_dtype(arguments.device)
        preset = find_preset(arguments.preset)
        bench_generator(preset, rows, dtype, arguments)
        if not arguments.shape and not arguments.generator_only:
            bench_parts(preset, rows, arguments.device)
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


def bench_generator(
    preset: Preset, rows: Sequence[int], dtype: torch.dtype, arguments: argparse.Namespace
) -> None:
    """Prints one line a batch size, then what a fork costs and the most memory that was used."""
    sampling = Sampling(preset.sampling.temperature, preset.sampling.top_p)
    shape, device, tokens = arguments.shape, arguments.device, arguments.tokens
    tokenizer: Any
    if shape:
        model = bench_decoding.random_llama(SHAPES[shape], dtype, device)
        tokenizer = bench_decoding.ShapeTokenizer(SHAPES[shape]["vocab_size"], SHAPE_CODES)
        ids = list(range(SHAPE_PROMPT))
    else:
        source = resolve_source(preset.generator)
        model, tokenizer = (
            load_model(source, "LlamaForCausalLM", "llama", dtype, device),
            load_tokenizer(source),
        )
        voice = find_voice(None)
        codes = Codec.from_source(resolve_source(preset.codec), device).encode(read_audio(voice.path))
        ids = build_prompt(tokenizer, TEXT, voice.text, codes)
    generator = bench_decoding.without_end(
        Generator(model, tokenizer, device, dtype, sampling=sampling, graphs=not arguments.no_graphs)
    )
    copied = bench_decoding.copy_bandwidth(generator.device)
    console = Console()
    console.print(
        f"{shape or preset.generator}, {dtype}, {device}, {torch.get_num_threads()} threads"
        f"{', steps recorded as CUDA graphs' if generator.record else ''}; prompt {len(ids)} tokens, "
        f"{tokens} spoken; a copy moves {copied / 1e9:.1f} GB/s",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("rows", "tokens/s", "real-time factor", "GB/s", "of a copy", "x generate"):
        table.add_column(heading, justify="right")
    other = None if arguments.no_generate else model
    for speed in bench_decoding.measure(generator, other, ids, rows, tokens, sampling):
        table.add_row(
            str(speed.rows),
            f"{speed.tokens_per_second:.0f}",
            f"{speed.real_time_factor:.4f}",
            f"{speed.bytes_per_second / 1e9:.1f}",
            f"{speed.bytes_per_second / copied:.0%}",
            "" if math.isnan(speed.ratio) else f"{speed.ratio:.2f}",
        )
    console.print(table)
    if not arguments.no_fork:
        fork, step = bench_decoding.fork_cost(generator, ids, sampling)
        console.print(
            f"fork of {bench_decoding.FORKED_ROWS} rows of {bench_decoding.FORKED_TOKENS} tokens: {1e3 * fork:.2f} ms, "
            f"{fork / step:.1%} of a step of {bench_decoding.STEP} tokens ({1e3 * step:.0f} ms)",
            highlight=False,
        )
    peak = bench_decoding.peak_memory(generator.device) / 2**20
    console.print(f"peak memory {peak:.0f} MiB", highlight=False)


def bench_parts(preset: Preset, rows: Sequence[int], device: str) -> None:
    """Prints one line a part and batch size. The real-time factor is wall time over seconds of audio."""
    voice = find_voice(None)
    audio = read_audio(voice.path)
    codec = Codec.from_source(resolve_source(preset.codec), device=device)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("part", "rows", "seconds", "real-time factor"):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    codes = codec.encode(audio)
    seconds = timed(lambda: codec.encode(audio))
    table.add_row("codec encode", "1", f"{seconds:.3f}", factor(seconds, [audio]))
    for count in rows:
        batched = [codes] * count
        waveforms = codec.decode(batched)
        seconds = timed(lambda batched=batched: codec.decode(batched))  # type: ignore[misc]
        table.add_row("codec decode", str(count), f"{seconds:.3f}", factor(seconds, waveforms))
    target = Target(voice.text, "en", audio)
    for spec in preset.verifiers:
        verifier = registry.load(spec, device=device)
        verifier.score([audio], target, False)
        for count in rows:
            waves = [audio] * count
            seconds = timed(lambda waves=waves, verifier=verifier: verifier.score(waves, target, False))  # type: ignore[misc]
            table.add_row(spec, str(count), f"{seconds:.3f}", factor(seconds, waves))
    Console().print(table)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def factor(seconds: float, waveforms: Sequence[Waveform]) -> str:
    return f"{seconds / (sum(map(len, waveforms)) / SAMPLE_RATE):.3f}"


if __name__ == "__main__":
    sys.exit(main())
