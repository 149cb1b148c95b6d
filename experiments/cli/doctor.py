"""`llasa-search doctor`: versions, devices, whether what is special to a device computes what it should, and
which weights are here."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import TYPE_CHECKING

import click

from experiments.cli import options
from experiments.cli.commands import Command
from experiments.cli.models import Part, preset_parts
from experiments.terminal import Terminal
from llasa_core.presets import PRESETS, Preset

if TYPE_CHECKING:
    from llasa_core.lm.self_check import Check

EXAMPLES = """\
  is everything here, and does it work on this machine:
    llasa-search doctor
  the same for a GPU:
    llasa-search doctor --device cuda
"""
PACKAGES = ("torch", "triton", "transformers", "numba", "openai-whisper", "onnxruntime", "ray")
NEEDED = ("generator", "codec", "verifier", "judge")
"""Parts of a preset without which it does less than it says."""
GIB = 2**30


@click.command(cls=Command, examples=EXAMPLES)
@options.device(group="models")
def command(device: str) -> int:
    """Print versions and devices, check a device's own code on random data, say what each preset lacks.

    Exit code 1 if a check fails."""
    from llasa_core.loading import check_device

    terminal = Terminal()
    terminal.say(versions())
    for line in devices():
        terminal.say(line)
    check_device(device)
    passed = True
    for check in checks(device):
        passed &= check.passed
        terminal.say(f"{'ok' if check.passed else 'FAILED'}: {check.name} on {device}: {check.detail}")
    for preset in PRESETS.values():
        terminal.say(f"{preset.name}: {weights(preset)}")
    return 0 if passed else 1


def versions() -> str:
    """Of Python and of the packages that results and speed depend on, in one line."""
    found = [f"Python {platform.python_version()}"]
    for name in ("llasa-search", *PACKAGES):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)


def devices() -> Iterator[str]:
    """A line for the processor and one for each GPU."""
    import torch

    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    yield f"cpu: {os.cpu_count()} cores, {memory / GIB:.0f} GiB"
    for number in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(number)
        free, total = torch.cuda.mem_get_info(number)
        yield (
            f"cuda:{number}: {about.name}, compute capability {about.major}.{about.minor}, "
            f"{free / GIB:.0f} of {total / GIB:.0f} GiB free, CUDA {torch.version.cuda}"
        )
    if not torch.cuda.device_count():
        yield f"no GPU that this torch can use (built for CUDA {torch.version.cuda or 'not at all'})"


def checks(device: str) -> list[Check]:
    """What a model does when it is loaded on the device, with a small random one whose heads are those of
    Llasa-1B."""
    from experiments.bench.decoding import ShapeTokenizer, random_llama
    from experiments.bench.shapes import LLAMA_1B
    from llasa_core.lm.runner import ModelRunner
    from llasa_core.lm.self_check import check_attention, check_sampler
    from llasa_core.lm.speech_lm import SpeechLM
    from llasa_core.lm.warm_up import warm_up
    from llasa_core.loading import default_dtype

    small = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "vocab_size": 2000}
    model = random_llama(LLAMA_1B | small, default_dtype(device), device)
    runner = ModelRunner(SpeechLM(model, ShapeTokenizer(2000, 1024), device, max_seconds=1.0))
    if device == "cpu":
        return [check_attention(runner.model.network), check_sampler(runner.model)]
    return ([] if runner.model.network.kernels else [without_kernels()]) + warm_up(runner)


def without_kernels() -> Check:
    """Why a model on a GPU has no kernels: it is an error where nobody asked for it."""
    from llasa_core.lm.gpu_kernels import KERNELS
    from llasa_core.lm.self_check import Check

    if os.environ.get(KERNELS) == "0":
        return Check("attention kernels", True, f"left out, as {KERNELS}=0 asks")
    return Check("attention kernels", False, "no Triton here")


def weights(preset: Preset) -> str:
    """What is here and from where, and what is not and where it would come from."""
    parts = [part for part in preset_parts(preset) if part.role in NEEDED]
    found = [part for part in parts if part.state.startswith("yes")]
    told = [f"has {_list(found)}"] if found else []
    if missing := [part for part in parts if part not in found]:
        told.append(f"lacks {_list(missing)}")
    return f"{'' if missing else 'complete: '}{'; '.join(told)}"


def _list(parts: Sequence[Part]) -> str:
    told = (f"{part.role} {part.source} ({part.state.partition(': ')[2] or part.state})" for part in parts)
    return ", ".join(told)
