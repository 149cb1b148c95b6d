"""`python -m experiments.bench.gpu --out gpu.json`: what a GPU makes of the released sizes.

Weights are random: nothing is fetched. Written to one file, and printed as it comes: what is checked when
a model is loaded; how many steps are recorded, and what that costs; tokens a second of Llasa-1B's shape, and
the share of the limit that a copy in the same run sets; the time of a step by groups of kernels; seconds of
each verifier; and one whole search as in the paper: 16 beams of 16, by the voice for 2 s, then by the words.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
import torch

from experiments.bench import decoding
from experiments.bench.shapes import LLAMA_1B
from experiments.files import Destination, check_outputs, write_whole
from experiments.programs import COUNT, guarded, numbers
from llasa_core.audio import SAMPLE_RATE, read_audio
from llasa_core.codec.codec import Codec
from llasa_core.lm.runner import ModelRunner
from llasa_core.lm.sequence import Prompt
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.lm.warm_up import warm_up
from llasa_core.loading import check_device, default_dtype
from llasa_core.request import Request
from llasa_core.sampling import MODEL_CARD
from llasa_core.voices import find_voice
from search.backends.local import LocalBackend
from search.engine import Searcher
from verifiers.base import Target, Verifier
from verifiers.models.wavlm_sv import WavLMSpeaker
from verifiers.models.whisper import WhisperASR
from verifiers.models.whisper_model import on_device
from verifiers.spec import Spec

TEXT = "The old king saw a ship on the river, and the morning train was late again."
GROUPS = {
    "attention": ("attend_to",),
    "products": ("gemm", "cutlass", "cublas", "gemv", "splitk", "nvjet"),
    "norms": ("norm",),
    "activation": ("silu",),
    "sampling": ("race", "topk", "sort", "softmax", "cumsum", "scan", "argmax", "gather", "scatter"),
    "copies": ("copy", "memcpy", "memset"),
}
"""By what a kernel's name has in it; the first that fits."""


@dataclass(frozen=True)
class Sizes:
    """Of the models: keyword arguments of their configurations."""

    llama: dict[str, Any] = field(default_factory=lambda: LLAMA_1B)
    codes: int = 65_536
    codec: dict[str, Any] = field(default_factory=dict)
    whisper: dict[str, int] = field(
        default_factory=lambda: {
            "n_mels": 128,
            "n_vocab": 51_866,
            "n_audio_ctx": 1500,
            "n_audio_state": 1280,
            "n_audio_head": 20,
            "n_audio_layer": 32,
            "n_text_ctx": 448,
            "n_text_state": 1280,
            "n_text_head": 20,
            "n_text_layer": 32,
        }
    )
    wavlm: dict[str, Any] = field(default_factory=dict)
    seconds: float = 6.0
    """Of each candidate: random weights hardly ever end one."""
    prompt: int = 400
    """Tokens: a text, and a voice of some 6 s."""


RELEASED = Sizes()
"""Llasa-1B, xcodec2-hf, Whisper large-v3, WavLM base+."""


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), default="gpu.json", help="The file (gpu.json).")
@click.option("--device", default="cuda", help="cuda, cuda:1, cpu ... (cuda)")
@click.option("--rows", default="1,16,64,256", callback=numbers, help="Batch sizes (1,16,64,256).")
@click.option("--pairs", type=COUNT, default=3, help="Runs of each batch size, after one that warms up (3).")
def command(out: Path, device: str, rows: list[int], pairs: int) -> None:
    check_device(device)
    check_outputs([Destination("--out", out)], {})
    found = measure(RELEASED, device, rows, pairs)
    write_whole(out, (json.dumps(found, indent=1) + "\n").encode())


main = guarded(command)


