"""The nano codec's recipe: exact shortcuts and a start that can be trained."""

import json

import pytest
import torch
from transformers.models.xcodec2 import modeling_xcodec2 as xcodec2

from experiments.nano.train import codec
from experiments.nano.train.codec import SpectralLoss, _shifted_sums, build, encode_latents
from tests.experiments.nano.small_corpus import build_corpus


def test_the_shifted_sums_is_the_stock_one():
    torch.manual_seed(0)
    activation = xcodec2.Xcodec2AntiAliasedActivation1d(xcodec2.Xcodec2SnakeBeta(8))
    activation.act.alpha.data.normal_()
    activation.act.beta.data.normal_()
    x = torch.randn(2, 8, 333)
    sums = _shifted_sums(x, activation.act.alpha, activation.act.beta, activation.act.no_div_by_zero)
    torch.testing.assert_close(sums, activation(x), atol=1e-4, rtol=1e-4)


def test_training_encodes_as_the_model_does_and_reaches_every_part():
    model = build(seed=0).eval()
    waves, features = torch.randn(2, 1, 3200) * 0.1, torch.randn(2, 10, 160)
    with torch.no_grad():
        stock = model.encode(waves, features, output_latents=True).latents.transpose(1, 2)
    latents = encode_latents(model, waves, features)
    torch.testing.assert_close(latents, stock, atol=1e-5, rtol=1e-4)
    loss, distance = SpectralLoss()(model.acoustic_decoder(latents)[:, 0], waves[:, 0])
    loss.backward()
    assert distance > 0
    for part in (model.semantic_encoder, model.acoustic_encoder, model.quantizer, model.acoustic_decoder):
        grads = [p.grad for p in part.parameters() if p.grad is not None]
        assert grads and any(g.abs().sum() > 0 for g in grads)


@pytest.mark.slow
def test_the_encoder_is_trained_by_both_aims_and_exported_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(codec, "JOINT_CROP", 20)
    monkeypatch.setattr(codec, "JOINT_BATCH", 2)
    corpus = build_corpus(tmp_path / "corpus")
    codec.export_codec(build(seed=0), tmp_path / "source")
    codec.train_joint(corpus, tmp_path / "source", tmp_path / "joint", steps=2, seed=0)
    rows = [json.loads(line) for line in (tmp_path / "joint" / "log.jsonl").open()]
    assert rows[-1]["step"] == 2 and rows[-1]["sounds"] > 1.0
    before, after = (
        codec.Xcodec2Model.from_pretrained(tmp_path / name).state_dict() for name in ("source", "joint/model")
    )
    assert before.keys() == after.keys()
    changed = {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert changed >= {"semantic_encoder", "acoustic_encoder", "quantizer", "acoustic_decoder", "fc_encoder"}


def test_the_loss_of_equal_audio_is_nothing():
    wave = torch.randn(1, 4000) * 0.1
    loss, distance = SpectralLoss()(wave, wave)
    assert loss < 1e-3 and distance < 1e-4
