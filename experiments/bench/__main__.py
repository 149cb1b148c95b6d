"""`python -m experiments.bench`: speed of the decoding engine, real-time factors of codec and verifiers.

The engine is measured against what it has to read (bytes a second, beside a plain copy in the same run) and against
`generate(num_return_sequences=N)` of transformers: same model, same prompt, same sampling, alternating, medians of
the pairs with 95 % bootstrap intervals. No row ends before its last token, so that all runs do the same work.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from experiments.bench import decoding as bench_decoding
from experiments.bench.timing import Ratio, tell, timed
from llasa_core.audio import SAMPLE_RATE, AudioError, read_audio
from llasa_core.codec.codec import Codec
from llasa_core.errors import UserError
from llasa_core.lm.sampling import Sampling
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.loading import check_device, default_dtype, load_model, load_tokenizer
from llasa_core.presets import Preset, find_preset, resolve_source
from llasa_core.prompt import build_prompt
from llasa_core.voices import find_voice
from verifiers import registry
from verifiers.base import Target
from verifiers.errors import VerifierError

TEXT = "the morning train is late again"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SHAPES = {"llama-1b": bench_decoding.LLAMA_1B}
ROWS = "1,4,16,64,256"
PARTS = 3
"""How often codec and verifiers are timed."""
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
    parser.add_argument("--rows", default=ROWS, help=f"batch sizes, with commas between ({ROWS})")
    parser.add_argument("--pairs", type=int, default=9, help="runs each way, after one that warms up (9)")
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
        for option in ("pairs", "tokens"):
            if getattr(arguments, option) < 1:
                raise UserError(f"--{option} {getattr(arguments, option)}: give at least 1")
        torch.set_num_threads(arguments.threads or torch.get_num_threads())
        dtype = DTYPES[arguments.dtype] if arguments.dtype else default_dtype(arguments.device)
        preset = find_preset(arguments.preset)
        bench_generator(preset, rows, dtype, arguments)
        if not arguments.shape and not arguments.generator_only:
            bench_parts(preset, rows, arguments.device)
    except (UserError, AudioError, VerifierError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
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
    shape, device, tokens, pairs = arguments.shape, arguments.device, arguments.tokens, arguments.pairs
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
        SpeechLM(model, tokenizer, device, dtype, sampling=sampling, graphs=not arguments.no_graphs)
    )
    copied = bench_decoding.copy_bandwidth(generator.device)
    print(
        f"{shape or preset.generator}, {dtype}, {device}, {torch.get_num_threads()} threads"
        f"{', steps recorded as CUDA graphs' if generator.record else ''}; prompt {len(ids)} tokens, "
        f"{tokens} spoken, seeds 1 to {pairs}; a copy moves {copied / 1e9:.1f} GB/s"
    )
    print(f"{'rows':>4} {'tokens/s':>9} {'real-time factor':>17} {'GB/s':>6} {'of a copy':>10}   x generate")
    other = None if arguments.no_generate else model
    for speed in bench_decoding.measure(generator, other, ids, rows, tokens, sampling, pairs):
        print(
            f"{speed.rows:4} {speed.tokens_per_second:9.0f} {speed.real_time_factor:17.4f} "
            f"{speed.bytes_per_second / 1e9:6.1f} {speed.bytes_per_second / copied:10.0%}   "
            f"{Ratio.of(speed.ratios).show() if speed.ratios else '-'}",
            flush=True,
        )
    if not arguments.no_fork:
        both = bench_decoding.fork_cost(generator, ids, sampling, pairs)
        fork, step = (1e3 * statistics.median(times) for times in zip(*both, strict=True))
        share = Ratio.of([100 * fork / step for fork, step in both])
        print(
            f"fork of {bench_decoding.FORKED_ROWS} rows of {bench_decoding.FORKED_TOKENS} tokens: {fork:.2f} ms, "
            f"{share.show(1)} % of a step of {bench_decoding.STEP} tokens ({step:.0f} ms)"
        )
    print(f"peak memory {bench_decoding.peak_memory(generator.device) / 2**20:.0f} MiB")


def bench_parts(preset: Preset, rows: Sequence[int], device: str) -> None:
    """Prints one line a part and batch size. The real-time factor is wall time over seconds of audio."""
    voice = find_voice(None)
    audio = read_audio(voice.path)
    codec = Codec.from_source(resolve_source(preset.codec), device=device)
    codes = codec.encode(audio)
    print(f"\n{'part':24} {'rows':>4} {'seconds':>8}   real-time factor, median of {PARTS} [lowest, highest]")
    bench_part("codec encode", 1, len(audio), lambda: codec.encode(audio))
    for count in rows:
        batched = [codes] * count
        samples = sum(map(len, codec.decode(batched)))
        bench_part("codec decode", count, samples, partial(codec.decode, batched))
    target = Target(voice.text, "en", audio)
    for spec in preset.verifiers:
        verifier = registry.load(spec, device=device)
        for count in rows:
            work = partial(verifier.score, [audio] * count, target, False)
            bench_part(spec, count, count * len(audio), work)


def bench_part(part: str, rows: int, samples: int, work: Callable[[], object]) -> None:
    """Prints the line of one part and batch size; the first of its runs warms up."""
    tell(f"{part}: {rows} rows")
    times = [timed(work) for _ in range(PARTS + 1)][1:]
    tell("")
    factors = [
        SAMPLE_RATE * seconds / samples for seconds in (statistics.median(times), min(times), max(times))
    ]
    print(
        f"{part:24} {rows:4} {statistics.median(times):8.3f}   {factors[0]:.4f} [{factors[1]:.4f}, {factors[2]:.4f}]",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
