import numpy as np
import pytest
import torch

from llasa_core.errors import UserError
from llasa_core.lm.network import Group
from llasa_core.lm.sampling import Sampling
from llasa_core.lm.speech_lm import Prompt, SpeechLM
from llasa_core.prompt import build_prompt
from tests.tiny import build_llama, build_tokenizer

GREEDY = Sampling(temperature=0)
FREE = Sampling(1.0, top_p=1.0)


@pytest.fixture(scope="module")
def prompts(tokenizer):
    texts = ["Hello there.", "A much longer sentence, to be padded for.", "Yes."]
    voices = [[], [3, 5, 7], list(range(40))]
    return [
        Prompt(build_prompt(tokenizer, text, "voice" if voice else "", voice), f"request-{i}", seed=i)
        for i, (text, voice) in enumerate(zip(texts, voices, strict=True))
    ]


def with_end_bias(tokenizer, bias: float, **llama) -> SpeechLM:
    """A random model whose end token is made likelier: the end row of an untied head moves along the mean state."""
    model = build_llama(len(tokenizer), tied=False, **llama)
    generator = SpeechLM(model, tokenizer)
    generator.network.bias = torch.zeros(generator.n_codes + 1)
    generator.network.bias[-1] = bias
    return generator


def next_logits(generator: SpeechLM, ids: list[int]) -> torch.Tensor:
    """Logits [1, n_codes + 1] of what follows `ids`, from nothing."""
    network = generator.network
    with torch.inference_mode():
        group, places = Group(0, 1, network.prefix(ids[:-1])), torch.tensor([[len(ids) - 1], [0]])
        return network.step([group], network.allocate(1, 1), torch.tensor(ids[-1:]), places, 1)


@pytest.mark.parametrize("tied", [True, False])
def test_speech_head_equals_the_masked_full_head(tokenizer, tied):
    model = build_llama(len(tokenizer), tied=tied)
    generator = SpeechLM(model, tokenizer)
    ids = torch.tensor([build_prompt(tokenizer, "hello", "voice", [1, 2, 3])])
    with torch.no_grad():
        full = model(ids).logits[:, -1]
        cut = next_logits(generator, ids[0].tolist())
    first, n = generator.vocabulary.first_id, generator.n_codes
    assert generator.token_ids.tolist() == [*range(first, first + n), generator.vocabulary.end_id]
    torch.testing.assert_close(cut, full[:, generator.token_ids], atol=1e-5, rtol=1e-5)
    mask = torch.full_like(full, -torch.inf).index_fill(1, generator.token_ids, 0.0)
    expected = torch.softmax(full + mask, -1)
    torch.testing.assert_close(torch.softmax(cut, -1), expected[:, generator.token_ids])
    assert expected.sum() == pytest.approx(1) and (expected > 0).sum() <= n + 1


@pytest.mark.parametrize("tied", [True, False])
def test_greedy_equals_transformers_generate(tokenizer, prompts, tied):
    model = build_llama(len(tokenizer), tied=tied, seed=3)
    generator = SpeechLM(model, tokenizer, sampling=GREEDY)
    allowed = set(generator.token_ids.tolist())
    end, others = generator.vocabulary.end_id, [i for i in range(len(tokenizer)) if i not in allowed]
    batch = generator.prefill(prompts)
    batch.extend(40)
    for prompt, codes in zip(prompts, batch.tokens, strict=True):
        ids = torch.tensor([prompt.ids])
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=40,
            min_new_tokens=1,
            eos_token_id=end,
            pad_token_id=end,
            suppress_tokens=others,
        )[0, ids.shape[1] :].tolist()
        assert [generator.vocabulary.first_id + code for code in codes] == [i for i in output if i != end]


def test_only_codes_are_sampled_and_the_end_not_first(tokenizer, prompts):
    generator = with_end_bias(tokenizer, 60.0)
    batch = generator.prefill(prompts, FREE).fork([0] * 10 + [1] * 10 + [2] * 10)
    batch.extend(5)
    assert all(batch.ended) and all(batch.finished)
    assert all(len(row) == 1 and 0 <= row[0] < generator.n_codes for row in batch.tokens)
    assert batch.tokens_generated == 2 * 30


