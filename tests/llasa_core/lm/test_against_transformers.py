"""The decoding engine against transformers, and sequences in a batch against sequences alone."""

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from transformers import LlamaConfig, LlamaForCausalLM

from llasa_core.errors import UserError
from llasa_core.lm import attention, sampler
from llasa_core.lm.attention import reference_attention
from llasa_core.lm.kv_cache import COLUMNS
from llasa_core.lm.prefix import Group
from llasa_core.lm.runner import ModelRunner
from llasa_core.lm.sequence import Prompt, SpeechSequence
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.loading import load_model, load_tokenizer
from llasa_core.presets import PACKAGED
from llasa_core.prompt import build_prompt
from llasa_core.sampling import Sampling
from tests.llasa_core.lm.candidates import candidates, fork, tokens
from tests.llasa_core.lm.recorder import record
from tests.tiny import build_llama, build_tokenizer

GREEDY = Sampling(temperature=0)
FREE = Sampling(1.0, top_p=1.0)
LLAMA_3 = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def shaped(vocabulary: int, *, tied: bool, kv_heads: int, rope: bool) -> LlamaForCausalLM:
    torch.manual_seed(kv_heads + 2 * tied)
    extra = {"rope_parameters": LLAMA_3} if rope else {}
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        max_position_embeddings=1024,
        tie_word_embeddings=tied,
        initializer_range=0.25,
        bos_token_id=None,
        eos_token_id=None,
        **extra,
    )
    return LlamaForCausalLM(config).eval()


def logits_after(generator: SpeechLM, ids: list[int]) -> torch.Tensor:
    """Logits [n_codes + 1] of what follows `ids`, computed from nothing."""
    network = generator.network
    with torch.inference_mode():
        group, positions = Group(0, 1, network.prefix(ids[:-1])), torch.tensor([[len(ids) - 1], [0]])
        return network.step([group], network.allocate(1, 1), torch.tensor(ids[-1:]), positions, 1)[0]


def greedy_by_transformers(
    model: LlamaForCausalLM, generator: SpeechLM, ids: list[int], count: int
) -> tuple[int, ...]:
    allowed = set(generator.token_ids.tolist())
    end = generator.vocabulary.end_id
    prompt = torch.tensor([ids])
    output = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=False,
        max_new_tokens=count,
        min_new_tokens=1,
        eos_token_id=end,
        pad_token_id=end,
        suppress_tokens=[i for i in range(model.config.vocab_size) if i not in allowed],
    )
    return tuple(i - generator.vocabulary.first_id for i in output[0, len(ids) :].tolist() if i != end)


@pytest.mark.parametrize(
    ("tied", "kv_heads", "rope"), [(True, 4, False), (False, 1, False), (True, 1, True), (False, 4, True)]
)
def test_200_greedy_tokens_and_their_logits_are_those_of_transformers(tied, kv_heads, rope):
    tokenizer = build_tokenizer(200)
    model = shaped(len(tokenizer), tied=tied, kv_heads=kv_heads, rope=rope)
    generator = SpeechLM(model, tokenizer, sampling=GREEDY)
    prompts = [build_prompt(tokenizer, "Hello there, voice.", "a voice", [5] * n) for n in (1, 30)]
    runner = ModelRunner(generator)
    rows = [runner.prefill(Prompt(ids, str(k))) for k, ids in enumerate(prompts)]
    runner.extend(rows, 200)
    for ids, codes in zip(prompts, tokens(rows), strict=True):
        assert codes == greedy_by_transformers(model, generator, ids, 200)
        said = ids + generator.vocabulary.ids(codes)
        with torch.no_grad():
            expected = model(torch.tensor([said])).logits[0, -1, generator.token_ids]
        torch.testing.assert_close(logits_after(generator, said), expected, atol=1e-4, rtol=0)


