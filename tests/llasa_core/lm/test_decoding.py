import numpy as np
import pytest
import torch

from llasa_core.errors import UserError
from llasa_core.lm.prefix import Group
from llasa_core.lm.runner import ModelRunner
from llasa_core.lm.sequence import Prompt
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.prompt import build_prompt
from llasa_core.sampling import Sampling
from tests.llasa_core.lm.candidates import candidates, fork, tokens
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
    """A random model whose end token is made likelier: the end row of an untied head moves along the mean
    state.
    """
    model = build_llama(len(tokenizer), tied=False, **llama)
    generator = SpeechLM(model, tokenizer)
    generator.network.bias = torch.zeros(generator.n_codes + 1)
    generator.network.bias[-1] = bias
    return generator


def next_logits(generator: SpeechLM, ids: list[int]) -> torch.Tensor:
    """Logits [1, n_codes + 1] of what follows `ids`, from nothing."""
    network = generator.network
    with torch.inference_mode():
        group, positions = Group(0, 1, network.prefix(ids[:-1])), torch.tensor([[len(ids) - 1], [0]])
        return network.step([group], network.allocate(1, 1), torch.tensor(ids[-1:]), positions, 1)


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
    runner = ModelRunner(generator)
    rows = [*map(runner.prefill, prompts)]
    runner.extend(rows, 40)
    for prompt, codes in zip(prompts, tokens(rows), strict=True):
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
    runner = ModelRunner(generator, FREE)
    rows = [row for prompt in prompts for row in candidates(runner, prompt, 10)]
    runner.extend(rows, 5)
    assert all(row.ended and row.finished for row in rows)
    assert all(len(row.codes) == 1 and 0 <= row.codes[0] < generator.n_codes for row in rows)


def test_first_candidates_are_the_same_for_any_n(generator, prompts):
    runner = ModelRunner(generator, FREE)
    four, eight = (candidates(runner, prompts[0], count) for count in (4, 8))
    runner.extend(four, 60)
    for _ in range(4):
        runner.extend(eight, 15)
    assert tokens(eight[:4]) == tokens(four)
    assert len(set(tokens(eight))) == 8


def test_forked_pruned_and_joined_rows_equal_rows_alone(generator, prompts):
    """Rows of three requests in one batch, beams forked and pruned, against each computed by itself."""
    runner = ModelRunner(generator, FREE)
    left = [*candidates(runner, prompts[0], 2), *candidates(runner, prompts[1], 2)]
    runner.extend(left, 10)
    right = runner.prefill(prompts[2])
    runner.extend([right], 4, pinned=left)
    joined = [*left, right]
    runner.extend(joined, 6)
    beams = fork(runner, [joined[4], joined[1], joined[1], joined[3]])  # drops two rows, repeats one
    runner.extend(beams, 12)
    assert not any(row.tokens_recomputed for row in [*joined, *beams])

    def alone(prompt, forks, length):
        own = ModelRunner(generator, FREE)
        row = own.prefill(prompt)
        for at, branch in forks:
            own.extend([row], at - len(row.codes))
            (row,) = fork(own, [row], [branch])
        own.extend([row], length - len(row.codes))
        return row

    forks = [(2, ()), (0, ((0, 1),)), (0, ((0, 1), (16, 1))), (1, ((0, 1),))]
    for beam, (request, lineage) in zip(beams, forks, strict=True):
        one = alone(prompts[request], lineage, len(beam.codes))
        assert one.codes == beam.codes
        assert one.lineage == beam.lineage == lineage
        assert beam.request_id == f"request-{request}"
    full = [22, 28, 28, 28]
    assert all(len(beam.codes) == n or beam.ended for beam, n in zip(beams, full, strict=True))
    assert sum(beam.ended for beam in beams) < 4
    assert beams[1].codes != beams[2].codes and beams[1].codes[:16] == beams[2].codes[:16]