def test_first_candidates_are_the_same_for_any_n(generator, prompts):
    four = generator.prefill(prompts[:1], FREE).fork([0] * 4)
    eight = generator.prefill(prompts[:1], FREE).fork([0] * 8)
    four.extend(60)
    for _ in range(4):
        eight.extend(15)
    assert eight.tokens[:4] == four.tokens
    assert len({tuple(row) for row in eight.tokens}) == 8


def test_forked_pruned_and_joined_rows_equal_rows_alone(generator, prompts):
    """Rows of three requests in one batch, beams forked and pruned, against each computed by itself."""
    left = generator.prefill(prompts[:2], FREE).fork([0, 0, 1, 1])
    left.extend(10)
    right = generator.prefill(prompts[2:], FREE)
    right.extend(4)
    joined = left.append(right)
    joined.extend(6)
    beams = joined.fork([4, 1, 1, 3])  # drops rows 0 and 2, re-orders, repeats row 1
    beams.extend(12)

    def alone(prompt, first_branch, forks=()):
        row = generator.prefill([prompt], FREE).fork([0], branches=[first_branch])
        for at, branch in forks:
            row.extend(at - len(row.tokens[0]))
            row = row.fork([0], branches=[branch])
        return row

    expected = [
        alone(prompts[2], 0),
        alone(prompts[0], 1),
        alone(prompts[0], 1, [(16, 1)]),
        alone(prompts[1], 1),
    ]
    for row, one in enumerate(expected):
        one.extend(len(beams.tokens[row]) - len(one.tokens[0]))
        assert one.tokens[0] == beams.tokens[row]
        assert one.lineages[0] == beams.lineages[row]
    full = [22, 28, 28, 28]
    assert all(len(r) == n or end for r, n, end in zip(beams.tokens, full, beams.ended, strict=True))
    assert sum(beams.ended) < 4
    assert beams.tokens[1] != beams.tokens[2] and beams.tokens[1][:16] == beams.tokens[2][:16]
    assert beams.request_ids == ["request-2", "request-0", "request-0", "request-1"]


def test_fork_and_append_leave_the_old_batch_alone(generator, prompts):
    root = generator.prefill(prompts[:1], FREE)
    root.extend(5)
    before = root.tokens
    child = root.fork([0, 0])
    joined = root.append(generator.prefill(prompts[1:2], FREE))
    child.extend(20)
    joined.extend(20)
    assert root.tokens == before
    root.extend(20)
    assert root.tokens[0] == child.tokens[0] == joined.tokens[0]


def test_finished_rows_are_kept_and_not_run(tokenizer, prompts, monkeypatch):
    generator = with_end_bias(tokenizer, 6.0)
    rows_run = []
    step = generator.network.step
    monkeypatch.setattr(
        generator.network,
        "step",
        lambda groups, block, tokens, *rest, **more: (
            rows_run.append(len(tokens)) or step(groups, block, tokens, *rest, **more)
        ),
    )
    batch = generator.prefill(prompts[:1], FREE).fork([0] * 12)
    batch.extend(30)
    assert 0 < sum(batch.ended) < 12, "the test needs rows of both kinds"
    assert batch.tokens_generated == sum(map(len, batch.tokens)) + sum(batch.ended)
    # rows leave when the device is waited for, which on a CPU is every fifth token
    spare = sum(rows_run) - batch.tokens_generated
    assert 0 <= spare <= 4 * sum(batch.ended)
    assert rows_run == sorted(rows_run, reverse=True)
    frozen = {row: tokens for row, tokens in enumerate(batch.tokens) if batch.finished[row]}
    batch = batch.fork(list(range(12)), branches=[0] * 12)
    batch.extend(10)
    assert all(batch.tokens[row] == tokens for row, tokens in frozen.items())
    only_finished = batch.fork(list(frozen))
    only_finished.extend(10)
    assert only_finished.tokens_generated == batch.tokens_generated
    revived = only_finished.append(generator.prefill(prompts[1:2], FREE))
    revived.extend(3)
    assert len(revived.tokens[-1]) <= 3 and revived.tokens[:-1] == only_finished.tokens