def like_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns in whole buckets, and only operations that a GPU has too."""
    monkeypatch.setattr(GENERATOR.network, "compiled", None)
    monkeypatch.setattr(attention, "attend", reference_attention)
    monkeypatch.setattr(GENERATOR, "race", sampler.race)


@pytest.mark.parametrize("chosen", [FREE, Sampling(0.9, 0.9, 50, 0.01, 1.2)])
@pytest.mark.parametrize("recorded", [False, True])
def test_what_a_gpu_does_otherwise_changes_no_token(monkeypatch, recorded, chosen):
    """Over several buckets of columns and of rows, with requests that join; recorded: nothing but a step's
    operations on its tensors is repeated, as in a CUDA graph.
    """
    prompts = [Prompt(build_prompt(TOKENIZER, text), text, seed) for seed, text in enumerate(TEXTS)]

    def generate(column_multiple: int) -> list[tuple[int, ...]]:
        runner = ModelRunner(GENERATOR, chosen)
        runner.column_multiple = column_multiple
        rows = candidates(runner, prompts[0], 7)
        for count in (1, COLUMNS - 2, 5):  # the last extension crosses the edge of a bucket
            runner.extend(rows, count)
        rows = [*fork(runner, [rows[0], rows[2], rows[2]]), *map(runner.prefill, prompts[1:])]
        runner.extend(rows, 60)
        last = fork(runner, [rows[4], rows[4], rows[0], rows[1]])
        runner.extend(last, 90)
        return tokens([*rows, *last])

    monkeypatch.setattr(GENERATOR.network, "bias", SELDOM_ENDING)
    expected = generate(1)
    assert {len(row) > COLUMNS for row in expected} == {False, True}
    like_a_gpu(monkeypatch)
    graphs = []
    if recorded:
        monkeypatch.setattr(GENERATOR, "new_record", lambda: lambda work: graphs.append(1) or record(work))
    assert generate(COLUMNS) == expected
    assert bool(graphs) == recorded


def test_recorded_steps_are_few_and_are_used_again(monkeypatch):
    """A batch of 13 whose rows end one by one is recorded for a few numbers of rows, not for each."""
    like_a_gpu(monkeypatch)
    graphs, sizes = [], []
    inner = GENERATOR.network.step

    def watched(groups, block, tokens, *rest, **more):
        sizes.append(len(tokens))
        return inner(groups, block, tokens, *rest, **more)

    monkeypatch.setattr(GENERATOR.network, "step", watched)
    monkeypatch.setattr(GENERATOR, "new_record", lambda: lambda work: graphs.append(1) or record(work))
    runner = ModelRunner(GENERATOR)
    runner.column_multiple = COLUMNS
    root = runner.prefill(Prompt(build_prompt(TOKENIZER, TEXTS[1])))

    def generate() -> list[tuple[int, ...]]:
        rows = fork(runner, [root] * 13)
        runner.extend(rows, 120)
        return tokens(rows)

    first = generate()
    assert len(set(map(len, first))) > 4
    assert set(sizes) <= {1, 2, 4, 8, 16} and len(graphs) <= 5
    # each is carried out once, recorded once, and then only repeated
    assert len(sizes) == 2 * len(graphs)
    recorded = len(graphs)
    assert generate() == first and len(graphs) == recorded
    block = runner.cache.block
    runner.make_resident(fork(runner, [root] * 40))
    assert (
        runner.cache.block is not block
    )  # the block moved: what was recorded on the old one is recorded again
    assert generate() == first and len(graphs) > recorded


@pytest.mark.parametrize(
    "changed",
    [
        {"attention_bias": True},
        {"mlp_bias": True},
        {"hidden_act": "gelu"},
        {"rope_parameters": LLAMA_3 | {"rope_type": "dynamic"}},
    ],
)
def test_a_llama_that_would_be_computed_wrongly_is_refused(changed):
    model = build_llama(len(TOKENIZER))
    for name, value in changed.items():
        setattr(model.config, name, value)
    with pytest.raises(UserError, match="which no Llasa has"):
        SpeechLM(model, TOKENIZER)


def test_bfloat16_is_float32_but_for_its_rounding():
    source = str(PACKAGED["nano/generator"])
    exact, rough = (SpeechLM.from_source(source, dtype=d) for d in (torch.float32, torch.bfloat16))
    ids = build_prompt(exact.tokenizer, "seven green birds sit on the old wall")
    expected, found = (torch.softmax(logits_after(g, ids), -1) for g in (exact, rough))
    assert rough.network.embedding.dtype == torch.bfloat16
    assert 0.5 * (expected - found).abs().sum() < 0.05
    runner = ModelRunner(rough, Sampling(0.8, 0.95))
    rows = candidates(runner, Prompt(ids), 3)
    runner.extend(rows, 20)
    assert all(len(row.codes) == 20 or row.ended for row in rows)


def test_200_greedy_tokens_of_the_nano_model_are_those_of_transformers():
    source = str(PACKAGED["nano/generator"])
    model = load_model(source, "LlamaForCausalLM", "llama", torch.float32, "cpu")
    tokenizer = load_tokenizer(source)
    generator = SpeechLM(model, tokenizer, sampling=GREEDY)
    ids = build_prompt(tokenizer, "the old king saw a ship on the river and the green door was open")
    runner = ModelRunner(generator)
    row = runner.prefill(Prompt(ids))
    runner.extend([row], 200)
    assert row.codes == greedy_by_transformers(model, generator, ids, 200)


TOKENIZER = build_tokenizer(64)
GENERATOR = SpeechLM(build_llama(len(TOKENIZER), seed=3), TOKENIZER, sampling=FREE)
SELDOM_ENDING = torch.cat([torch.zeros(GENERATOR.n_codes), torch.tensor([-1.0])])
TEXTS = ("Yes.", "Hello there.", "A much longer sentence than the other ones.")


class Sequences(RuleBasedStateMachine):
    """Any order of extending, forking, pruning, re-ordering, rewinding and new requests, with less and less
    memory.

    Each sequence is compared with itself computed alone in another cache: equal to the last bit.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runner = ModelRunner(GENERATOR)
        self.running: list[SpeechSequence] = []
        self.idle: list[SpeechSequence] = []
        self.requests = 0

    @initialize(text=st.sampled_from(TEXTS))
    def begin(self, text: str) -> None:
        self.a_request_joins(text)

    @rule(n=st.integers(1, 12))
    def extend(self, n: int) -> None:
        held = [sequence for sequence in self.idle if self.is_resident(sequence)]
        self.runner.extend(self.running, n, pinned=self.idle)
        if GENERATOR.memory is None:
            assert all(map(self.is_resident, held)), "a pinned sequence lost its place though there was room"

    @rule(data=st.data())
    @precondition(lambda self: 0 < len(self.running) < 8)
    def fork_and_prune(self, data: st.DataObject) -> None:
        kept = data.draw(st.lists(st.sampled_from(self.running), min_size=1, max_size=8))
        self.running = fork(self.runner, kept)

    @rule(data=st.data())
    @precondition(lambda self: self.running)
    def reorder(self, data: st.DataObject) -> None:
        self.running = data.draw(st.permutations(self.running))

    @rule(text=st.sampled_from(TEXTS))
    @precondition(lambda self: len(self.running) < 6)
    def a_request_joins(self, text: str) -> None:
        self.requests += 1
        prompt = Prompt(build_prompt(TOKENIZER, text), f"request {self.requests}", seed=self.requests)
        self.running.append(self.runner.prefill(prompt))

    @rule(data=st.data())
    @precondition(lambda self: self.running)
    def pause(self, data: st.DataObject) -> None:
        """As beams that are being scored: not continued now."""
        paused = data.draw(st.lists(st.sampled_from(self.running), min_size=1, unique_by=id))
        self.running = [s for s in self.running if not any(s is one for one in paused)]
        self.idle = [*self.idle, *paused][-6:]

    @rule()
    def go_on(self) -> None:
        self.running, self.idle = [*self.running, *self.idle][-8:], []

    @rule(data=st.data(), slot=st.integers(-1, 9))
    @precondition(lambda self: self.running)
    def rewind(self, data: st.DataObject, slot: int) -> None:
        """A sequence is made again of its first tokens; where its keys and values are is not known, or
        wrong.
        """
        index = data.draw(st.integers(0, len(self.running) - 1))
        old = self.running[index]
        length = data.draw(st.integers(0, len(old.codes)))
        lineage = tuple(pair for pair in old.lineage if pair[0] < length)
        self.running[index] = self.runner.resume(old, old.codes[:length], lineage, slot=slot)

    @rule(rows=st.integers(1, 3))
    def limit_the_memory(self, rows: int) -> None:
        GENERATOR.memory = GENERATOR.network.bytes_per_token * (1000 + rows * 2 * COLUMNS)

    @invariant()
    def every_sequence_is_as_it_is_alone(self) -> None:
        for sequence in [*self.running[:3], *self.idle[:1]]:
            alone = self.alone(sequence)
            assert (alone.codes, alone.ended) == (sequence.codes, sequence.ended)
            if not sequence.finished and self.is_resident(sequence):
                found = self.logits(self.runner, sequence)
                assert torch.equal(found, self.logits(self.other, alone))
                expected = logits_after(GENERATOR, [*sequence.prefix.tokens, *sequence.token_ids])
                torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)

    def alone(self, sequence: SpeechSequence) -> SpeechSequence:
        """The same sequence from its prompt and lineage alone, in `self.other`."""
        self.other = runner = ModelRunner(GENERATOR)
        prompt = [*sequence.prefix.tokens, sequence.token_ids[0]]
        alone = runner.prefill(Prompt(prompt, sequence.request_id, sequence.seed))
        for position, branch in sequence.lineage:
            runner.extend([alone], position - len(alone.codes))
            (alone,) = fork(runner, [alone], [branch])
        runner.extend([alone], len(sequence.codes) + sequence.ended - len(alone.codes))
        if alone.slot < 0:
            runner.make_resident([alone])
        return alone

    def is_resident(self, sequence: SpeechSequence) -> bool:
        """Whether the cache holds all of its keys and values in the slot that it names."""
        return len(sequence.token_ids) > 1 and self.runner.cache.holds(sequence)

    def logits(self, runner: ModelRunner, sequence: SpeechSequence) -> torch.Tensor:
        """Logits [n_codes + 1] of the next token by the keys and values in the cache, which stays as it
        is.
        """
        column, slot = len(sequence.token_ids) - 1, sequence.slot
        positions = torch.tensor([[len(sequence.prefix) + column], [column]])
        block = torch.cat([runner.cache.block[:, slot : slot + 1], GENERATOR.network.allocate(1, COLUMNS)], 4)
        groups, last = [Group(0, 1, sequence.prefix)], torch.tensor(sequence.token_ids[-1:])
        with torch.inference_mode():
            return GENERATOR.network.step(groups, block, last, positions, column + 1)[0]

    def teardown(self) -> None:
        GENERATOR.memory = None