def test_a_copy_leaves_the_sequence_alone(generator, prompts):
    runner = ModelRunner(generator, FREE)
    root = runner.prefill(prompts[0])
    runner.extend([root], 5)
    before = root.codes, list(root.token_ids)
    child = runner.resume(root, root.codes, root.lineage, slot=root.slot)
    runner.extend([child, runner.prefill(prompts[1])], 20)
    assert (root.codes, root.token_ids) == before
    runner.extend([root], 20)
    assert root.codes == child.codes


def test_finished_rows_are_not_run(tokenizer, prompts, monkeypatch):
    generator = with_end_bias(tokenizer, 5.0)
    rows_run = []
    step = generator.network.step
    monkeypatch.setattr(
        generator.network,
        "step",
        lambda groups, block, tokens, *rest, **more: (
            rows_run.append(len(tokens)) or step(groups, block, tokens, *rest, **more)
        ),
    )
    runner = ModelRunner(generator, FREE)
    rows = candidates(runner, prompts[0], 12)
    runner.extend(rows, 30)
    ended = [row for row in rows if row.ended]
    assert 0 < len(ended) < 12, "the test needs rows of both kinds"
    # rows leave when the device is waited for, which on a CPU is every fifth token
    spare = sum(rows_run) - sum(map(len, tokens(rows))) - len(ended)
    assert 0 <= spare <= 4 * len(ended)
    assert rows_run == sorted(rows_run, reverse=True)
    frozen = tokens(ended)
    runner.extend(rows, 10)
    assert tokens(ended) == frozen
    del rows_run[:]
    runner.extend(ended, 10)
    assert not rows_run
    other = runner.prefill(prompts[1])
    runner.extend([*ended, other], 3)
    assert 0 < len(other.codes) <= 3 and tokens(ended) == frozen and set(rows_run) == {1}


def test_longest_length_ends_a_row(tokenizer, prompts):
    generator = SpeechLM(build_llama(len(tokenizer)), tokenizer, sampling=FREE, max_seconds=0.2)
    runner = ModelRunner(generator)
    rows = [*map(runner.prefill, prompts)]
    short = runner.resume(rows[0], (), (), n_tokens=8)
    runner.extend([*rows, short], 7)
    runner.extend([*rows, short], 100)
    assert [len(row.codes) for row in rows] == [10, 10, 10]
    assert all(row.finished and not row.ended for row in rows)
    assert short.codes == rows[0].codes[:8] and short.finished
    longer = runner.resume(rows[0], short.codes, (), n_tokens=100)
    runner.extend([longer], 100)
    assert longer.codes == rows[0].codes


def test_context_bounds_the_length_and_a_long_prompt_is_refused(tokenizer, prompts):
    generator = SpeechLM(build_llama(len(tokenizer), positions=256), tokenizer, sampling=FREE)
    runner = ModelRunner(generator)
    row = runner.prefill(prompts[0])
    runner.extend([row], 1000)
    assert len(row.codes) == 256 - len(prompts[0].ids)
    long = Prompt(build_prompt(tokenizer, "word " * 60))
    with pytest.raises(UserError, match="context is 256"):
        runner.prefill(long)


def test_a_prompt_is_run_once(generator, prompts, monkeypatch):
    run = []
    inner = generator.network.prefill
    monkeypatch.setattr(
        generator.network, "prefill", lambda *given: run.append(len(given[-1])) or inner(*given)
    )
    runner = ModelRunner(generator, FREE)
    rows = candidates(runner, prompts[0], 8)
    runner.extend(rows, 3)
    assert run == [len(prompts[0].ids) - 1]
    assert sum(map(len, tokens(rows))) == 24


