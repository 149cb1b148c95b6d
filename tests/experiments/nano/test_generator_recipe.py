"""The written-out training pass is the stock model's, resumption changes nothing, and no aid is exported."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM, Xcodec2Config
from transformers.models.xcodec2.modeling_xcodec2 import Xcodec2FiniteScalarQuantization

from experiments.nano.data.corpus import Utterance
from experiments.nano.data.documents import DocumentBuilder
from experiments.nano.train.batches import Batches, collate
from experiments.nano.train.generator import Guided, build_model, digits_of, text_gap, train_generator
from experiments.nano.train.recipe import Recipe
from experiments.nano.train.training import rng
from tests.experiments.nano.test_alignment import WORDS
from tests.experiments.nano.test_documents import CODES, builder  # noqa: F401

SMALL = Recipe(steps=4, hidden=32, layers=4, heads=2, inner=64, tokens=512)


@pytest.fixture
def pieces(builder: DocumentBuilder):  # noqa: F811
    generator = np.random.default_rng(1)
    made = []
    for _ in range(40):
        text = " ".join(generator.choice(sorted(WORDS), 2))
        states = builder.phonemes.states(text)
        path = np.repeat(np.flatnonzero(~states.optional), 2)
        utterance = Utterance(text, "sentence", "slt", "neutral", "train", 0, 0)
        made.append(builder.piece(utterance, generator.integers(CODES, size=len(path)), path))
    return made


def test_the_training_pass_is_the_stock_model(builder, pieces):  # noqa: F811
    model = build_model(SMALL, builder).eval()
    network = Guided(model, SMALL, builder.n_sounds, builder.phonemes.n_states)
    batch = collate([builder.document([pieces[0]])], rng(0, 0), 0.0, builder, SMALL)
    with torch.no_grad():
        token, _, _ = network(**batch)
        logits = model(input_ids=batch["ids"]).logits
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch["target"].flatten(), ignore_index=-100
    )
    # the written-out pass rounds its rotations to bf16, as in training
    assert token.item() == pytest.approx(expected.item(), abs=2e-3)


def test_digits_are_those_of_the_quantizer():
    values = Xcodec2FiniteScalarQuantization(Xcodec2Config(quantization_levels=[4, 3, 2])).codebook
    digits = digits_of([4, 3, 2])
    for number, (first, count) in enumerate([(0, 4), (4, 3), (7, 2)]):
        places = digits[:, number] - first
        assert sorted(set(places.tolist())) == list(range(count))
        assert all(len(values[places == place, number].unique()) == 1 for place in range(count))


def test_what_digits_share_is_part_of_the_exported_embeddings(builder, pieces):  # noqa: F811
    recipe = replace(SMALL, levels=(4, 4, 2))  # 32 codes
    model = build_model(recipe, builder).eval()
    plain = model.model.embed_tokens.weight.detach().clone()
    network = Guided(model, recipe, builder.n_sounds, builder.phonemes.n_states)
    batch = collate([builder.document([pieces[0]])], rng(0, 0), 0.0, builder, recipe)
    with torch.no_grad():
        before, _, _ = network(**batch)
    network.settle()
    with torch.no_grad():
        after, _, _ = network(**batch)
        logits = model(input_ids=batch["ids"]).logits
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch["target"].flatten(), ignore_index=-100
    )
    assert after.item() == before.item() == pytest.approx(expected.item(), abs=2e-3)
    moved = (model.model.embed_tokens.weight - plain).abs().amax(1) > 0
    assert moved[-CODES:].all() and not moved[:-CODES].any()


def test_a_batch_is_the_same_after_a_resumption(builder, pieces):  # noqa: F811
    groups = ["slt-neutral"] * len(pieces)
    through = Batches(builder, pieces, groups, SMALL)
    seen = [through(step) for step in range(9)]
    resumed = Batches(builder, pieces, groups, SMALL)(8)
    assert all(torch.equal(seen[8][name], resumed[name]) for name in resumed)


def test_the_gap_of_an_untrained_model_is_nothing(builder, pieces):  # noqa: F811
    network = Guided(build_model(SMALL, builder), SMALL, builder.n_sounds, builder.phonemes.n_states)
    assert abs(text_gap(network, builder, pieces)["gap"]) < 0.1


def test_training_exports_a_plain_llama(tmp_path, builder, pieces):  # noqa: F811
    groups = ["slt-neutral"] * len(pieces)
    train_generator(builder, pieces, groups, pieces[:4], tmp_path, SMALL)
    model, info = LlamaForCausalLM.from_pretrained(tmp_path / "model", output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert model.config.vocab_size == len(builder.tokenizer)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").open()]
    assert rows[-1]["step"] == SMALL.steps and np.isfinite(rows[-1]["gap"])
