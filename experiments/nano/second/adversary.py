"""Discriminators, which the codec's decoder learns to deceive, and the losses of both.

They are those of EnCodec (Defossez et al., arXiv 2210.13438) in small: two-dimensional convolutions over the
complex spectrum at three resolutions. They are dropped after the training.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

RESOLUTIONS = ((256, 64), (512, 128), (1024, 256))
CHANNELS = 16


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
