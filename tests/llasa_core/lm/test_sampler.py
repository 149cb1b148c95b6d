"""The exponential race: its numbers, its distribution, and how it bears rounding."""

import numba
import numpy as np
import pytest
import torch
from scipy import stats

from llasa_core.errors import UserError
from llasa_core.lm import sampler
from llasa_core.lm.cpu import sampler as compiled
from llasa_core.lm.cpu.sampler import race as race_on_cpu
from llasa_core.lm.cuda.race import exponentials as exponentials_by_kernel
from llasa_core.lm.cuda.race import race as race_by_kernel
from llasa_core.lm.lineage import position_keys
from llasa_core.lm.noise import exponentials
from llasa_core.lm.sampler import NOT_A_NUMBER, kept, race
from llasa_core.lm.speech_lm import race_of
from llasa_core.sampling import Sampling

FORMS = [pytest.param(race, id="torch"), pytest.param(race_on_cpu, id="compiled")]
KERNEL = pytest.param(race_by_kernel, id="kernel")  # the interpreter takes some 20 ms a row
PLAIN = Sampling(temperature=1.0, top_p=1.0)
SETTINGS = (
    PLAIN,
    Sampling(0.8, 0.9),
    Sampling(1.2, 1.0, top_k=7),
    Sampling(0.9, 0.95, top_k=50),
    Sampling(0.9, 0.95, 40, 0.05),
    Sampling(2.0, 0.6, 20),
    Sampling(1.0, 1.0, min_p=0.1),
)


def choose(logits, keys, sampling, seen=None, form=race_on_cpu):
    return sampler.choose(logits, keys, sampling, form, seen)


def keys_of(count: int, seed: int = 0) -> torch.Tensor:
    """int64 [count], as a sequence has them at its positions."""
    return torch.from_numpy(position_keys(np.array([seed], np.uint64), 0, count)[0].view(np.int64))


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


def test_numbers_are_the_same_bits_in_torch_and_compiled():
    @numba.njit
    def numbers(keys, tokens):
        found = np.empty((len(keys), tokens), np.float32)
        for row in range(len(keys)):
            for token in range(tokens):
                found[row, token] = compiled._exponential(keys[row], token)
        return found

    keys = keys_of(200)
    ours = exponentials(keys, torch.arange(5000)).numpy()
    assert np.array_equal(ours.view(np.int32), numbers(keys.numpy().view(np.uint64), 5000).view(np.int32))


def test_numbers_are_the_same_bits_in_a_kernel():
    keys, count = keys_of(20), 4001
    found, expected = exponentials_by_kernel(keys, count), exponentials(keys, torch.arange(count))
    assert torch.equal(found.view(torch.int32), expected.view(torch.int32))


def test_numbers_are_exponentially_distributed():
    """A million of them by Kolmogorov and Smirnov, the smallest ones (which win) by themselves; no two rows
    or tokens alike."""
    numbers = exponentials(keys_of(1000, seed=7), torch.arange(1000)).numpy()
    assert stats.kstest(numbers.ravel(), "expon").pvalue > 1e-3
    rare = numbers[numbers < 1e-3] * 1e3
    assert stats.kstest(rare, lambda x: -np.expm1(-x * 1e-3) / -np.expm1(-1e-3)).pvalue > 1e-3
    assert numbers.min() > 0 and len(np.unique(numbers)) > 0.95 * numbers.size
    for axis in (0, 1):
        together = np.corrcoef(numbers[:50] if axis else numbers[:, :50].T)
        assert np.abs(together[~np.eye(50, dtype=bool)]).max() < 0.16  # 5 deviations of 1,000 pairs


def test_numbers_are_those_of_their_formula():
    keys = keys_of(64)
    bits = np.empty((64, 500), np.uint64)
    for token in range(500):
        bits[:, token] = position_keys(keys.numpy().view(np.uint64), token, 1)[:, 0]
    low = (bits & np.uint64(2**24 - 1)) | np.uint64(1)
    halvings = 23 - np.floor(np.log2(low.astype(np.float64)))
    fraction = ((bits >> np.uint64(24)) | np.uint64(1)).astype(np.float64) * 2.0**-40
    expected = halvings * np.log(2) - np.log1p(-fraction / 2)
    np.testing.assert_allclose(exponentials(keys, torch.arange(500)), expected, rtol=4e-7)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sampling", SETTINGS, ids=str)
