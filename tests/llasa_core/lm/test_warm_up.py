"""What is compared when a model is loaded on a GPU, and what becomes of it; by Triton's interpreter."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed: it comes with torch for CUDA")

from llasa_core.errors import UserError
from llasa_core.lm import runner as running
from llasa_core.lm import self_check as checking
from llasa_core.lm import warm_up as warming
from llasa_core.lm.attention import TorchAttention
from llasa_core.lm.cuda import attention as cuda_attention
from llasa_core.lm.cuda.attention import TritonAttention
from llasa_core.lm.cuda.gate import silu_mul as silu_mul_by_kernel
from llasa_core.lm.cuda.race import exponentials as exponentials_by_kernel
from llasa_core.lm.cuda.race import race as race_by_kernel
from llasa_core.lm.cuda_graphs import MAX_GRAPHS
from llasa_core.lm.gpu_kernels import GpuKernels
from llasa_core.lm.kv_cache import COLUMNS
from llasa_core.lm.network import silu_mul
from llasa_core.lm.noise import exponentials
from llasa_core.lm.runner import BATCH_SIZES, ModelRunner
from llasa_core.lm.sampler import race
from llasa_core.lm.self_check import check_sampler
from llasa_core.lm.sequence import Prompt
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.lm.warm_up import sizes_to_record, warm_up
from llasa_core.prompt import build_prompt
from llasa_core.sampling import Sampling
from tests.llasa_core.lm.candidates import candidates, fork, tokens
from tests.llasa_core.lm.recorder import launch, record
from tests.tiny import build_llama, build_tokenizer

TOKENIZER = build_tokenizer(200)
FREE = Sampling(1.0, top_p=1.0)
TEXTS = ("Hello there.", "A much longer sentence.", "Yes.")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> SpeechLM:
    """As on a GPU: kernels, and steps that are recorded."""
    found = SpeechLM(build_llama(len(TOKENIZER), layers=1), TOKENIZER, sampling=FREE, max_seconds=1.0)
    found.network.compiled = None
    found.network.kernels, found.network.gated = TritonAttention, silu_mul_by_kernel
    found.race = race  # in operations that the recorder can repeat
    found.new_record = lambda: record
    monkeypatch.setattr(cuda_attention, "launch", launch)
    monkeypatch.setattr(warming, "RESERVED", 4)
    monkeypatch.setattr(warming, "IF_ROOM", 4)
    # the interpreter takes milliseconds a program
    monkeypatch.setattr(cuda_attention, "MOST_PARTS", 1)
    monkeypatch.setattr(running, "STEPS_TOGETHER", 2)
    return found


def generate(runner: ModelRunner) -> list[tuple[int, ...]]:
    """Rows of three prompts that fork, end and join."""
    prompts = [Prompt(build_prompt(TOKENIZER, text), text, seed) for seed, text in enumerate(TEXTS)]
    rows = candidates(runner, prompts[0], 3)
    runner.extend(rows, 4)
    rows = [*fork(runner, [rows[0], rows[2], rows[2]]), *map(runner.prefill, prompts[1:])]
    runner.extend(rows, 3)
    return tokens(rows)


def expected() -> list[tuple[int, ...]]:
    plain = SpeechLM(build_llama(len(TOKENIZER), layers=1), TOKENIZER, sampling=FREE, max_seconds=1.0)
    return generate(ModelRunner(plain))


def test_what_agrees_is_used_and_one_recording_serves_all_prompts(
    model: SpeechLM, caplog: pytest.LogCaptureFixture
) -> None:
    recorded: list[int] = []
    model.new_record = lambda: lambda work: (recorded.append(1), record(work))[1]
    runner = ModelRunner(model)
    checks = warm_up(runner)
    assert [(check.name, check.passed) for check in checks] == [
        ("attention kernels", True),
        ("activation kernel", True),
        ("recorded steps", True),
    ]
    assert not caplog.records
    assert len(recorded) == 1 + 3  # that of the check; 4, 2 and 1 rows
    block = runner.cache.block
    assert block.shape[1] == 4 and block.shape[4] >= model.max_tokens
    assert generate(runner) == expected()
    # eight rows are more than were reserved: recorded once more; four rows and fewer were not
    assert len(recorded) == 5
    assert generate(runner) == expected()
    assert len(recorded) == 6 and runner.cache.block is not block  # four rows, again on the block that grew


def test_a_recording_takes_several_steps_and_its_surplus_is_no_token(model: SpeechLM) -> None:
    """Also where each step changes what the next one reads: the first position, codes that were seen."""
    replays: list[int] = []

    def counting(work: Callable[[], None]) -> Callable[[], None]:
        repeat = record(work)
        return lambda: (replays.append(1), repeat())[1]

    model.new_record = lambda: counting
    plain = SpeechLM(build_llama(len(TOKENIZER), layers=1), TOKENIZER, max_seconds=1.0)
    sampling = Sampling(1.0, top_p=1.0, repetition_penalty=1.5)
    found = []
    for lm in (model, plain):
        runner = ModelRunner(lm, sampling)
        root = runner.prefill(Prompt(build_prompt(TOKENIZER, TEXTS[1]), "", 3))
        row = runner.resume(root, n_tokens=11)
        for count in (5, 1, 5):  # in twos, the first of which is done to record it: 2 + 1 + 3 replays
            runner.extend([row], count)
            assert len(row.codes) in (5, 6, 11) and not row.ended
        found.append(row.codes)
    assert len(replays) == 2 + 1 + 3
    assert found[0] == found[1]


def nothing(*_: Any, **__: Any) -> None:
    """A kernel that does not run, and leaves whatever was in memory."""


def raising(error: Exception) -> Callable[..., None]:
    def launch(*_: Any, **__: Any) -> None:
        raise error

    return launch


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (nothing, "off by"),
        (raising(NotImplementedError("no such instruction\nmore")), "no such instruction"),
        (raising(RuntimeError("Triton Error: out of resource: shared memory")), "out of resource"),
    ],
)
def test_kernels_that_fail_are_left_out_in_one_line(
    model: SpeechLM,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken: Callable[..., None],
    says: str,
) -> None:
    monkeypatch.setattr(cuda_attention, "launch", broken)
    runner = ModelRunner(model)
    runner.column_multiple = COLUMNS
    model.network.gated = silu_mul
    first, second = warm_up(runner)
    assert not first.passed and says in first.detail and second.passed
    assert model.network.kernels is None and runner.cache.graphs is not None
    assert len(caplog.messages) == 1 and "\n" not in caplog.messages[0]
    assert "attention kernels: not what plain operations give on cpu" in caplog.messages[0]
    assert generate(runner) == expected()


def test_recordings_that_do_nothing_are_left_out(model: SpeechLM, caplog: pytest.LogCaptureFixture) -> None:
    """As steps were that had been recorded on another GPU than the model's."""
    model.new_record = lambda: lambda work: lambda: None
    runner = ModelRunner(model)
    model.network.gated = silu_mul
    first, second = warm_up(runner)
    assert first.passed and not second.passed
    assert runner.cache.graphs is None and len(caplog.messages) == 1
    assert generate(runner) == expected()


