"""The decoding engine against transformers, and rows in company against rows alone."""

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from transformers import LlamaConfig, LlamaForCausalLM

from llasa_core.errors import UserError
from llasa_core.lm import attention, sampling
from llasa_core.lm.attention import attend_plainly
from llasa_core.lm.batch import Batch, Row
from llasa_core.lm.kv_cache import COLUMNS, KVCache
from llasa_core.lm.prefix import Group
from llasa_core.lm.sampling import Sampling
from llasa_core.lm.speech_lm import Prompt, SpeechLM
from llasa_core.loading import load_model, load_tokenizer
from llasa_core.presets import PACKAGED
from llasa_core.prompt import build_prompt
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
        group, places = Group(0, 1, network.prefix(ids[:-1])), torch.tensor([[len(ids) - 1], [0]])
        return network.step([group], network.allocate(1, 1), torch.tensor(ids[-1:]), places, 1)[0]


def greedy_by_transformers(
    model: LlamaForCausalLM, generator: SpeechLM, ids: list[int], count: int
) -> list[int]:
    allowed = set(generator.token_ids.tolist())
    end = generator.vocabulary.end_id
    tokens = torch.tensor([ids])
    output = model.generate(
        tokens,
        attention_mask=torch.ones_like(tokens),
        do_sample=False,
        max_new_tokens=count,
        min_new_tokens=1,
        eos_token_id=end,
        pad_token_id=end,
        suppress_tokens=[i for i in range(model.config.vocab_size) if i not in allowed],
    )
    return [i - generator.vocabulary.first_id for i in output[0, len(ids) :].tolist() if i != end]


@pytest.mark.parametrize(
    ("tied", "kv_heads", "rope"), [(True, 4, False), (False, 1, False), (True, 1, True), (False, 4, True)]
)
def test_200_greedy_tokens_and_their_logits_are_those_of_transformers(tied, kv_heads, rope):
    tokenizer = build_tokenizer(200)
    model = shaped(len(tokenizer), tied=tied, kv_heads=kv_heads, rope=rope)
    generator = SpeechLM(model, tokenizer, sampling=GREEDY)
    prompts = [build_prompt(tokenizer, "Hello there, voice.", "a voice", [5] * n) for n in (1, 30)]
    batch = generator.prefill([Prompt(ids, str(k)) for k, ids in enumerate(prompts)])
    batch.extend(200)
    for ids, codes in zip(prompts, batch.tokens, strict=True):
        assert codes == greedy_by_transformers(model, generator, ids, 200)
        said = ids + generator.vocabulary.ids(codes)
        with torch.no_grad():
            expected = model(torch.tensor([said])).logits[0, -1, generator.token_ids]
        torch.testing.assert_close(logits_after(generator, said), expected, atol=1e-4, rtol=0)


