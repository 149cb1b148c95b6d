import numpy as np
import pytest
import torch

from llasa_core.errors import UserError
from llasa_core.sampling import Sampling, choose, probabilities

PLAIN = Sampling(temperature=1.0, top_p=1.0)


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": -1},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"top_p": 1.1},
        {"top_k": -1},
        {"min_p": 2},
    ],
)
def test_values_out_of_range(settings):
    with pytest.raises(UserError):
        Sampling(**settings)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_follows_the_distribution(temperature):
    logits = torch.tensor([[0.0, 1.0, -1.0, 2.0, 0.5]])
    n = 20_000
    u = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    picked = choose(logits.expand(n, -1), u, Sampling(temperature, top_p=1.0))
    shares = torch.bincount(picked, minlength=5) / n
    torch.testing.assert_close(shares, torch.softmax(logits[0] / temperature, -1), atol=2e-4, rtol=0)


def test_inverse_cdf_goes_by_token_id():
    logits = torch.log(torch.tensor([[0.2, 0.3, 0.5]] * 6))
    u = torch.tensor([0.0, 0.19, 0.21, 0.49, 0.51, 1 - 2**-53], dtype=torch.float64)
    assert choose(logits, u, PLAIN).tolist() == [0, 0, 1, 1, 2, 2]


def test_masked_tokens_are_never_chosen():
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]] * 4)
    u = torch.tensor([0.0, 0.499, 0.5, 1 - 2**-53], dtype=torch.float64)
    assert choose(logits, u, PLAIN).tolist() == [1, 1, 3, 3]


def test_filters_equal_those_of_transformers():
    from transformers.generation.logits_process import (
        MinPLogitsWarper,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    logits = torch.randn(8, 300, generator=torch.Generator().manual_seed(0)) * 3
    for sampling in (Sampling(0.8, 0.9), Sampling(1.2, 1.0, top_k=7), Sampling(0.9, 0.95, 40, 0.05)):
        warpers = [TemperatureLogitsWarper(sampling.temperature)]
        warpers += [TopKLogitsWarper(sampling.top_k)] if sampling.top_k else []
        warpers += [TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []
        warpers += [MinPLogitsWarper(sampling.min_p)] if sampling.min_p else []
        expected = logits
        for warper in warpers:
            expected = warper(None, expected)
        ours = probabilities(logits, sampling)
        ours = ours / ours.sum(-1, keepdim=True)
        torch.testing.assert_close(ours.float(), torch.softmax(expected, -1), atol=1e-6, rtol=1e-5)


def test_equal_tokens_and_top_p_keep_the_lower_ids():
    weights = probabilities(torch.zeros(1, 10), Sampling(1.0, top_p=0.3))
    assert np.flatnonzero(weights[0].numpy()).tolist() == [0, 1, 2]


def test_greedy_is_the_argmax_and_ties_go_low():
    logits = torch.tensor([[0.0, 3.0, 3.0], [5.0, 1.0, 1.0]])
    assert choose(logits, torch.tensor([0.99, 0.99]), Sampling(temperature=0)).tolist() == [1, 0]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_not_numbers(value, temperature):
    logits = torch.zeros(2, 4)
    logits[1, 2] = value
    with pytest.raises(UserError, match="not numbers"):
        choose(logits, torch.zeros(2), Sampling(temperature))
