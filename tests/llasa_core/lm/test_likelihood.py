"""Teacher forcing against transformers, and against itself in other batches."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

from llasa_core.lm import likelihood
from llasa_core.lm.likelihood import TeacherForcing
from llasa_core.lm.runner import ModelRunner
from llasa_core.lm.sequence import Prompt
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.prompt import build_prompt
from llasa_core.sampling import Sampling
from tests.llasa_core.lm.candidates import candidates, tokens
from tests.llasa_core.lm.test_against_transformers import shaped
from tests.tiny import build_tokenizer

pytestmark = pytest.mark.models


@pytest.fixture(scope="module", params=["tied", "grouped queries"])
def model(request: pytest.FixtureRequest) -> LlamaForCausalLM:
    tokenizer = build_tokenizer()
    return shaped(
        len(tokenizer), tied=request.param == "tied", kv_heads=2 if request.param != "tied" else 4, rope=True
    )


@pytest.fixture(params=["compiled", "torch"])
def generator(request: pytest.FixtureRequest, model: LlamaForCausalLM) -> Iterator[SpeechLM]:
    """With the attention of a CPU, and with that of every other device."""
    found = SpeechLM(model, build_tokenizer(), sampling=Sampling(0.7, top_p=0.9))
    if request.param == "torch":
        found.network.compiled = None
    yield found


def prompt_of(generator: SpeechLM) -> list[int]:
    return build_prompt(generator.tokenizer, "so late", "the voice", [3, 1, 4])


def rows(seed: int, *lengths: int) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [random.integers(0, 1024, length).tolist() for length in lengths]


def by_transformers(model: LlamaForCausalLM, generator: SpeechLM, codes: list[int]) -> torch.Tensor:
    prompt = prompt_of(generator)
    ids = torch.tensor([[*prompt, *generator.vocabulary.ids(codes)]])
    with torch.inference_mode():
        logits = model(ids).logits[0, len(prompt) - 1 : -1, generator.token_ids]
    return torch.log_softmax(logits.float(), -1)[torch.arange(len(codes)), torch.tensor(codes)]


def test_log_likelihoods_are_those_of_transformers(model: LlamaForCausalLM, generator: SpeechLM) -> None:
    some = rows(1, 7, 30, 1, 30)
    found = TeacherForcing(generator, prompt_of(generator)).logps(some)
    for codes, logps in zip(some, found, strict=True):
        assert logps == pytest.approx(by_transformers(model, generator, codes).numpy(), abs=2e-4)


def test_a_row_is_as_likely_in_any_batch(generator: SpeechLM, monkeypatch: pytest.MonkeyPatch) -> None:
    some = rows(2, 12, 5, 40, 40, 3)
    together = TeacherForcing(generator, prompt_of(generator)).logps(some)
    alone = [TeacherForcing(generator, prompt_of(generator)).logps([codes])[0] for codes in some]
    monkeypatch.setattr(likelihood, "MOST_TOKENS", 80)
    monkeypatch.setattr(likelihood, "LOGIT_ROWS", 7)
    in_parts = TeacherForcing(generator, prompt_of(generator)).logps(some)
    exact = generator.network.compiled is not None
    for one, other, third in zip(together, alone, in_parts, strict=True):
        assert one == (pytest.approx(other, abs=1e-4) if not exact else pytest.approx(other, abs=0))
        assert one == pytest.approx(third, abs=1e-4 if not exact else 0)


def test_rows_that_grow_are_computed_from_where_they_were(generator: SpeechLM) -> None:
    """Forked rows too: the second and the third of the last call share what was first the first row."""
    prompt = prompt_of(generator)
    first, second, third = rows(3, 60, 60, 60)
    third = first[:25] + third[25:]
    scorer = TeacherForcing(generator, prompt)
    scorer.logps([first[:25], second[:25]], keep=True)
    scorer.spans.clear()
    grown = scorer.logps([second[:50], first[:50], third[:50]], keep=True)
    assert scorer.spans == [(len(prompt) - 1 + 25, len(prompt) - 1 + 50)] * 3
    whole = TeacherForcing(generator, prompt).logps([second[:50], first[:50], third[:50]])
    for one, other in zip(grown, whole, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    scorer.spans.clear()
    again = scorer.logps([third[:50]])
    assert again[0].tolist() == grown[2].tolist() and not scorer.spans


def test_what_is_not_kept_is_computed_again(generator: SpeechLM, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = prompt_of(generator)
    scorer = TeacherForcing(generator, prompt)
    some = rows(4, 20, 20)
    scorer.logps(some)
    assert scorer.spans == [(0, len(prompt) - 1), *[(len(prompt) - 1, len(prompt) + 19)] * 2]
    monkeypatch.setattr(likelihood, "MOST_BYTES", 1)  # one row at a time, and none is kept
    scorer.logps(some, keep=True)
    scorer.spans.clear()
    scorer.logps(some)
    assert len(scorer.spans) == 2


def test_no_rows_and_empty_rows(generator: SpeechLM) -> None:
    scorer = TeacherForcing(generator, prompt_of(generator))
    assert scorer.logps([]) == []
    assert [len(found) for found in scorer.logps([[], [5]])] == [0, 1]
    with pytest.raises(ValueError, match="codes"):
        scorer.logps([[1024]])


def test_the_prefix_of_a_search_serves_and_its_samples_are_likely(generator: SpeechLM) -> None:
    prompt = prompt_of(generator)
    runner = ModelRunner(generator, Sampling(0.5))
    sequences = candidates(runner, Prompt(prompt), 3)
    runner.extend(sequences, 20)
    sampled = [codes for codes in tokens(sequences) if codes]
    scorer = TeacherForcing(generator, prompt, sequences[0].prefix)
    found = scorer.logps(sampled)
    assert scorer.spans[0][0] == len(prompt) - 1  # the prompt was not run again
    random = scorer.logps(rows(5, *map(len, sampled)))
    assert all(mine.mean() > other.mean() + 1 for mine, other in zip(found, random, strict=True))
