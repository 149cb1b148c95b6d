import numpy as np
import pytest
import torch

from llasa_core.errors import UserError
from llasa_core.lm.sampler import NOT_A_NUMBER, choose, probabilities
from llasa_core.sampling import Sampling

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
        {"repetition_penalty": 0},
        {"repetition_penalty": float("inf")},
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
    for sampling in (
        Sampling(0.8, 0.9),
        Sampling(1.2, 1.0, top_k=7),
        Sampling(0.9, 0.95, 40, 0.05),
        Sampling(2.0, 0.6, 20),
    ):
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


def test_top_p_keeps_what_equals_the_last_one_kept():
    logits = torch.log(torch.tensor([[0.1, 0.4, 0.1, 0.2, 0.1, 0.1]]))
    weights = probabilities(logits, Sampling(1.0, top_p=0.65))
    assert np.flatnonzero(weights[0].numpy()).tolist() == [0, 1, 2, 3, 4, 5]
    weights = probabilities(logits, Sampling(1.0, top_p=0.55))
    assert np.flatnonzero(weights[0].numpy()).tolist() == [1, 3]


@pytest.mark.parametrize("spread", [0.01, 1.0, 4.0])
def test_top_p_is_the_same_however_many_tokens_it_has_to_look_at(spread):
    logits = spread * torch.randn(3, 2000, generator=torch.Generator().manual_seed(0))
    weights = probabilities(logits, Sampling(1.0, top_p=0.9))
    for row, kept in zip(torch.softmax(logits.double(), -1), weights, strict=True):
        ordered = row.sort(descending=True).values
        count = int((ordered.cumsum(0) - ordered < 0.9).sum())
        assert int((kept > 0).sum()) == count and float(row[kept > 0].min()) == float(ordered[count - 1])


def test_greedy_is_the_argmax_and_ties_go_low():
    logits = torch.tensor([[0.0, 3.0, 3.0], [5.0, 1.0, 1.0]])
    assert choose(logits, torch.tensor([0.99, 0.99]), Sampling(temperature=0)).tolist() == [1, 0]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_not_numbers(value, temperature):
    logits = torch.zeros(2, 4)
    logits[1, 2] = value
    assert choose(logits, torch.zeros(2), Sampling(temperature)).tolist() == [0, NOT_A_NUMBER]


def test_the_repetition_penalty_is_that_of_transformers():
    from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

    logits = torch.randn(64, 50, generator=torch.Generator().manual_seed(0)) * 3
    codes = torch.randint(0, 50, (64, 9), generator=torch.Generator().manual_seed(1))
    expected = RepetitionPenaltyLogitsProcessor(1.3)(codes, logits.clone())
    seen = torch.zeros(64, 50, dtype=torch.bool).scatter_(1, codes, True)
    u = torch.linspace(0, 0.999, 64, dtype=torch.float64)
    penalised = choose(logits, u, Sampling(1.0, 1.0, repetition_penalty=1.3), seen)
    assert penalised.tolist() == choose(expected, u, PLAIN).tolist()
    assert penalised.tolist() != choose(logits, u, PLAIN).tolist()
