"""The adversarial stage of the codec: its decoder learns, on frozen codes, to deceive discriminators.

The discriminators are those of EnCodec (Defossez et al., arXiv 2210.13438) in small: two-dimensional
convolutions over the complex spectrum at three resolutions. They are dropped afterwards. No encoder runs, so
this stage sees several times the speech a second that the first one does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn
from transformers import Xcodec2Model

from experiments.nano.second.corpus import Shards
from experiments.nano.train.codec import SpectralLoss, export_codec
from experiments.nano.train.training import Schedule, rng, train
from llasa_core.codec.features import HOP, pad_to_hop

CROP, BATCH = 75, 6
"""Codes of a crop (1.5 s: the decoder's group norms look at all of it), and crops of a batch."""
RESOLUTIONS = ((256, 64), (512, 128), (1024, 256))
CHANNELS = 16
SPECTRAL, MATCHING = 5.0, 2.0
"""Weights of the spectral loss and of feature matching; that of deceiving is 1."""


class SpectrumDiscriminator(nn.Module):
    """One resolution: [batch, samples] -> the maps of all its layers; the last is the verdict."""

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        norm = nn.utils.parametrizations.weight_norm
        self.layers = nn.ModuleList([norm(nn.Conv2d(2, CHANNELS, (3, 8), (1, 2), (1, 3)))])
        for dilation in (1, 2, 4):
            self.layers.append(
                norm(nn.Conv2d(CHANNELS, CHANNELS, (3, 8), (1, 2), (dilation, 3), (dilation, 1)))
            )
        self.verdict = norm(nn.Conv2d(CHANNELS, 1, 3, padding=1))

    def forward(self, wave: torch.Tensor) -> list[torch.Tensor]:
        window = self.get_buffer("window")
        spectrum = torch.stft(wave, self.n_fft, self.hop, window=window, normalized=True, return_complex=True)
        # square root of the magnitude: loud harmonics would hide everything else
        size = (spectrum.real.square() + spectrum.imag.square() + 1e-8) ** -0.25
        x = torch.stack([spectrum.real * size, spectrum.imag * size], 1).mT
        maps = []
        with torch.autocast("cpu", torch.bfloat16):
            for layer in self.layers:
                x = F.leaky_relu(layer(x), 0.2)
                maps.append(x)
            maps.append(self.verdict(x))
        return maps


class Discriminators(nn.Module):
    """All resolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList([SpectrumDiscriminator(n_fft, hop) for n_fft, hop in RESOLUTIONS])

    def forward(self, wave: torch.Tensor) -> list[list[torch.Tensor]]:
        return [part(wave) for part in self.parts]


def told_apart(real: list[list[torch.Tensor]], fake: list[list[torch.Tensor]]) -> torch.Tensor:
    """The discriminators' hinge loss."""
    terms = [
        F.relu(1 - r[-1].float()).mean() + F.relu(1 + f[-1].float()).mean()
        for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(terms).mean()


def deceived(
    real: list[list[torch.Tensor]], fake: list[list[torch.Tensor]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """(the decoder's hinge loss, relative distance of the maps to those of the recording)."""
    verdicts = torch.stack([-f[-1].float().mean() for f in fake]).mean()
    distances = [
        (a.float() - b.float().detach()).abs().mean() / (b.float().detach().abs().mean() + 1e-6)
        for f, r in zip(fake, real, strict=True)
        for a, b in zip(f[:-1], r[:-1], strict=True)
    ]
    return verdicts, torch.stack(distances).mean()


def train_decoder(
    corpus: Shards, codes: list[NDArray[np.int64]], source: Path, folder: Path, steps: int, seed: int
) -> None:
    """Train the decoder of ``source`` on frozen codes against discriminators; exports ``folder/model``."""
    torch.manual_seed(seed)
    model = Xcodec2Model.from_pretrained(source, dtype=torch.float32).train()
    model.requires_grad_(False)
    trained = [model.acoustic_decoder.requires_grad_(True), model.quantizer.project_out.requires_grad_(True)]
    discriminators, spectral = Discriminators(), SpectralLoss()
    indices = [i for i in corpus.split("train") if len(codes[i]) > CROP]

    def losses(step: int) -> dict[str, torch.Tensor]:
        generator = rng(seed, step)
        picked, waves = [], []
        for index in generator.choice(indices, BATCH):
            start = int(generator.integers(len(codes[index]) - CROP))
            picked.append(codes[index][start : start + CROP])
            waves.append(pad_to_hop(corpus.samples(index))[start * HOP : (start + CROP) * HOP])
        real = torch.from_numpy(np.stack(waves))
        with torch.autocast("cpu", torch.bfloat16):
            latents = model.quantizer.from_codes(torch.from_numpy(np.stack(picked))[..., None])
            output = model.acoustic_decoder(latents)[:, 0].float()
        distance, mel = spectral(output, real)
        heard = discriminators(real)
        apart = told_apart(heard, discriminators(output.detach()))
        # the decoder's losses must not move the discriminators
        frozen = {name: p.detach() for name, p in discriminators.named_parameters()}
        fooled, matching = deceived(heard, torch.func.functional_call(discriminators, frozen, (output,)))
        loss = SPECTRAL * distance + fooled + MATCHING * matching + apart
        return {"loss": loss, "mel": mel, "apart": apart, "fooled": fooled, "matching": matching}

    decoder = torch.optim.AdamW(
        [p for module in trained for p in module.parameters()], lr=3e-4, betas=(0.8, 0.99), fused=True
    )
    critics = torch.optim.AdamW(discriminators.parameters(), lr=3e-4, betas=(0.8, 0.99), fused=True)
    modules = {"model": model, "discriminators": discriminators}
    train(folder, Schedule(steps), modules, [decoder, critics], losses, clip=20.0, save_every=100)
    export_codec(model, folder / "model")
