"""What a model that is loaded on a GPU is made of, by torch's fake tensors: they have a device, and no
values."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

pytest.importorskip("triton", reason="Triton is not installed: it comes with torch for CUDA")

from llasa_core import gpu_memory
from llasa_core.lm import network as networks
from llasa_core.lm import speech_lm as speech
from llasa_core.lm.cuda.attention import TritonAttention
from llasa_core.lm.cuda.gate import silu_mul as silu_mul_by_kernel
from llasa_core.lm.cuda.race import race as race_by_kernel
from llasa_core.lm.network import ALIGNED_OUTPUTS, Network, silu_mul
from llasa_core.lm.prefix import Prefix
from llasa_core.lm.runner import ModelRunner
from llasa_core.lm.sampler import race
from llasa_core.lm.sequence import SpeechSequence
from llasa_core.lm.speech_lm import SpeechLM
from tests.tiny import build_llama, build_tokenizer

TOKENIZER = build_tokenizer(200)
GIB = 1 << 30


@pytest.fixture
def llama() -> Any:
    return build_llama(len(TOKENIZER), layers=1).to(torch.bfloat16)


@pytest.fixture
def loaded(llama: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SpeechLM]]:
    """Loads the model on a machine whose current GPU is its second one."""
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield partial(SpeechLM, llama, TOKENIZER, "cuda")


def test_a_gpu_has_kernels_recordings_and_a_number(loaded: Callable[..., SpeechLM]) -> None:
    """The number of what was the current GPU: in another thread that may be another one."""
    lm = loaded()
    device = torch.device("cuda:1")
    assert {lm.device, lm.network.device, lm.token_ids.device, lm.network.cos.device} == {device}
    assert lm.network.kernels is TritonAttention and lm.network.gated is silu_mul_by_kernel
    assert lm.race is race_by_kernel and lm.network.compiled is None
    assert lm.new_record is not None and lm.new_record.args == (device,)  # type: ignore[attr-defined]
    assert loaded(graphs=False).new_record is None


def test_variables_do_without_kernels_and_without_recordings(
    loaded: Callable[..., SpeechLM], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LLASA_SEARCH_KERNELS", "0")
    lm = loaded()
    assert lm.network.kernels is None and lm.network.gated is silu_mul and lm.race is race
    assert lm.new_record is not None
    monkeypatch.setenv("LLASA_SEARCH_KERNELS", "1")
    monkeypatch.setenv("LLASA_SEARCH_GRAPHS", "0")
    lm = loaded()
    assert lm.network.kernels is TritonAttention and lm.new_record is None
    assert not caplog.records


def test_without_triton_plain_operations_run_and_one_line_says_so(
    loaded: Callable[..., SpeechLM], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    for name in ("attention", "gate", "kernels", "race"):
        monkeypatch.delitem(sys.modules, f"llasa_core.lm.cuda.{name}")
    with caplog.at_level(logging.WARNING):
        lm = loaded()
    assert lm.network.kernels is None and lm.network.gated is silu_mul and lm.race is race
    (said,) = caplog.messages
    assert said.startswith("Triton, ") and "plain operations run, slower" in said and "\n" not in said


def test_the_model_itself_stays_on_the_cpu(llama: Any, loaded: Callable[..., SpeechLM]) -> None:
    """Only what the network is made of is moved, a matrix at a time: a GPU holds no weight twice."""
    lm = loaded()
    assert {weight.device.type for weight in llama.parameters()} == {"cpu"}
    assert lm.network.embedding.device.type == "cuda"
    assert lm.network.embedding.dtype == lm.network.cos.dtype == torch.bfloat16


def test_a_source_is_read_into_the_memory_of_the_machine(
    tiny_generator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    read: list[tuple[Any, ...]] = []
    monkeypatch.setattr(speech, "check_device", checked.append)

    def load(*given: Any) -> Any:
        assert checked == ["cuda"]  # before gigabytes are read
        read.append(given[3:])
        raise KeyboardInterrupt

    monkeypatch.setattr(speech, "load_model", load)
    with pytest.raises(KeyboardInterrupt):
        SpeechLM.from_source(str(tiny_generator), "cuda")
    assert read == [(torch.bfloat16, "cpu")]


def test_on_a_gpu_the_output_matrix_has_an_aligned_number_of_rows(loaded: Callable[..., SpeechLM]) -> None:
    lm = loaded()
    (weight,) = lm.network.head.args  # type: ignore[attr-defined]
    assert lm.n_codes + 1 < len(weight) < lm.n_codes + 1 + ALIGNED_OUTPUTS
    assert len(weight) % ALIGNED_OUTPUTS == 0


@pytest.mark.parametrize("outputs", [63, 64, 65])
def test_rows_that_align_the_output_matrix_are_no_outputs(
    outputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    llama, ids = build_llama(300), torch.arange(20, 20 + outputs)
    plain = Network(llama, ids, 64)
    monkeypatch.setattr(networks, "outputs_multiple", lambda device: ALIGNED_OUTPUTS)
    aligned = Network(llama, ids, 64)
    width = -(-outputs // 64) * 64
    assert aligned.weight_bytes - plain.weight_bytes == 4 * llama.config.hidden_size * (width - outputs)
    hidden = torch.randn(5, llama.config.hidden_size)
    found = aligned.logits(hidden)
    assert found.shape == (5, outputs)
    torch.testing.assert_close(found, plain.logits(hidden), atol=1e-5, rtol=1e-5)


def test_keys_and_values_get_what_models_and_prefixes_leave(
    loaded: Callable[..., SpeechLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[torch.device] = []

    def info(device: torch.device) -> tuple[int, int]:
        asked.append(device)
        return 50 * GIB, 80 * GIB

    monkeypatch.setattr(torch.cuda, "mem_get_info", info)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 20 * GIB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 16 * GIB)
    lm = loaded()
    runner = ModelRunner(lm)
    runner.cache.reserve(4, 1000)
    sequence = SpeechSequence("a", 0, Prefix((0,) * 30, torch.empty(0)), [5], 100)
    runner.look_at_memory([sequence])
    assert runner.cache.free == int(0.8 * 54 * GIB)
    assert runner.cache.limit == runner.cache.free + runner.cache.bytes > runner.cache.free
    assert asked == [torch.device("cuda:1")]
    monkeypatch.setattr(gpu_memory, "_share", 0.25)
    runner.look_at_memory([sequence])
    assert runner.cache.free == int(0.8 * 4 * GIB)
    lm.memory = GIB
    runner.look_at_memory([sequence])
    assert runner.cache.limit == GIB - 30 * lm.network.bytes_per_token