def test_follows_the_exact_distribution(form, sampling):
    """Chi-square of 40,000 draws from 120 tokens, in float64 by the warpers of transformers."""
    logits = 2 * torch.randn(120, generator=torch.Generator().manual_seed(3))
    expected = by_transformers(logits[None], sampling)[0].double().softmax(-1).numpy()
    draws = 40_000
    weights = torch.softmax(logits / sampling.temperature, -1).expand(draws, -1).contiguous()
    picked = np.bincount(form(weights, keys_of(draws), sampling).numpy(), minlength=120)
    assert not picked[expected == 0].any()
    likely = expected * draws >= 5
    observed = np.append(picked[likely], picked[~likely].sum())
    wanted = np.append(expected[likely], expected[~likely].sum()) * draws
    observed, wanted = observed[wanted > 0], wanted[wanted > 0]
    assert stats.chisquare(observed, wanted * observed.sum() / wanted.sum()).pvalue > 1e-3


@pytest.mark.parametrize("sampling", SETTINGS, ids=str)
@pytest.mark.parametrize("spread", [0.5, 3.0])
def test_all_forms_sample_the_same_tokens(sampling, spread):
    logits = spread * torch.randn(400, 3000, generator=torch.Generator().manual_seed(1))
    weights = torch.softmax(logits / sampling.temperature, -1)
    picked = race(weights, keys_of(400), sampling)
    assert torch.equal(race_on_cpu(weights, keys_of(400), sampling), picked)
    assert torch.equal(race_by_kernel(weights[:12], keys_of(400)[:12], sampling), picked[:12])


def test_it_is_compiled_once_when_a_model_is_loaded():
    """Whatever numbers the settings are made of."""
    assert race_of(torch.device("cpu")) is race_on_cpu
    signatures = list(compiled._race.signatures)
    assert len(signatures) == 1
    for sampling in (Sampling(1, 1), Sampling(0.9, 0.95, 50), Sampling(1, 0.5, min_p=0)):
        race_on_cpu(torch.full((3, 200), 1 / 200), keys_of(3), sampling)
    assert compiled._race.signatures == signatures


def test_a_row_does_not_depend_on_its_batch():
    weights = torch.softmax(torch.randn(50, 800, generator=torch.Generator().manual_seed(1)), -1)
    keys, sampling = keys_of(50), Sampling(1.0, 0.9)
    whole = race_on_cpu(weights, keys, sampling)
    for rows in ([0], [7, 3], list(range(49, -1, -1))):
        assert torch.equal(race_on_cpu(weights[rows].contiguous(), keys[rows], sampling), whole[rows])


@pytest.mark.parametrize("sampling", [Sampling(0.9, 0.95, top_k=50), Sampling(0.9, 0.95), PLAIN], ids=str)
def test_rounding_of_logits_changes_few_tokens(sampling):
    """Logits that differ by what bfloat16 rounds, 0.016: by the inverse of the cumulative distribution 6 to
    33 % of the tokens were others."""
    random = torch.Generator().manual_seed(0)
    logits = 2.5 * torch.randn(2000, 5000, generator=random)
    noisy = logits + 0.016 * torch.randn(logits.shape, generator=random)
    first, second = (choose(some, keys_of(2000), sampling) for some in (logits, noisy))
    assert 0 < float((first != second).float().mean()) < 0.02


def test_masked_tokens_are_never_chosen():
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]] * 400)
    assert set(choose(logits, keys_of(400), PLAIN).tolist()) == {1, 3}


