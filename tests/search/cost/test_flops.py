"""Operations as counted once a part, and of the generator by its shape."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from search.cost.flops import Meter


def work(x: torch.Tensor) -> torch.Tensor:
    weight, kernel = torch.ones(24, 16), torch.ones(24, 6, 5)
    hidden = F.linear(x, weight)  # [4, 10, 24]
    filtered = F.conv1d(hidden.transpose(1, 2), kernel, groups=4, padding=2)
    return filtered.view(4, 2, 12, 10) @ torch.ones(10, 7)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_products_are_counted_as_torch_counts_them(mode) -> None:  # type: ignore[no-untyped-def]
    x = torch.randn(4, 10, 16)
    with torch.no_grad(), FlopCounterMode(display=False) as reference:
        expected = work(x)
    with mode():
        found, flops = Meter().of("part", 2.0, lambda: work(x))
    torch.testing.assert_close(found, expected)
    assert flops == reference.get_total_flops() > 0


def test_attention_is_two_products() -> None:
    query, key = torch.randn(4, 2, 12, 10), torch.randn(4, 2, 30, 10)
    flops = Meter().of("part", 1.0, lambda: F.scaled_dot_product_attention(query, key, key))[1]
    assert flops == 4 * 2 * (2 * 12 * 30 * 10) * 2


def test_later_calls_are_taken_to_cost_as_much_a_second() -> None:
    meter = Meter()
    calls = []
    first = meter.of("part", 2.0, lambda: calls.append(1) or torch.ones(3, 4) @ torch.ones(4, 5))[1]
    assert first == 2 * 3 * 4 * 5
    assert meter.of("part", 3.0, lambda: calls.append(1))[1] == 1.5 * first
    assert meter.of("part", 0.0, lambda: calls.append(1))[1] == 0.0
    assert meter.of("other", 0.0, lambda: calls.append(1))[1] == 0.0
    assert len(calls) == 4
