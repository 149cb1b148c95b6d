"""`python -m experiments.bench.gpu --out gpu.json`: what a GPU makes of the released sizes.

Weights are random: nothing is fetched. The parts, in their order, are what is checked and recorded when a
model is loaded, and what that costs; greedy tokens in float32 beside those of `generate` of transformers;
tokens a second, and the share of the limit that a copy in the same run sets; how much faster that is than
`generate`, with the same sampling; one whole search as in the paper, 16 beams of 16 by the voice for 2 s,
then by the words; the time of a step by groups of kernels; and the seconds of each verifier. Every part is
printed and written as it ends. One that fails has its error in the place of its figures (exit code 1), and
those that find no time left before --minutes are named.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import torch

from experiments.bench import decoding
from experiments.bench.gpu_models import Sizes, codec, language_model, wavlm, whisper
from experiments.bench.shapes import SHAPES
from experiments.bench.timing import Ratio
from experiments.files import Destination, check_outputs, write_whole
from experiments.programs import COUNT, Positive, guarded, numbers
from llasa_core.audio import SAMPLE_RATE, read_audio
from llasa_core.codec.codec import Codec
from llasa_core.lm.runner import ModelRunner
from llasa_core.lm.sequence import Prompt
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.lm.warm_up import warm_up
from llasa_core.loading import check_device, default_dtype
from llasa_core.request import Request
from llasa_core.sampling import Sampling
from llasa_core.voices import find_voice
from search.backends.local import LocalBackend
from search.engine import Searcher
from verifiers.base import Target, Verifier

TEXT = "The old king saw a ship on the river, and the morning train was late again."
TOKENS = 100
"""Speech tokens of each row where tokens are counted or timed."""
GREEDY_LAYERS = 16
"""At most, where two models are held in float32: all of Llasa-1B's."""
GENERATE_ROWS = 16
"""Rows of the comparison with `generate`."""
GROUPS = {
    "attention": ("attend_to",),
    "products": ("gemm", "cutlass", "cublas", "gemv", "splitk", "nvjet"),
    "norms": ("norm",),
    "activation": ("silu",),
    "sampling": ("race", "topk", "sort", "softmax", "cumsum", "scan", "argmax", "gather", "scatter"),
    "copies": ("copy", "memcpy", "memset"),
}
"""By what a kernel's name has in it; the first that fits."""


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), default="gpu.json", help="The file (gpu.json).")
@click.option("--shape", type=click.Choice(list(SHAPES)), default="llama-1b", help="Of the model (llama-1b).")
@click.option("--device", default="cuda", help="cuda, cuda:1, cpu ... (cuda)")
@click.option("--rows", default="1,16,64,256", callback=numbers, help="Batch sizes (1,16,64,256).")
@click.option("--pairs", type=COUNT, default=3, help="Runs of each batch size, after one that warms up (3).")
@click.option("--minutes", type=Positive(600), default=8.0, help="After these no part is begun (8).")
def command(out: Path, shape: str, device: str, rows: list[int], pairs: int, minutes: float) -> int:
    check_device(device)
    check_outputs([Destination("--out", out)], {})
    measure = Measurement(Sizes(SHAPES[shape]), device, rows, pairs, 60 * minutes, out)
    measure.run()
    return 1 if measure.failed else 0


main = guarded(command)


@dataclass(eq=False)
class Measurement:
    """found: by part, as plain values; what is about all of it stands beside the parts. seconds: after which
    no part is begun."""

    sizes: Sizes
    device: str
    rows: Sequence[int]
    pairs: int
    seconds: float
    out: Path
    found: dict[str, Any] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def run(self) -> None:
        began = time.perf_counter()
        self.found = {"device": self.device, "torch": torch.__version__, "seed": 0, "pairs": self.pairs}
        if torch.device(self.device).type == "cuda":
            self.found["gpu"] = torch.cuda.get_device_name(self.device)
        parts: dict[str, Callable[[], Any]] = {
            "loading": lambda: loading(self.lm),
            "greedy": lambda: greedy(self.sizes, self.device),
            "decoding": self.token_rates,
            "generate": self.beside_generate,
            "search": lambda: search(self.lm, codec(self.sizes, self.device), self.verifiers, max(self.rows)),
            "kernels": lambda: [kernels(self.lm, self.sizes, count) for count in self.rows],
            "verifiers": lambda: [
                seconds_of(name, one, max(self.rows)) for name, one in self.verifiers.items()
            ],
        }
        if torch.device(self.device).type != "cuda":
            del parts["kernels"]
        for name, part in parts.items():
            if time.perf_counter() - began > self.seconds:
                self.found.setdefault("no time left for", []).append(name)
                self.write()
                continue
            try:
                self.found[name] = part()
            except Exception as error:  # noqa: BLE001 (what the other parts find is worth having)
                self.found[name] = {"error": f"{type(error).__name__}: {error}"}
                self.failed.append(name)
            print(f"{name}: {json.dumps(self.found[name])}", flush=True)
            self.found["seconds"] = time.perf_counter() - began
            self.write()

    def write(self) -> None:
        write_whole(self.out, (json.dumps(self.found, indent=1) + "\n").encode())

    @cached_property
    def _models(self) -> tuple[SpeechLM, Any]:
        return language_model(self.sizes, self.device, default_dtype(self.device))

    @property
    def lm(self) -> SpeechLM:
        return self._models[0]

    @cached_property
    def verifiers(self) -> dict[str, Verifier]:
        return {"wer": whisper(self.sizes, self.device), "sim": wavlm(self.sizes, self.device)}

    def token_rates(self) -> dict[str, Any]:
        """Medians of the pairs. The bytes of a step are those of the weights and of the keys and values."""
        copied = decoding.copy_bandwidth(self.lm.device)
        lines = [
            {
                "rows": speed.rows,
                "tokens_per_second": speed.tokens_per_second,
                "share_of_a_copy": speed.bytes_per_second / copied,
            }
            for speed in self.speeds(self.rows, None)
        ]
        return {"copy_bytes_per_second": copied, "speeds": lines}

    def beside_generate(self) -> dict[str, Any]:
        """Seconds of `generate` over ours, paired, prompt included."""
        (speed,) = self.speeds([GENERATE_ROWS], self._models[1])
        return {"rows": GENERATE_ROWS, "times_as_fast": asdict(Ratio.of(speed.ratios))}

    def speeds(self, rows: Sequence[int], other: Any) -> Iterator[decoding.Speed]:
        tokens = min(TOKENS, self.lm.max_tokens)
        prompt = list(range(self.sizes.prompt))
        return decoding.measure(self.lm, other, prompt, rows, tokens, self.lm.sampling, self.pairs)


