"""`python -m experiments.bench`: speed of the decoding engine, real-time factors of codec and verifiers.

The engine is measured against what it has to read (bytes a second, beside a plain copy in the same run) and
against `generate(num_return_sequences=N)` of transformers: same model, same prompt, same sampling,
alternating, medians of the pairs with 95 % bootstrap intervals. No row ends before its last token, so that
all runs do the same work.
"""

import statistics
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click
import torch

from experiments.bench import decoding as bench_decoding
from experiments.bench.shapes import SHAPES
from experiments.bench.timing import Ratio, tell, timed
from experiments.programs import COUNT, THREADS, guarded, numbers
from llasa_core.audio import SAMPLE_RATE, read_audio
from llasa_core.codec.codec import Codec
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.loading import check_device, default_dtype, load_model, load_tokenizer
from llasa_core.presets import Preset, find_preset, resolve_source
from llasa_core.prompt import build_prompt
from llasa_core.sampling import MODEL_CARD
from llasa_core.voices import find_voice
from search.roles import roles
from verifiers import registry
from verifiers.base import Target

TEXT = "the morning train is late again"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
ROWS = "1,4,16,64,256"
PARTS = 3
"""How often codec and verifiers are timed."""
SHAPE_PROMPT, SHAPE_CODES = 250, 65_536
"""Prompt tokens and codes where a shape stands in for a checkpoint: a short text and 4 s of voice."""


@click.command(help=__doc__)
@click.option("--preset", default="nano", help="Whose models are measured (nano).")
@click.option(
    "--shape", type=click.Choice(list(SHAPES)), help="Random weights in this shape: the language model alone."
)
@click.option("--rows", default=ROWS, callback=numbers, help=f"Batch sizes, with commas between ({ROWS}).")
@click.option("--pairs", type=COUNT, default=9, help="Runs each way, after one that warms up (9).")
@click.option("--tokens", type=COUNT, default=100, help="Speech tokens of each row (100).")
@click.option("--dtype", type=click.Choice(list(DTYPES)), help="Of the language model (by the device).")
@click.option("--device", default="cpu", help="cpu, cuda, cuda:1 ... (cpu)")
@click.option("--threads", type=THREADS, default=0, help="CPU threads (all cores).")
@click.option("--no-generate", is_flag=True, help="Leave out the comparison with transformers.")
@click.option("--no-fork", is_flag=True, help="Leave out what a fork costs (16 rows of 500 tokens).")
@click.option("--no-graphs", is_flag=True, help="On a GPU: no CUDA graphs.")
@click.option("--generator-only", is_flag=True, help="Leave out codec and verifiers.")
def bench(
    preset: str,
    rows: list[int],
    dtype: str | None,
    device: str,
    threads: int,
    generator_only: bool,
    **options: Any,
) -> None:
    check_device(device)
    torch.set_num_threads(threads or torch.get_num_threads())
    found = find_preset(preset)
    bench_generator(found, rows, DTYPES[dtype] if dtype else default_dtype(device), device, **options)
    if not options["shape"] and not generator_only:
        bench_parts(found, rows, device)


main = guarded(bench)


def bench_generator(
    preset: Preset,
    rows: Sequence[int],
    dtype: torch.dtype,
    device: str,
    *,
    shape: str | None,
    tokens: int,
    pairs: int,
    no_generate: bool,
    no_fork: bool,
    no_graphs: bool,
) -> None:
    """Prints one line a batch size, then what a fork costs and the most memory that was used."""
    sampling = MODEL_CARD if shape else preset.sampling
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
        SpeechLM(model, tokenizer, device, dtype, sampling=sampling, graphs=not no_graphs)
    )
    copied = bench_decoding.copy_bandwidth(generator.device)
    print(
        f"{shape or preset.generator}, {dtype}, {device}, {torch.get_num_threads()} threads"
        f"{', steps recorded as CUDA graphs' if generator.new_record else ''}; prompt {len(ids)} tokens, "
        f"{tokens} spoken, seeds 1 to {pairs}; a copy moves {copied / 1e9:.1f} GB/s"
    )
    print(f"{'rows':>4} {'tokens/s':>9} {'real-time factor':>17} {'GB/s':>6} {'of a copy':>10}   x generate")
    other = None if no_generate else model
    for speed in bench_decoding.measure(generator, other, ids, rows, tokens, sampling, pairs):
        print(
            f"{speed.rows:4} {speed.tokens_per_second:9.0f} {speed.real_time_factor:17.4f} "
            f"{speed.bytes_per_second / 1e9:6.1f} {speed.bytes_per_second / copied:10.0%}   "
            f"{Ratio.of(speed.ratios).show() if speed.ratios else '-'}",
            flush=True,
        )
    if not no_fork:
        both = bench_decoding.fork_cost(generator, ids, sampling, pairs)
        fork, step = (1e3 * statistics.median(times) for times in zip(*both, strict=True))
        share = Ratio.of([100 * fork / step for fork, step in both])
        print(
            f"fork of {bench_decoding.FORKED_ROWS} rows of {bench_decoding.FORKED_TOKENS} tokens: "
            f"{fork:.2f} ms, "
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
    for spec in roles(preset.name).verifiers:
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
        f"{part:24} {rows:4} {statistics.median(times):8.3f}   "
        f"{factors[0]:.4f} [{factors[1]:.4f}, {factors[2]:.4f}]",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