def test_longest_length_ends_a_row(tokenizer, prompts):
    generator = SpeechLM(build_llama(len(tokenizer)), tokenizer, sampling=FREE, max_seconds=0.2)
    batch = generator.prefill(prompts)
    batch.extend(7)
    batch.extend(100)
    assert [len(row) for row in batch.tokens] == [10, 10, 10]
    assert batch.finished == [True] * 3 and batch.ended == [False] * 3


def test_context_bounds_the_length_and_a_long_prompt_is_refused(tokenizer, prompts):
    generator = SpeechLM(build_llama(len(tokenizer), positions=256), tokenizer, sampling=FREE)
    batch = generator.prefill(prompts[:1])
    batch.extend(1000)
    assert len(batch.tokens[0]) == 256 - len(prompts[0].ids)
    long = Prompt(build_prompt(tokenizer, "word " * 60))
    with pytest.raises(UserError, match="context is 256"):
        generator.prefill([prompts[0], long])


def test_prefill_counts_the_prompt_once(generator, prompts):
    batch = generator.prefill(prompts[:1], FREE).fork([0] * 8)
    batch.extend(3)
    assert batch.tokens_computed == len(prompts[0].ids) - 1
    assert batch.tokens_generated == 24


def test_seed_request_and_position_decide(generator, prompts):
    def speak(seed, name):
        batch = generator.prefill([Prompt(prompts[0].ids, name, seed)], FREE)
        batch.extend(20)
        return batch.tokens[0]

    assert speak(0, "a") == speak(0, "a")
    assert len({tuple(speak(s, n)) for s in (0, 1) for n in ("a", "b")}) == 4


def test_samples_follow_the_model(tokenizer):
    """The first token of 3,000 candidates against the model's own distribution over 8 codes."""
    small = build_tokenizer(8)
    model = build_llama(len(small), spread=0.1)
    generator = SpeechLM(model, small)
    ids = build_prompt(small, "hello")
    with torch.no_grad():
        logits = next_logits(generator, ids)
    expected = torch.softmax(logits[0, :-1], -1).numpy()
    batch = generator.prefill([Prompt(ids)], FREE).fork([0] * 3000)
    batch.extend(1)
    observed = np.bincount([row[0] for row in batch.tokens], minlength=8)
    chi_square = float(((observed - 3000 * expected) ** 2 / (3000 * expected)).sum())
    assert chi_square < 24.3  # 0.1 % point of 7 degrees of freedom


def test_wrong_use(generator, prompts, tokenizer):
    batch = generator.prefill(prompts[:1], FREE)
    for indices in ([1], [-1]):
        with pytest.raises(IndexError):
            batch.fork(indices)
    with pytest.raises(ValueError, match="one branch"):
        batch.fork([0, 0], branches=[1])
    with pytest.raises(ValueError, match="same numbers"):
        batch.fork([0, 0], branches=[1, 1])
    with pytest.raises(ValueError, match="same numbers"):
        batch.fork([0, 0]).fork([0, 0, 1])
    with pytest.raises(ValueError, match="cannot extend"):
        batch.extend(-1)
    with pytest.raises(ValueError, match="same generator"):
        batch.append(generator.prefill(prompts[:1], GREEDY))
    with pytest.raises(UserError, match="max_seconds"):
        SpeechLM(build_llama(len(tokenizer)), tokenizer, max_seconds=0)
    assert batch.fork([]).tokens == []


def test_broken_weights_are_told(tokenizer, prompts):
    model = build_llama(len(tokenizer))
    with torch.no_grad():
        model.model.norm.weight[0] = torch.nan
    with pytest.raises(UserError, match="not numbers"):
        SpeechLM(model, tokenizer).prefill(prompts[:1]).extend(2)