def by_transformers(logits, sampling):
    from transformers.generation.logits_process import (
        MinPLogitsWarper,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    warpers = [TemperatureLogitsWarper(sampling.temperature)]
    warpers += [TopKLogitsWarper(sampling.top_k)] if sampling.top_k else []
    warpers += [TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []
    warpers += [MinPLogitsWarper(sampling.min_p)] if sampling.min_p else []
    for warper in warpers:
        logits = warper(None, logits)
    return logits


def test_filters_equal_those_of_transformers():
    logits = torch.randn(8, 300, generator=torch.Generator().manual_seed(0)) * 3
    for sampling in SETTINGS:
        ours = kept(torch.softmax(logits / sampling.temperature, -1), sampling)
        ours = ours / ours.sum(-1, keepdim=True)
        expected = torch.softmax(by_transformers(logits, sampling), -1)
        torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_what_equals_the_last_token_that_is_kept_is_kept(form):
    weights = torch.tensor([[0.1, 0.4, 0.1, 0.2, 0.1, 0.1]] * 500)
    for sampling, expected in (
        (Sampling(1.0, top_p=0.65), {0, 1, 2, 3, 4, 5}),
        (Sampling(1.0, top_p=0.55), {1, 3}),
        (Sampling(1.0, 1.0, top_k=3), {0, 1, 2, 3, 4, 5}),
        (Sampling(1.0, 1.0, top_k=2), {1, 3}),
        (Sampling(1.0, 0.65, top_k=2), {1}),  # top-p is of what top-k leaves
    ):
        assert set(form(weights, keys_of(500), sampling).tolist()) == expected


def test_many_tokens_as_likely_as_the_last_of_the_top_k_are_kept():
    """In bfloat16 many logits are equal."""
    logits = torch.cat([torch.full((30,), 2.0), torch.full((60,), 1.0), torch.zeros(3000)])
    weights = torch.softmax(logits, -1).expand(3000, -1)
    picked = race(weights, keys_of(3000), Sampling(1.0, 1.0, top_k=50))
    assert set(picked.tolist()) == set(range(90))


@pytest.mark.parametrize("spread", [0.01, 1.0, 4.0])
def test_top_p_is_the_same_however_many_tokens_it_has_to_look_at(spread):
    logits = spread * torch.randn(3, 2000, generator=torch.Generator().manual_seed(0))
    weights = kept(torch.softmax(logits, -1), Sampling(1.0, top_p=0.9))
    for row, left in zip(torch.softmax(logits.double(), -1), weights, strict=True):
        ordered = row.sort(descending=True).values
        count = int((ordered.cumsum(0) - ordered < 0.9).sum())
        assert int((left > 0).sum()) == count
        assert float(row[left > 0].min()) == float(ordered[count - 1])


def test_greedy_is_the_argmax_and_ties_go_low():
    logits = torch.tensor([[0.0, 3.0, 3.0], [5.0, 1.0, 1.0]])
    assert choose(logits, keys_of(2), Sampling(temperature=0)).tolist() == [1, 0]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("sampling", [Sampling(0), PLAIN, Sampling(1.0, 0.9, 1)], ids=str)
@pytest.mark.parametrize("form", [*FORMS, KERNEL])
def test_logits_that_are_not_numbers(value, sampling, form):
    logits = torch.full((2, 200), -torch.inf)
    logits[:, 0] = 0
    logits[1, 2] = value
    assert choose(logits, keys_of(2), sampling, form=form).tolist() == [0, NOT_A_NUMBER]


def test_the_repetition_penalty_is_that_of_transformers():
    from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

    logits = torch.randn(64, 50, generator=torch.Generator().manual_seed(0)) * 3
    codes = torch.randint(0, 50, (64, 9), generator=torch.Generator().manual_seed(1))
    expected = RepetitionPenaltyLogitsProcessor(1.3)(codes, logits.clone())
    seen = torch.zeros(64, 50, dtype=torch.bool).scatter_(1, codes, True)
    penalised = choose(logits, keys_of(64), Sampling(1.0, 1.0, repetition_penalty=1.3), seen)
    assert penalised.tolist() == choose(expected, keys_of(64), PLAIN).tolist()
    assert penalised.tolist() != choose(logits, keys_of(64), PLAIN).tolist()