@contextmanager
def recordings(lm: SpeechLM) -> Iterator[list[float]]:
    """The seconds of each recording of steps that is made in the block."""
    made: list[float] = []
    inner = lm.new_record

    def new_record() -> Callable[[Any], Any]:
        assert inner is not None
        record = inner()

        def timed_record(work: Any) -> Any:
            began = time.perf_counter()
            graph = record(work)
            made.append(time.perf_counter() - began)
            return graph

        return timed_record

    if inner is not None:
        lm.new_record = new_record
    try:
        yield made
    finally:
        lm.new_record = inner


def loading(lm: SpeechLM) -> dict[str, Any]:
    """What is compared and recorded when a model is loaded, and the seconds of it all."""
    with recordings(lm) as made:
        began = time.perf_counter()
        checks = warm_up(ModelRunner(lm))
        decoding.wait(lm.device)
        seconds = time.perf_counter() - began
    return {
        "checks": [asdict(check) for check in checks],
        "seconds": seconds,
        "recordings": len(made),
        "seconds_of_recordings": sum(made),
    }


def greedy(sizes: Sizes, device: str) -> dict[str, Any]:
    """How many greedy tokens in float32 are those of `generate` before the first that differs."""
    layers = min(GREEDY_LAYERS, sizes.llama["num_hidden_layers"])
    sizes = replace(sizes, llama=sizes.llama | {"num_hidden_layers": layers})
    lm, model = language_model(sizes, device, torch.float32, Sampling(temperature=0))
    runner = ModelRunner(lm)
    warm_up(runner)
    prompt = list(range(sizes.prompt))
    sequence = runner.prefill(Prompt(prompt, "greedy", 0))
    runner.extend([sequence], TOKENS)
    ours = lm.vocabulary.ids(sequence.codes)
    theirs = decoding.greedy_by_generate(model, lm, prompt, len(ours))
    equal = next((k for k, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b), len(ours))
    return {"layers": layers, "tokens": len(ours), "equal_to_generate": equal}


def kernels(lm: SpeechLM, sizes: Sizes, rows: int) -> dict[str, Any]:
    """Microseconds of a step on the GPU by groups of kernels."""
    from torch.profiler import ProfilerActivity, profile

    runner = ModelRunner(lm)
    sequences = decoding.candidates(runner, Prompt(list(range(sizes.prompt)), "kernels", 0), rows)
    runner.extend(sequences, decoding.STEP)
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        runner.extend(sequences, decoding.STEP)
        decoding.wait(lm.device)
    spent = dict.fromkeys([*GROUPS, "others"], 0.0)
    for event in profiled.key_averages():
        name = event.key.lower()
        group = next((g for g, parts in GROUPS.items() if any(part in name for part in parts)), "others")
        spent[group] += event.self_device_time_total / decoding.STEP
    return {"rows": rows, "microseconds_of_a_step": spent}


def seconds_of(name: str, verifier: Verifier, rows: int) -> dict[str, Any]:
    """Of one call with so many candidates of 2 s."""
    voice = find_voice(None)
    audio = read_audio(voice.path)
    target = Target(voice.text, "en", audio)
    waveforms = [audio[k : k + 2 * SAMPLE_RATE].copy() for k in range(rows)]
    verifier.score(waveforms[:1], target, True)
    began = time.perf_counter()
    verifier.score(waveforms, target, True)
    return {"verifier": verifier.spec, "metric": name, "rows": rows, "seconds": time.perf_counter() - began}


def search(lm: SpeechLM, codec: Codec, verifiers: dict[str, Verifier], candidates: int) -> dict[str, Any]:
    """Seconds of one search as in the paper, by part: 16 beams of 16 where there are 256 candidates."""
    beams = max(1, int(candidates**0.5))
    voice = find_voice(None)
    request = Request(TEXT, prompt_audio=read_audio(voice.path), prompt_text=voice.text, seed=0)
    strategy = f"partial-prm?beams={beams}&n={beams}&seconds=2&prm=sim&select=wer,sim"
    with recordings(lm) as made, LocalBackend(lm, codec, verifiers) as backend:
        backend.warm_up()
        before = len(made)
        began = time.perf_counter()
        result = Searcher(backend).run(request, strategy)
        seconds = time.perf_counter() - began
    return {
        "strategy": strategy,
        "seconds": seconds,
        "seconds_of_speech": result.winner.seconds,
        "seconds_by_part": dict(result.ledger.wall),
        "tokens": result.ledger.tokens_generated,
        "recordings": len(made) - before,
        "seconds_of_recordings": sum(made[before:]),
    }


if __name__ == "__main__":
    sys.exit(main())