def test_a_pinned_sequence_whose_slot_is_given_up_is_computed_again(tokenizer, prompts):
    """The block gets longer and, at the limit of memory, has fewer slots."""
    generator = SpeechLM(build_llama(len(tokenizer), positions=1024), tokenizer, sampling=FREE)
    generator.network.bias = torch.zeros(generator.n_codes + 1).index_fill_(0, torch.tensor(-1), -torch.inf)
    generator.memory = generator.network.bytes_per_token * (len(prompts[0].ids) + 8 * 256)
    expected = ModelRunner(generator)
    alone = candidates(expected, prompts[0], 10)
    expected.extend(alone, 100)
    runner = ModelRunner(generator)
    rows = candidates(runner, prompts[0], 10)
    runner.extend(rows, 100)
    assert rows[9].slot == 9
    runner.extend(rows[:2], 50, pinned=rows[8:])
    assert len(runner.cache.cached) < 10
    for k in (8, 9):
        runner.extend([rows[k]], 30)
        expected.extend([alone[k]], 30)
    assert tokens(rows[8:]) == tokens(alone[8:])


def test_a_block_of_long_slots_counts_with_its_length(generator, prompts, monkeypatch):
    """As it is reserved when a model is loaded on a GPU: many rows of few tokens would take all of it."""
    expected = ModelRunner(generator, FREE)
    same = candidates(expected, prompts[0], 12)
    expected.extend(same, 4)
    runner = ModelRunner(generator, FREE)
    rows = candidates(runner, prompts[0], 12)
    token = generator.network.bytes_per_token
    monkeypatch.setattr(generator, "memory", token * (len(rows[0].prefix) + 4 * 1024))
    runner.cache.reserve(4, 1024)
    runner.extend(rows, 4)
    assert runner.cache.bytes == token * 4 * 1024 and tokens(rows) == tokens(same)
    # not even one of its slots fits any more
    monkeypatch.setattr(generator, "memory", token * (len(rows[0].prefix) + 1023))
    runner.extend(rows, 3)
    expected.extend(same, 3)
    assert runner.cache.bytes <= token * 1023 and tokens(rows) == tokens(same)
    monkeypatch.setattr(generator, "memory", token * (len(rows[0].prefix) + 10))
    with pytest.raises(UserError, match="one row of 10 tokens needs"):
        runner.extend(rows, 2)


def test_a_request_that_cannot_be_computed_leaves_no_wrong_keys_behind(generator, prompts, monkeypatch):
    """Memory runs out while lost tokens are run again: what comes later is as if nothing had happened."""
    runner = ModelRunner(generator, FREE)
    rows = candidates(runner, prompts[1], 3)
    runner.extend(rows, 12)
    expected = ModelRunner(generator, FREE)
    same = candidates(expected, prompts[1], 3)
    expected.extend(same, 30)
    inner = generator.network.prefill

    def out_of_memory(*given):
        raise MemoryError

    again = [runner.resume(rows[2], rows[2].codes, rows[2].lineage, slot=rows[2].slot), *rows[:2]]
    foreign = runner.prefill(prompts[0])
    lost = runner.resume(foreign, (1, 2, 3), ())
    monkeypatch.setattr(generator.network, "prefill", out_of_memory)
    with pytest.raises(MemoryError):
        runner.extend([lost, *again], 5)
    monkeypatch.setattr(generator.network, "prefill", inner)
    runner.extend(again, 18)
    assert tokens(again) == [same[2].codes, same[0].codes, same[1].codes]


def test_seed_request_and_position_decide(generator, prompts):
    def generate(seed, name):
        runner = ModelRunner(generator, FREE)
        row = runner.prefill(Prompt(prompts[0].ids, name, seed))
        runner.extend([row], 20)
        return row.codes

    assert generate(0, "a") == generate(0, "a")
    assert len({generate(s, n) for s in (0, 1) for n in ("a", "b")}) == 4


def test_samples_follow_the_model(tokenizer):
    """The first token of 3,000 candidates against the model's own distribution over 8 codes."""
    small = build_tokenizer(8)
    model = build_llama(len(small), spread=0.1)
    generator = SpeechLM(model, small)
    ids = build_prompt(small, "hello")
    with torch.no_grad():
        logits = next_logits(generator, ids)
    expected = torch.softmax(logits[0, :-1], -1).numpy()
    runner = ModelRunner(generator, FREE)
    rows = candidates(runner, Prompt(ids), 3000)
    runner.extend(rows, 1)
    observed = np.bincount([row.codes[0] for row in rows], minlength=8)
    chi_square = float(((observed - 3000 * expected) ** 2 / (3000 * expected)).sum())
    assert chi_square < 24.3  # 0.1 % point of 7 degrees of freedom