def measure(sizes: Sizes, device: str, rows: Sequence[int], pairs: int) -> dict[str, Any]:
    """Everything, as plain values."""
    found: dict[str, Any] = {"device": device, "torch": torch.__version__, "seed": 0, "pairs": pairs}
    if torch.device(device).type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(device)
    lm = language_model(sizes, device)
    found["loading"] = tell("loading", loading(lm))
    found["copy_bytes_per_second"] = decoding.copy_bandwidth(lm.device)
    found["decoding"] = []
    for speed in speeds(lm, sizes, rows, pairs):
        share = speed.bytes_per_second / found["copy_bytes_per_second"]
        line = {"rows": speed.rows, "tokens_per_second": speed.tokens_per_second, "share_of_a_copy": share}
        found["decoding"].append(tell("decoding", line))
    if lm.device.type == "cuda":
        found["kernels"] = [tell("kernels", kernels(lm, sizes, count)) for count in rows]
    verifiers = {"wer": whisper(sizes, device), "sim": wavlm(sizes, device)}
    found["verifiers"] = [
        tell("verifiers", seconds_of(name, one, max(rows))) for name, one in verifiers.items()
    ]
    found["search"] = tell("search", search(lm, codec(sizes, device), verifiers, max(rows)))
    return found


def tell(what: str, value: dict[str, Any]) -> dict[str, Any]:
    print(f"{what}: {json.dumps(value)}", flush=True)
    return value


def language_model(sizes: Sizes, device: str) -> SpeechLM:
    """Of random weights and never ending."""
    dtype = default_dtype(device)
    model = decoding.random_llama(sizes.llama, dtype, device)
    tokenizer = decoding.ShapeTokenizer(sizes.llama["vocab_size"], sizes.codes, sizes.prompt)
    lm = SpeechLM(model, tokenizer, device, dtype, sampling=MODEL_CARD, max_seconds=sizes.seconds)
    return decoding.without_end(lm)


def codec(sizes: Sizes, device: str) -> Codec:
    """Of random weights, and loud enough to be judged."""
    from transformers import Xcodec2Config, Xcodec2Model

    with torch.device(device):
        torch.manual_seed(0)
        model = Xcodec2Model(Xcodec2Config(**sizes.codec)).eval().requires_grad_(False)
    size = model.config.n_fft // 2 + 1
    bias = model.acoustic_decoder.head.linear.bias
    bias[:size].fill_(-2.0)
    bias[size:].uniform_(-3.14, 3.14)
    return Codec(model)


def whisper(sizes: Sizes, device: str) -> Verifier:
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(0)
    model = Whisper(ModelDimensions(**sizes.whisper)).requires_grad_(False)
    spec = Spec.parse("whisper:large-v3")
    return WhisperASR(on_device(model, device), spec=str(spec), **WhisperASR.read(spec, device))


def wavlm(sizes: Sizes, device: str) -> Verifier:
    from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMForXVector

    torch.manual_seed(0)
    model = WavLMForXVector(WavLMConfig(**sizes.wavlm)).eval().requires_grad_(False).to(device)
    spec = Spec.parse("wavlm-sv:microsoft/wavlm-base-plus-sv")
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True)
    return WavLMSpeaker(model, extractor, spec=str(spec), **WavLMSpeaker.read(spec, device))


def loading(lm: SpeechLM) -> dict[str, Any]:
    """What is compared and recorded when a model is loaded, and the seconds of it all."""
    recorded: list[float] = []
    inner = lm.new_record

    def new_record() -> Callable[[Any], Any]:
        assert inner is not None
        record = inner()

        def timed_record(work: Any) -> Any:
            began = time.perf_counter()
            graph = record(work)
            recorded.append(time.perf_counter() - began)
            return graph

        return timed_record

    if inner is not None:
        lm.new_record = new_record
    runner = ModelRunner(lm)
    began = time.perf_counter()
    checks = warm_up(runner)
    decoding.wait(lm.device)
    seconds = time.perf_counter() - began
    lm.new_record = inner
    return {
        "checks": [asdict(check) for check in checks],
        "seconds": seconds,
        "recordings": len(recorded),
        "seconds_of_recordings": sum(recorded),
    }


def speeds(lm: SpeechLM, sizes: Sizes, rows: Sequence[int], pairs: int) -> Any:
    tokens = min(100, lm.max_tokens)
    return decoding.measure(lm, None, list(range(sizes.prompt)), rows, tokens, lm.sampling, pairs)


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
    with LocalBackend(lm, codec, verifiers) as backend:
        backend.warm_up()
        began = time.perf_counter()
        result = Searcher(backend).run(request, strategy)
        seconds = time.perf_counter() - began
    return {
        "strategy": strategy,
        "seconds": seconds,
        "seconds_of_speech": result.winner.seconds,
        "seconds_by_part": dict(result.ledger.wall),
        "tokens": result.ledger.tokens_generated,
    }


if __name__ == "__main__":
    sys.exit(main())