Sequences.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=14,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestSequences = Sequences.TestCase


def test_64_rows_of_nano_do_not_depend_on_the_batch_its_order_or_memory():
    generator = SpeechLM.from_source(str(PACKAGED["nano/generator"]), sampling=Sampling(0.8, 0.95))
    ids = build_prompt(generator.tokenizer, "seven green birds sit on the old wall")
    prompt = Prompt(ids, "birds", 5)
    runner = ModelRunner(generator)
    all_rows = candidates(runner, prompt, 64)
    runner.extend(all_rows, 200)
    runner = ModelRunner(generator)
    sixteen = candidates(runner, prompt, 16)
    runner.extend(sixteen, 200)
    assert tokens(all_rows[:16]) == tokens(sixteen)
    runner = ModelRunner(generator)
    backwards = fork(runner, [runner.prefill(prompt)] * 64, range(63, -1, -1))
    generator.memory = generator.network.bytes_per_token * (len(ids) + 10 * 2 * COLUMNS)
    for _ in range(8):
        runner.extend(backwards, 25)
    assert tokens(backwards)[::-1] == tokens(all_rows)
    assert runner.cache.bytes <= generator.memory


def test_rows_that_lost_their_place_are_computed_again_and_counted(monkeypatch):
    ids = build_prompt(TOKENIZER, TEXTS[1])
    found = []
    for memory in (None, GENERATOR.network.bytes_per_token * (len(ids) + 2 * COLUMNS)):
        monkeypatch.setattr(GENERATOR, "memory", memory)
        runner = ModelRunner(GENERATOR)
        rows = candidates(runner, Prompt(ids), 6)
        runner.extend(rows, 10)
        runner.extend(rows, 10)
        found.append((tokens(rows), sum(row.tokens_recomputed for row in rows)))
    (free, none), (tight, some) = found
    assert tight == free
    assert none == 0 < some