def test_wrong_use(generator, prompts, tokenizer):
    runner = ModelRunner(generator, FREE)
    row = runner.prefill(prompts[0])
    with pytest.raises(ValueError, match="cannot extend"):
        runner.extend([row], -1)
    for code in (-1, generator.n_codes):
        with pytest.raises(ValueError, match="speech codes"):
            runner.resume(row, [0, code])
    with pytest.raises(ValueError, match="two tokens"):
        runner.prefill(Prompt([1]))
    with pytest.raises(UserError, match="max_seconds"):
        SpeechLM(build_llama(len(tokenizer)), tokenizer, max_seconds=0)
    runner.extend([], 5)
    runner.extend([row], 0)
    assert row.codes == ()


def test_broken_weights_are_told(tokenizer, prompts):
    model = build_llama(len(tokenizer))
    with torch.no_grad():
        model.model.norm.weight[0] = torch.nan
    runner = ModelRunner(SpeechLM(model, tokenizer))
    with pytest.raises(UserError, match="not numbers"):
        runner.extend([runner.prefill(prompts[0])], 2)


def test_a_block_that_cannot_be_copied_is_dropped_before_it_grows(generator, prompts, monkeypatch):
    """While it grows, the old block and the new one are both in memory: on a GPU there may be no room."""
    expected = ModelRunner(generator, FREE)
    same = candidates(expected, prompts[1], 3)
    expected.extend(same, 40)
    runner = ModelRunner(generator, FREE)
    rows = candidates(runner, prompts[1], 3)
    runner.extend(rows, 20)
    held = rows.pop()
    living = []
    inner = generator.network.allocate

    def watched(slots, columns):
        living.append((runner.cache.bytes, slots))
        return inner(slots, columns)

    monkeypatch.setattr(generator.network, "allocate", watched)
    runner.cache.free = 0
    more = candidates(runner, prompts[0], 8)
    del living[:]
    runner.extend([*rows, *more], 20, pinned=[held])
    # the block of none first; nothing of the old one is left when the new one is allocated
    assert living == [(living[0][0], 0), (0, 11)]
    assert rows[0].tokens_recomputed and tokens(rows) == tokens(same[:2])
    runner.extend([held], 20)
    assert held.tokens_recomputed and held.codes == same[2].codes


def test_lost_sequences_of_a_prompt_are_computed_again_at_once(generator, prompts, monkeypatch):
    runner = ModelRunner(generator, FREE)
    rows = [*candidates(runner, prompts[0], 5), *candidates(runner, prompts[1], 2)]
    runner.extend(rows, 12)
    other = ModelRunner(generator, FREE)
    again = [other.resume(row, row.codes, row.lineage) for row in rows]
    spans = []
    inner = generator.network.prefill
    monkeypatch.setattr(
        generator.network,
        "prefill",
        lambda prefix, block, some, ids: spans.append(len(some)) or inner(prefix, block, some, ids),
    )
    other.extend(again, 9)
    assert spans == [5, 2]
    runner.extend(rows, 9)
    assert tokens(again) == tokens(rows)


def test_work_is_given_to_the_models_own_gpu(generator, prompts, monkeypatch):
    """Kernels are launched on the current device, which is another one if the model's is cuda:1."""
    inside = []

    class Guard:
        def __enter__(self):
            inside.append(1)

        def __exit__(self, *_):
            inside.pop()

    monkeypatch.setattr(generator, "on_device", Guard)
    for name in ("step", "prefill"):
        inner = getattr(generator.network, name)
        monkeypatch.setattr(
            generator.network, name, lambda *given, inner=inner, **more: (inside[0], inner(*given, **more))[1]
        )
    runner = ModelRunner(generator, FREE)
    rows = candidates(runner, prompts[0], 2)
    runner.extend(rows, 3)
    runner.make_resident(rows)
    assert all(len(row.codes) == 3 for row in rows) and not inside
