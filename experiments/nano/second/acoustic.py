"""The codec's acoustic encoder, alone: from the waveform to the absolute spectrum and the pitch.

The semantic encoder does not see how loud a band is in all: its features have mean 0 and deviation 1 over the
utterance. What it lacks for the voice is asked of the acoustic encoder.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import Xcodec2Model

from experiments.nano.second.codec import Banks, config, outputs, pitch_losses
from experiments.nano.second.corpus import Shards
from experiments.nano.train import codec as first
from experiments.nano.train.training import Schedule, rng, train
from llasa_core.audio import Waveform
from llasa_core.codec.features import HOP, pad_to_hop

CROP, BATCH = 24, 20
EDGE = 2
"""Hops of a crop's ends of which nothing is asked: there the convolutions see padding."""
LEARNING_RATE = 2e-3
GAINS = (-10.0, 4.0)
"""dB by which a crop is made louder."""


def train_acoustic(corpus: Shards, banks: Banks, folder: Path, steps: int, seed: int) -> None:
    """Train the acoustic encoder; exports ``folder/model``, a codec whose other parts are as they began."""
    first.use_fast_activation()
    model = first.build(seed, config()).train()
    encoder = model.acoustic_encoder
    encoder.forward = torch.compile(encoder.forward)
    head = torch.nn.Sequential(
        torch.nn.Conv1d(model.config.hidden_size, 256, 3, padding=1),
        torch.nn.GELU(),
        torch.nn.Conv1d(256, 160 + 2, 1),
    )
    indices = [i for i in corpus.split("train") if banks.hops(i) > CROP]
    inner = slice(EDGE, CROP - EDGE)

    def losses(step: int) -> dict[str, torch.Tensor]:
        generator = rng(seed, step)
        waves, spectra, pitches = [], [], []
        for index in generator.choice(indices, BATCH):
            start = int(generator.integers(banks.hops(index) - CROP))
            gain = generator.uniform(*GAINS)
            wave = pad_to_hop(corpus.samples(index))[start * HOP : (start + CROP) * HOP]
            waves.append(wave * np.float32(10 ** (gain / 20)))
            first_hop = int(banks.starts[index]) + start
            spectra.append(banks.spectrum(index, slice(first_hop, first_hop + CROP), gain))
            pitches.append(corpus.pitch(index)[start : start + CROP])
        out = head(encoder(torch.from_numpy(np.stack(waves))[:, None]))[..., inner]
        wanted = torch.from_numpy(np.stack(spectra)).mT[..., inner]
        heard = torch.from_numpy(np.stack(pitches))[:, inner]
        pitch = pitch_losses(out[:, 160], out[:, 161], heard)
        spectrum = (out[:, :160] - wanted).abs().mean()
        loss = 4 * spectrum + pitch["voicing"] + 2 * pitch["octaves"]
        return {"loss": loss, "spectrum": spectrum, **pitch}

    parameters = [*encoder.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, lr=LEARNING_RATE, betas=(0.8, 0.99), weight_decay=1e-3, fused=True
    )
    modules = {"encoder": encoder, "head": head}
    train(folder, Schedule(steps), modules, [optimizer], losses, clip=5.0, save_every=100)
    first.export_codec(model, folder / "model")


def acoustic_outputs(
    waves: Iterable[Waveform], model: Xcodec2Model, shape: tuple[int, int], path: Path
) -> NDArray[np.float16]:
    """What the acoustic encoder says of waveforms in whole hops, one after the other: ``shape``, [hops in
    all, hidden size]; kept on disk at ``path``."""
    first.use_fast_activation(compiled=True)

    def heard(wave: torch.Tensor) -> torch.Tensor:
        told: torch.Tensor = model.acoustic_encoder(wave[:, None])[0].mT
        return told

    return outputs(heard, waves, shape, path)
