"""The second codec: 4,096 codes, which are asked for the pitch and the sounds as well as for the spectrum.

4,096 = 4^6: twelve bits for every 20 ms instead of ten, since there are many voices instead of five and
pitch is to be kept. Each code still occurs some 2,600 times in 60 hours, and the table of codes in the
generator is a million parameters; 16,384 codes would be four million, each seen 660 times.

The second aim of X-codec2 itself (arXiv 2502.04128) is the features of a speech model; here it is the aligned
phoneme state and the pitch, read off the quantised codes by convolutions that are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from transformers import Wav2Vec2BertConfig, Xcodec2Config, Xcodec2Model

from experiments.nano.data.corpus import n_states
from experiments.nano.second.corpus import Shards
from experiments.nano.train import codec as first
from experiments.nano.train.training import Schedule, rng, train
from llasa_core.audio import SAMPLE_RATE
from llasa_core.codec.features import HOP, pad_to_hop, semantic_features

CROP, BATCH = 64, 8
"""Codes of a training crop, and crops of a batch: 8 times 1.28 s."""
SOUND_WEIGHT, PITCH_WEIGHT, SPREAD_WEIGHT = 0.3, 1.0, 0.3
LEARNING_RATE = 6e-4
MIDDLE_HZ = 150.0
WARPED, WARP = 0.5, 0.15
"""Share of the crops that are played faster or slower, and by how much at most (in log): further throats."""


def config() -> Xcodec2Config:
    """9.5M parameters: a wider acoustic and semantic encoder and a wider decoder than the first codec's."""
    semantic = first.config().semantic_model_config.to_dict()
    semantic |= {"hidden_size": 192, "num_hidden_layers": 3, "intermediate_size": 384}
    return Xcodec2Config(
        hidden_size=320,
        intermediate_size=1024,
        num_hidden_layers=3,
        num_attention_heads=5,
        num_key_value_heads=5,
        head_dim=64,
        encoder_hidden_size=8,
        downsampling_ratios=(8, 8, 5),
        quantization_dim=320 + 192,
        quantization_levels=[4] * 6,
        activation_dropout=0.0,
        semantic_model_config=Wav2Vec2BertConfig(**semantic),
    )


@dataclass(frozen=True)
class Crops:
    """``waves`` [batch, 1, hops * 320], ``features`` [batch, hops, 160], ``states`` [batch, hops], ``pitch``
    [batch, hops] in Hz, 0 where nothing is voiced.
    """

    waves: torch.Tensor
    features: torch.Tensor
    states: torch.Tensor
    pitch: torch.Tensor


def draw(corpus: Shards, indices: list[int], generator: np.random.Generator) -> Crops:
    """A batch of crops, two of each utterance drawn, at any loudness and some of them warped."""
    rows: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]] = []
    while len(rows) < BATCH:
        index = indices[generator.integers(len(indices))]
        wave, states, pitch = corpus.samples(index), corpus.states(index), corpus.pitch(index)
        if generator.random() < WARPED:
            factor = float(np.exp(generator.uniform(-WARP, WARP)))
            wave = soxr.resample(wave, SAMPLE_RATE * factor, SAMPLE_RATE)
            hops = -(-(len(wave) + 1) // HOP)
            at = np.minimum(((np.arange(hops) + 0.5) * factor).astype(int), len(states) - 1)
            states, pitch = states[at], pitch[at] * np.float32(factor)
        padded = pad_to_hop(wave * np.float32(10 ** (generator.uniform(-10, 4) / 20)))
        if len(padded) // HOP <= CROP:
            continue
        bank = semantic_features(padded)
        for _ in range(2):
            start = int(generator.integers(len(bank) - CROP))
            part = slice(start, start + CROP)
            rows.append((padded[start * HOP : (start + CROP) * HOP], bank[part], states[part], pitch[part]))
    waves, features, named, pitches = (
        torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True)
    )
    return Crops(waves.clamp(-1, 1)[:, None], features, named, pitches)


class Heads(torch.nn.Module):
    """What is read off the quantised latents [batch, hops, dim]: phoneme states, voicing and pitch."""

    def __init__(self, dim: int, states: int) -> None:
        super().__init__()
        self.states = states
        self.layers = torch.nn.Sequential(
            torch.nn.Conv1d(dim, 256, 5, padding=2), torch.nn.GELU(), torch.nn.Conv1d(256, states + 2, 1)
        )

    def forward(self, latents: torch.Tensor, crops: Crops) -> dict[str, torch.Tensor]:
        """Losses: cross-entropy of the sound, and of voicing with the error of the pitch in octaves."""
        out = self.layers(latents.mT).float()
        sounds, voicing, octaves = out[:, : self.states], out[:, -2], out[:, -1]
        voiced = crops.pitch > 0
        wanted = torch.log2(crops.pitch.clamp_min(30) / MIDDLE_HZ)
        off = (octaves - wanted).abs()[voiced].mean() if voiced.any() else out.new_zeros(())
        voicing_loss = F.binary_cross_entropy_with_logits(voicing, voiced.float())
        return {"sounds": F.cross_entropy(sounds, crops.states), "voicing": voicing_loss, "octaves": off}


def encode(model: Xcodec2Model, crops: Crops) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(quantised latents [batch, hops, dim], share of the batch's codes that are different ones, how far the
    numbers that are quantised are from mean 0 and deviation 1).

    Without the last in the loss these numbers grow until each has one sign for ever: eighteen codes are left.
    """
    semantic = model.semantic_encoder(crops.features).last_hidden_state.transpose(1, 2)
    hidden = torch.cat([model.semantic_adapter(semantic), model.acoustic_encoder(crops.waves)], dim=1)
    hidden = model.fc_encoder(hidden.transpose(1, 2))
    numbers = model.quantizer.project_in(hidden)
    spread = (numbers.mean((0, 1)).square() + (numbers.std((0, 1)) - 1).square()).mean()
    latents, codes = model.quantizer(hidden)
    return latents, torch.tensor(codes.unique().numel() / codes.numel()), spread


def train_codec(corpus: Shards, folder: Path, steps: int, seed: int) -> None:
    """Train encoder, quantizer and decoder together on an aligned corpus; exports ``folder/model``."""
    first.use_fast_activation()
    model = first.build(seed, config()).train()
    model.acoustic_encoder.forward = torch.compile(model.acoustic_encoder.forward)
    heads = Heads(model.config.quantization_dim, n_states(corpus))
    spectral, indices = first.SpectralLoss(), corpus.split("train")

    def losses(step: int) -> dict[str, torch.Tensor]:
        crops = draw(corpus, indices, rng(seed, step))
        latents, used, spread = encode(model, crops)
        with torch.autocast("cpu", torch.bfloat16):
            output = model.acoustic_decoder(latents)
            told = heads(latents, crops)
        distance, mel = spectral(output[:, 0].float(), crops.waves[:, 0])
        pitch = told["voicing"] + 4 * told["octaves"]
        loss = distance + SOUND_WEIGHT * told["sounds"] + PITCH_WEIGHT * pitch + SPREAD_WEIGHT * spread
        return {"loss": loss, "mel": mel, **told, "spread": spread, "used": used}

    parameters = [*model.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, lr=LEARNING_RATE, betas=(0.8, 0.99), weight_decay=1e-3, fused=True
    )
    modules = {"model": model, "heads": heads}
    train(folder, Schedule(steps), modules, [optimizer], losses, clip=5.0, save_every=100)
    first.export_codec(model, folder / "model")