def like_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns by whole buckets, and operations that a GPU has too."""
    monkeypatch.setattr(GENERATOR, "columns", lambda tokens: -(-tokens // COLUMNS) * COLUMNS)
    monkeypatch.setattr(GENERATOR.network, "compiled", None)
    monkeypatch.setattr(attention, "attend", attend_plainly)
    monkeypatch.setattr(sampling, "_rising", lambda weights: weights.sort(dim=-1).values)


@pytest.mark.parametrize("chosen", [FREE, Sampling(0.9, 0.9, 50, 0.01, 1.2)])
@pytest.mark.parametrize("recorded", [False, True])
def test_what_a_gpu_does_otherwise_changes_no_token(monkeypatch, recorded, chosen):
    """Over several buckets of columns and of rows, with requests that join; recorded: nothing but a step's operations
    on its tensors is repeated, as in a CUDA graph."""
    prompts = [Prompt(build_prompt(TOKENIZER, text), text, seed) for seed, text in enumerate(TEXTS)]

    def speak() -> list[list[int]]:
        batch = GENERATOR.prefill(prompts[:1], chosen).fork([0] * 7)
        for count in (1, COLUMNS - 2, 5):  # the last extension crosses the edge of a bucket
            batch.extend(count)
        batch = batch.fork([0, 2, 2]).append(GENERATOR.prefill(prompts[1:], chosen))
        batch.extend(60)
        batch.fork([4, 4, 0, 1]).extend(90)
        return batch.tokens

    monkeypatch.setattr(GENERATOR.network, "bias", SELDOM_ENDING)
    expected = speak()
    assert {len(row) > COLUMNS for row in expected} == {False, True}
    like_a_gpu(monkeypatch)
    graphs = []
    if recorded:
        monkeypatch.setattr(GENERATOR, "record", lambda work: graphs.append(1) or record(work))
    assert speak() == expected
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
    monkeypatch.setattr(GENERATOR, "record", lambda work: graphs.append(1) or record(work))
    batch = GENERATOR.prefill([Prompt(build_prompt(TOKENIZER, TEXTS[1]))]).fork([0] * 13)
    batch.extend(120)
    assert len({len(row) for row in batch.tokens}) > 4
    assert set(sizes) <= {1, 2, 4, 8, 16} and len(graphs) <= 5
    # each is carried out once, recorded once, and then only repeated
    assert len(sizes) == 2 * len(graphs)
    held = batch._cache.graphs
    assert held is not None and 0 < len(held._steps) <= 5
    batch._cache._reserve(20, 3 * COLUMNS)  # the block moves: what was recorded on the old one is gone
    assert not held._steps


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
    batch = rough.prefill([Prompt(ids)], Sampling(0.8, 0.95)).fork([0] * 3)
    batch.extend(20)
    assert all(len(row) == 20 or ended for row, ended in zip(batch.tokens, batch.ended, strict=True))


def test_200_greedy_tokens_of_the_nano_model_are_those_of_transformers():
    source = str(PACKAGED["nano/generator"])
    model = load_model(source, "LlamaForCausalLM", "llama", torch.float32, "cpu")
    tokenizer = load_tokenizer(source)
    generator = SpeechLM(model, tokenizer, sampling=GREEDY)
    ids = build_prompt(tokenizer, "the old king saw a ship on the river and the green door was open")
    batch = generator.prefill([Prompt(ids)])
    batch.extend(200)
    assert batch.tokens[0] == greedy_by_transformers(model, generator, ids, 200)


TOKENIZER = build_tokenizer(64)
GENERATOR = SpeechLM(build_llama(len(TOKENIZER), seed=3), TOKENIZER, sampling=FREE)
SELDOM_ENDING = torch.cat([torch.zeros(GENERATOR.n_codes), torch.tensor([-1.0])])
TEXTS = ("Yes.", "Hello there.", "A much longer sentence than the other ones.")


class Rows(RuleBasedStateMachine):
    """Any sequence of extend, fork, prune and join, each row against itself computed alone: the same to the last bit."""

    def __init__(self) -> None:
        super().__init__()
        self.batch: Batch
        self.requests = 0

    def prompt(self, text: str) -> Prompt:
        self.requests += 1
        return Prompt(build_prompt(TOKENIZER, text), f"request {self.requests}", seed=self.requests)

    @initialize(text=st.sampled_from(TEXTS))
    def begin(self, text: str) -> None:
        self.batch = GENERATOR.prefill([self.prompt(text)])

    @rule(n=st.integers(1, 12))
    def extend(self, n: int) -> None:
        self.batch.extend(n)

    @rule(data=st.data())
    @precondition(lambda self: len(self.batch) < 8 and not all(self.batch.finished))
    def fork(self, data: st.DataObject) -> None:
        going = [index for index, finished in enumerate(self.batch.finished) if not finished]
        rows = data.draw(st.lists(st.sampled_from(going), min_size=1, max_size=8))
        old = {(r.request_id, r.lineage) for r in self.batch._rows}
        try:
            self.batch = self.batch.fork(rows)
        except ValueError:  # two rows would draw the same numbers: refused, and nothing has changed
            assert {(r.request_id, r.lineage) for r in self.batch._rows} == old

    @rule(data=st.data())
    @precondition(lambda self: len(self.batch) > 1)
    def prune(self, data: st.DataObject) -> None:
        kept = data.draw(st.lists(st.integers(0, len(self.batch) - 1), min_size=1, unique=True))
        self.batch = self.batch.fork(kept, branches=[0] * len(kept))

    @rule(text=st.sampled_from(TEXTS), n=st.integers(0, 5))
    @precondition(lambda self: len(self.batch) < 6)
    def join(self, text: str, n: int) -> None:
        other = GENERATOR.prefill([self.prompt(text)])
        other.extend(n)
        self.batch = self.batch.append(other)

    @rule(rows=st.integers(1, 3))
    def limit_the_memory(self, rows: int) -> None:
        GENERATOR.memory = GENERATOR.network.bytes_per_token * (1000 + rows * 2 * COLUMNS)

    @invariant()
    def every_row_is_as_it_is_alone(self) -> None:
        for row in self.batch._rows[:3]:
            prompt = [*row.prefix.tokens, row.history[0]]
            alone = GENERATOR.prefill([Prompt(prompt, row.request_id, row.seed)])
            for position, branch in row.lineage:
                alone.extend(position - len(alone.tokens[0]))
                alone = alone.fork([0], branches=[branch])
            alone.extend(len(row.codes) + row.ended - len(alone.tokens[0]))
            assert alone.tokens[0] == list(row.codes) and alone.ended[0] == row.ended
            if not row.finished and row.slot >= 0:
                found = self.logits(self.batch, row)
                assert torch.equal(found, self.logits(alone, alone._rows[0]))
                expected = logits_after(GENERATOR, [*row.prefix.tokens, *row.history])
                torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)

    def logits(self, batch: Batch, row: Row) -> torch.Tensor:
        """What the cache's keys and values say, on a copy of it."""
        cache = KVCache(GENERATOR.network)
        (slot,) = cache.adopt(batch._cache, [row.slot])
        with torch.inference_mode():
            _, groups, _ = cache.bring([row.content], [slot], 1)
            column = len(row.history) - 1
            places = torch.tensor([[len(row.prefix) + column], [column]])
            last = torch.tensor(row.history[-1:])
            return GENERATOR.network.step(groups, cache.block, last, places, column + 1)[0]

    def teardown(self) -> None:
        GENERATOR.memory = None


