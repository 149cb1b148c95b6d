"""The written-out training pass is the stock model's, resumption changes nothing, and no aid is exported."""

import json

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

from experiments.nano.data.corpus import Utterance
from experiments.nano.data.documents import DocumentBuilder
from experiments.nano.train.generator import (
    Batches,
    Guided,
    Recipe,
    build_model,
    collate,
    text_gap,
    train_generator,
)
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
