"""Training of the nano speaker verifier: a small ``WavLMForXVector``, by a cosine cross-entropy over the
voices.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMForXVector

from experiments.nano.data.corpus import Corpus
from experiments.nano.train.training import Schedule, rng, train
from llasa_core.audio import SAMPLE_RATE

BATCH = 32
CROP_SECONDS = (1.0, 3.0)
SCALE, MARGIN = 20.0, 0.2
MARGIN_RAMP = (200, 600)
"""Steps between which the margin grows from nothing: with a margin from the start the loss stays at
chance.
"""
SHARES = (0.35, 0.30, 0.35)
"""Share of each batch from the corpus, from the extra voices and from what the codec makes of the corpus."""


def config(n_voices: int) -> WavLMConfig:
    """0.4M parameters: hidden 96, two layers, embedding 64."""
    return WavLMConfig(
        hidden_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        conv_dim=(32,) * 7,
        num_feat_extract_layers=7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        tdnn_dim=(96, 96, 96, 96, 192),
        xvector_output_dim=64,
        num_labels=n_voices,
        apply_spec_augment=False,
        feat_proj_dropout=0.0,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        final_dropout=0.0,
        layerdrop=0.0,
    )


def build(n_voices: int, seed: int) -> WavLMForXVector:
    """A network in torch's default initialisation, with which it trains; with its own it stays at chance.

    The classifier is the identity, so that the loss is on the embedding that the verifier compares.
    """
    torch.manual_seed(seed)
    model = WavLMForXVector(config(n_voices))
    for module in model.modules():
        # the positional convolution is weight-normalised: its initialisation is kept
        if isinstance(module, torch.nn.Linear) or type(module) is torch.nn.Conv1d:
            module.reset_parameters()
    torch.nn.init.eye_(model.classifier.weight)
    torch.nn.init.zeros_(model.classifier.bias)
    model.classifier.requires_grad_(False)
    return model


def normalise(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Zero mean and unit variance, as ``Wav2Vec2FeatureExtractor`` with ``do_normalize``."""
    normalised: NDArray[np.float32] = ((wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)).astype(np.float32)
    return normalised


def crop(wave: NDArray[np.float32], length: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """``length`` samples from anywhere in the recording, which is repeated if it is too short, with noise
    added.
    """
    if len(wave) < length:
        wave = np.resize(wave, length)
    start = int(generator.integers(len(wave) - length + 1))
    piece = wave[start : start + length]
    noise = generator.standard_normal(length, dtype=np.float32)
    level = float(np.sqrt(np.square(piece).mean() + 1e-9)) * 10 ** (-generator.uniform(10, 60) / 20)
    return normalise(piece + level * noise)


class VoiceBatches:
    """Batches with as many recordings of each voice of a source as of any other."""

    def __init__(self, sources: Sequence[tuple[Corpus, float]]) -> None:
        """``sources`` are corpora, each with its share of a batch."""
        self.sources = [corpus for corpus, _ in sources]
        shares = np.array([share for _, share in sources])
        self.shares = shares / shares.sum()
        self.voices = sorted({u.voice for corpus in self.sources for u in corpus.utterances})
        self.recordings: list[dict[str, list[int]]] = []
        for corpus in self.sources:
            by_voice: dict[str, list[int]] = {}
            for i in corpus.split("train"):
                if corpus.utterances[i].length > SAMPLE_RATE // 2:
                    by_voice.setdefault(corpus.utterances[i].voice, []).append(i)
            self.recordings.append(by_voice)

    def draw(self, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """(waveforms [BATCH, samples], voice numbers [BATCH]); all crops of a batch have one length."""
        length = int(generator.uniform(*CROP_SECONDS) * SAMPLE_RATE)
        waves, labels = [], []
        for source in generator.choice(len(self.sources), BATCH, p=self.shares):
            by_voice = self.recordings[source]
            voice = str(generator.choice(list(by_voice)))
            index = by_voice[voice][generator.integers(len(by_voice[voice]))]
            waves.append(crop(self.sources[source].samples(index), length, generator))
            labels.append(self.voices.index(voice))
        return torch.from_numpy(np.stack(waves)), torch.tensor(labels)


def margin_loss(
    model: WavLMForXVector, embeddings: torch.Tensor, labels: torch.Tensor, margin: float
) -> torch.Tensor:
    """Cross-entropy of scaled cosines to the voices' weights, the right one lowered by ``margin``
    (AM-softmax).
    """
    cosines = F.normalize(embeddings, dim=-1) @ F.normalize(model.objective.weight, dim=0)
    return F.cross_entropy(SCALE * (cosines - margin * F.one_hot(labels, cosines.shape[-1])), labels)


def train_speaker(sources: Sequence[tuple[Corpus, float]], folder: Path, steps: int, seed: int) -> None:
    """Train on corpora, each with its share of a batch; exports ``folder/model``.

    A run that ended can go on with more ``steps``, also with a resynthesis of the same voices added.
    """
    batches = VoiceBatches(sources)
    model = build(len(batches.voices), seed).train()

    def losses(step: int) -> dict[str, torch.Tensor]:
        waves, labels = batches.draw(rng(seed, step))
        first, last = MARGIN_RAMP
        margin = MARGIN * min(1.0, max(0.0, (step - first) / (last - first)))
        with torch.autocast("cpu", torch.bfloat16):
            embeddings = model(input_values=waves).embeddings
        embeddings = embeddings.float()
        loss = margin_loss(model, embeddings, labels, margin)
        with torch.no_grad():
            nearest = (F.normalize(embeddings, dim=-1) @ F.normalize(model.objective.weight, dim=0)).argmax(
                -1
            )
        return {"loss": loss, "accuracy": (nearest == labels).float().mean()}

    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.01, fused=True)
    train(folder, Schedule(steps, flat=0.6), {"model": model}, [optimizer], losses)
    export_speaker(model, folder / "model")


def export_speaker(model: WavLMForXVector, folder: Path) -> None:
    """Write the network in bf16 with the configuration of its input, as ``from_pretrained`` reads them."""
    copy = WavLMForXVector(model.config)
    copy.load_state_dict(model.state_dict())
    copy.to(torch.bfloat16).eval().save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