def test_memory_for_not_even_one_row_is_refused_with_the_numbers(monkeypatch):
    runner = ModelRunner(GENERATOR)
    rows = [runner.prefill(Prompt(build_prompt(TOKENIZER, TEXTS[0])))]
    monkeypatch.setattr(GENERATOR, "memory", 1000)
    with pytest.raises(UserError, match=r"MiB for its keys and values, 0\.0 MiB are left"):
        runner.extend(rows, 5)


def test_a_fork_moves_only_what_has_to_move():
    runner = ModelRunner(GENERATOR)
    rows = candidates(runner, Prompt(build_prompt(TOKENIZER, TEXTS[2])), 4)
    runner.extend(rows, 10)
    block = runner.cache.block
    before = block.clone()
    beams = fork(runner, [rows[2], rows[2], rows[3], rows[3]])
    runner.make_resident(beams)
    # rows 2 and 3 stay where they are, their copies go to the slots of rows 0 and 1
    assert [row.slot for row in beams] == [2, 0, 3, 1]
    assert runner.cache.block is block
    for slot, source in ((0, 2), (1, 3), (2, 2), (3, 3)):
        torch.testing.assert_close(block[:, slot, :, :, :9], before[:, source, :, :, :9], atol=0, rtol=0)
    assert not any(row.tokens_recomputed for row in beams)