def test_an_activation_that_is_another_is_left_out(model: SpeechLM, caplog: pytest.LogCaptureFixture) -> None:
    """With attention by kernels all the same."""
    model.new_record = None
    model.network.gated = lambda gate_up: silu_mul(gate_up) * 1.01
    first, second = warm_up(ModelRunner(model))
    assert first.passed and not second.passed and len(caplog.messages) == 1
    assert model.network.gated is silu_mul and model.network.kernels is TritonAttention


def test_a_sampler_that_draws_otherwise_is_found(model: SpeechLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or whose random numbers are not the CPU's, by as little as one bit."""
    model.race = race_by_kernel
    model.kernels = GpuKernels(TritonAttention, silu_mul_by_kernel, race_by_kernel, exponentials_by_kernel)
    found = check_sampler(model)
    assert found.passed and "100% of the tokens and all random numbers are the same" in found.detail

    def off_by_a_bit(numbers: torch.Tensor) -> torch.Tensor:
        numbers[3, 1234] = torch.nextafter(numbers[3, 1234], torch.tensor(9.0))
        return numbers

    by_kernel = model.kernels.exponentials
    model.race = race  # the interpreter takes milliseconds a row
    model.kernels = replace(model.kernels, exponentials=lambda *given: off_by_a_bit(by_kernel(*given)))
    found = check_sampler(model)
    assert not found.passed and "100% of the tokens and not all random numbers" in found.detail
    model.kernels = None
    with monkeypatch.context() as patch:  # as on a device that rounds otherwise: asked first, then the CPU
        answers = iter([off_by_a_bit, lambda numbers: numbers])
        patch.setattr(checking, "exponentials", lambda *given: next(answers)(exponentials(*given)))
        assert not check_sampler(model).passed
    model.race = lambda weights, keys, sampling: weights.argmax(-1)
    assert not check_sampler(model).passed


def test_steps_of_many_rows_that_cannot_be_taken_are_left_out_with_the_kernels(
    model: SpeechLM, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Their kernels are variants of those that were compared."""
    runner = ModelRunner(model)
    runner.column_multiple = COLUMNS
    monkeypatch.setattr(runner, "repeat", raising(NotImplementedError("no such instruction\nmore")))
    checks = warm_up(runner)
    assert [check.passed for check in checks] == [True, True, True, False]
    assert model.network.kernels is None and model.network.gated is silu_mul and model.race is race
    assert runner.cache.graphs is None and runner.cache.bytes == 0
    assert len(caplog.messages) == 1 and "\n" not in caplog.messages[0]
    assert caplog.messages[0].startswith("steps of 4 rows: ")
    assert generate(runner) == expected()


@pytest.mark.parametrize(
    ("limit", "rows"),
    [
        (0, 0),
        (63, 48),
        (64, 64),
        (255, 64),
        # a quarter of it is for more rows
        (4 * 96, 96),
        (4 * 255, 128),
        (4 * 256, 256),
        (math.inf, 256),
    ],
)
def test_more_rows_are_recorded_where_they_take_a_quarter_of_the_memory(limit: float, rows: int) -> None:
    sizes = sizes_to_record(10 * limit, 10)
    assert max(sizes, default=0) == rows and len(sizes) <= MAX_GRAPHS
    assert all(size in sizes for size in BATCH_SIZES if size <= rows)


def test_the_attention_of_more_rows_is_compared_too(model: SpeechLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 16 rows on it is another variant of the kernel."""
    tiles: list[int] = []

    def watched(kernel: Any, grid: tuple[int, ...], *given: Any, **constants: Any) -> None:
        tiles.append(constants.get("ROWS", 0))
        if constants.get("ROWS") != 16:
            launch(kernel, grid, *given, **constants)

    monkeypatch.setattr(cuda_attention, "launch", watched)
    assert not checking.check_attention(model.network).passed
    assert set(tiles) == {0, 8, 16}


@pytest.mark.parametrize("broken", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_what_is_not_a_number_anywhere_agrees_with_nothing(
    model: SpeechLM, monkeypatch: pytest.MonkeyPatch, broken: tuple[int, int]
) -> None:
    """In results or in keys and values, of few rows or of more."""
    calls: list[int] = []

    def attention(tiles: Any, block: torch.Tensor, *given: Any) -> Any:
        plain = TorchAttention(*scene[len(calls)], block, *given[:2], checking.ROOM, False)
        calls.append(1)

        def run(layer: int, states: torch.Tensor) -> torch.Tensor:
            mixed = plain(layer, states)
            if broken[0] == len(calls) - 1:
                (block if broken[1] else mixed).view(-1)[5] = torch.nan
            return mixed

        return run

    scene: list[Any] = []
    inner = model.network.tiles
    monkeypatch.setattr(
        model.network, "tiles", lambda groups, rows: (scene.append([groups]), inner(groups, rows))[1]
    )
    monkeypatch.setattr(model.network, "kernels", attention)
    assert not checking.check_attention(model.network).passed
    broken = (2, 0)
    calls.clear()
    scene.clear()
    assert checking.check_attention(model.network).passed


def test_a_recording_that_fails_by_itself_is_no_lost_device(
    model: SpeechLM, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failure = torch.AcceleratorError("CUDA error: operation not permitted when stream is capturing\nSearch")
    model.new_record = lambda: raising(failure)
    model.network.gated = silu_mul
    runner = ModelRunner(model)
    first, second = warm_up(runner)
    assert first.passed and not second.passed and "not permitted" in second.detail
    assert runner.cache.graphs is None and len(caplog.messages) == 1
    model.new_record = lambda: raising(torch.AcceleratorError("CUDA error: unspecified launch failure"))
    model.network.kernels = None
    with pytest.raises(UserError, match=r"recorded steps made .* fail .*set LLASA_SEARCH_GRAPHS=0"):
        warm_up(ModelRunner(model))


def test_a_device_that_does_not_survive_the_check_is_told_with_its_cure(
    model: SpeechLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nCompile with")
    monkeypatch.setattr(cuda_attention, "launch", raising(failure))
    with pytest.raises(UserError, match=r"illegal memory access .*set LLASA_SEARCH_KERNELS=0") as told:
        warm_up(ModelRunner(model))
    assert "\n" not in str(told.value)


def test_on_a_cpu_there_is_nothing_to_compare() -> None:
    runner = ModelRunner(SpeechLM(build_llama(len(TOKENIZER)), TOKENIZER))
    assert warm_up(runner) == [] and runner.cache.bytes == 0


@pytest.fixture(autouse=True)
def warnings_only(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.WARNING):
        yield
