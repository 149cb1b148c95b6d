"""Operations as torch counts them, of each call by itself."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from llasa_core.audio import read_audio
from llasa_core.request import Request
from llasa_core.voices import find_voice
from search.cost.flops import Meter, _Calls, _Operations
from search.engine import Searcher
from verifiers.instances import unload


def products(x: torch.Tensor) -> torch.Tensor:
    weight, kernel = torch.ones(24, 16), torch.ones(24, 6, 5)
    hidden = F.linear(x, weight)  # [4, 10, 24]
    filtered = F.conv1d(hidden.transpose(1, 2), kernel, groups=4, padding=2)
    return filtered.view(-1, 2, 12, 10) @ torch.ones(10, 7)


ATTENTION = torch.nn.MultiheadAttention(16, 2, batch_first=True)
STRIDED = torch.nn.Conv1d(10, 30, 3, stride=4, groups=5)
SCRIPT = torch.jit.script(torch.nn.Linear(16, 3))
WORKS: dict[str, Callable[[torch.Tensor], object]] = {
    "products": products,
    "attention of a module": lambda x: ATTENTION(x, x, x)[0],
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x),
    "einsum": lambda x: torch.einsum("bti,bsi->bts", x, x),
    "transposed": lambda x: F.conv_transpose1d(x, torch.ones(10, 3, 4)),
    "by name": lambda x: F.linear(input=x, weight=torch.ones(5, 16)),
    "TorchScript": SCRIPT,
    "convolution of a module": lambda x: STRIDED(x),
    "none": lambda x: x.exp().sum(),
}


@pytest.mark.parametrize("name", WORKS)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_every_call_is_counted_as_torch_counts_it(name: str, mode: type[torch.no_grad]) -> None:
    """The first call of a part, and those of other lengths that follow it."""
    meter, work = Meter(), WORKS[name]
    for rows in (4, 1, 4, 7):
        x = torch.randn(rows, 10, 16)
        with torch.no_grad(), FlopCounterMode(display=False) as reference:
            expected = work(x)
        with mode():
            found, flops = meter.count("part", lambda x=x: work(x))  # type: ignore[misc]
        torch.testing.assert_close(found, expected)
        assert flops == reference.get_total_flops()
    assert bool(flops) == (name != "none")


def test_a_request_costs_the_same_first_and_after_others() -> None:
    """Codec, verifiers and judge, whatever lengths and voices they were asked about before."""
    unload()
    searcher = Searcher.from_preset("nano", verifiers=["whisper:nano"], judges=["hubert-ctc", "wavlm-sv"])
    text = "The morning train is late again."

    def flops(text: str, voice: str, n: int) -> dict[str, float]:
        prompt = find_voice(voice)
        request = Request(text, prompt_audio=read_audio(prompt.path), prompt_text=prompt.text)
        return searcher.run(request, f"best-of-n?n={n}").ledger.flops

    first = flops(text, "kal", 2)
    flops("Huh!", "slt", 1)
    assert flops(text, "kal", 2) == first
    judges = "judge hubert-ctc:nano", "judge wavlm-sv:nano"
    assert set(first) == {"generator", "codec", "verifier wer", *judges}
    assert all(first.values())


@pytest.mark.parametrize("groups", [1, 2])
def test_both_counters_count_a_convolution_with_a_stride(groups: int) -> None:
    layer, x = torch.nn.Conv1d(8, 32, 5, stride=5, groups=groups), torch.randn(1, 8, 100)
    counters = (_Operations(), _Calls())
    for counter in counters:
        with torch.inference_mode(), counter:
            out = layer(x)
    assert {counter.total for counter in counters} == {2.0 * out.numel() * 5 * 8 / groups}