Rows.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestRows = Rows.TestCase


def test_64_rows_of_nano_do_not_depend_on_company_order_or_memory():
    generator = SpeechLM.from_source(str(PACKAGED["nano/generator"]), sampling=Sampling(0.8, 0.95))
    ids = build_prompt(generator.tokenizer, "seven green birds sit on the old wall")
    prompt = Prompt(ids, "birds", 5)
    all_rows = generator.prefill([prompt]).fork([0] * 64)
    all_rows.extend(200)
    sixteen = generator.prefill([prompt]).fork([0] * 16)
    sixteen.extend(200)
    assert all_rows.tokens[:16] == sixteen.tokens
    backwards = generator.prefill([prompt]).fork([0] * 64, branches=list(range(63, -1, -1)))
    generator.memory = generator.network.bytes_per_token * (len(ids) + 10 * 2 * COLUMNS)
    for _ in range(8):
        backwards.extend(25)
    assert backwards.tokens[::-1] == all_rows.tokens
    assert backwards._cache.bytes <= generator.memory


def test_rows_that_lost_their_place_are_computed_again_and_counted(monkeypatch):
    ids = build_prompt(TOKENIZER, TEXTS[1])
    free = GENERATOR.prefill([Prompt(ids)]).fork([0] * 6)
    tight = GENERATOR.prefill([Prompt(ids)]).fork([0] * 6)
    monkeypatch.setattr(GENERATOR, "memory", GENERATOR.network.bytes_per_token * (len(ids) + 2 * COLUMNS))
    tight.extend(10)
    tight.extend(10)
    monkeypatch.setattr(GENERATOR, "memory", None)
    free.extend(10)
    free.extend(10)
    assert tight.tokens == free.tokens
    assert free.tokens_computed == len(ids) - 1 < tight.tokens_computed


def test_memory_for_not_even_one_row_is_refused_with_the_numbers(monkeypatch):
    batch = GENERATOR.prefill([Prompt(build_prompt(TOKENIZER, TEXTS[0]))])
    monkeypatch.setattr(GENERATOR, "memory", 1000)
    with pytest.raises(UserError, match=r"MiB for its keys and values, 0\.0 MiB are left"):
        batch.extend(5)


def test_a_fork_moves_only_what_has_to_move():
    batch = GENERATOR.prefill([Prompt(build_prompt(TOKENIZER, TEXTS[2]))]).fork([0] * 4)
    batch.extend(10)
    block = batch._cache.block
    before = block.clone()
    beams = batch.fork([2, 2, 3, 3])
    beams.place()
    # rows 2 and 3 stay where they are, their copies go to the slots of rows 0 and 1
    assert [row.slot for row in beams._rows] == [2, 0, 3, 1]
    assert beams._cache.block is block
    for slot, source in ((0, 2), (1, 3), (2, 2), (3, 3)):
        torch.testing.assert_close(block[:, slot, :, :, :9], before[:, source, :, :, :9], atol=0, rtol=0)
    assert beams.tokens_computed == batch.tokens_computed
