"""The speaker verifier's recipe."""

from pathlib import Path

import numpy as np
import torch

from experiments.nano.train import speaker
from tests.experiments.nano.small_corpus import build_corpus
from verifiers.base import Target
from verifiers.registry import load


def test_the_loss_is_on_the_embedding_and_the_margin_makes_it_harder() -> None:
    model = speaker.build(5, seed=0)
    waves = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 16_000), dtype=np.float32))
    output = model(input_values=waves)
    torch.testing.assert_close(output.logits, output.embeddings)
    labels = torch.tensor([1, 4])
    plain, harder = (speaker.margin_loss(model, output.embeddings, labels, m) for m in (0.0, 0.2))
    assert harder > plain


def test_crops_have_the_length_asked_for_and_unit_variance() -> None:
    generator = np.random.default_rng(0)
    for samples in (9_000, 40_000):
        piece = speaker.crop(generator.standard_normal(samples, dtype=np.float32), 16_000, generator)
        assert piece.shape == (16_000,)
        assert abs(float(piece.var()) - 1) < 1e-3


def test_batches_do_not_favour_voices_with_more_recordings(tmp_path: Path) -> None:
    batches = speaker.VoiceBatches([(build_corpus(tmp_path / "corpus"), 1.0)])
    labels = torch.cat([batches.draw(np.random.default_rng(k))[1] for k in range(12)])
    assert torch.bincount(labels, minlength=3).min() > len(labels) / 3 * 0.7


def test_training_exports_what_the_adapter_loads(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(speaker, "BATCH", 4)
    corpus = build_corpus(tmp_path / "corpus")
    speaker.train_speaker([(corpus, 1.0)], tmp_path / "run", steps=2, seed=0)
    speaker.train_speaker([(corpus, 0.5), (corpus, 0.5)], tmp_path / "run", steps=3, seed=0)
    verifier = load(f"wavlm-sv:{tmp_path / 'run' / 'model'}")
    recording = corpus.samples(0)
    score = verifier.score([recording], Target(text=None, reference=recording))[0]
    assert abs(score.value - 1) < 1e-4
