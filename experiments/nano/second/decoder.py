"""The codec's decoder, on frozen codes: by spectral losses and a listener first, then against discriminators
as well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import Xcodec2Model

from experiments.nano.second.adversary import Discriminators, deceived, told_apart
from experiments.nano.second.corpus import Shards
from experiments.nano.second.listener import Listener, unlike
from experiments.nano.train.codec import SpectralLoss, export_codec
from experiments.nano.train.training import Schedule, rng, train
from llasa_core.codec.features import HOP, pad_to_hop

CROP, BATCH = 75, 6
"""Codes of a crop (1.5 s: the decoder's group norms look at all of it), and crops of a batch."""
LISTENED = 2.0
"""Weight of what the listener makes of it, beside the spectral loss."""
LIKE, MATCHING = 5.0, 2.0
"""Weights of both together and of feature matching, against discriminators; that of deceiving is 1."""


class Pairs:
    """Codes of a corpus and the speech that they stand for."""

    def __init__(self, corpus: Shards, codes: list[NDArray[np.int64]]) -> None:
        self.corpus, self.codes = corpus, codes
        self.indices = [i for i in corpus.split("train") if len(codes[i]) > CROP]

    def draw(self, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes [batch, hops, 1] and waveforms [batch, hops * 320]."""
        picked, waves = [], []
        for index in generator.choice(self.indices, BATCH):
            start = int(generator.integers(len(self.codes[index]) - CROP))
            picked.append(self.codes[index][start : start + CROP])
            waves.append(pad_to_hop(self.corpus.samples(index))[start * HOP : (start + CROP) * HOP])
        return torch.from_numpy(np.stack(picked))[..., None], torch.from_numpy(np.stack(waves))


def _opened(source: Path, seed: int) -> tuple[Xcodec2Model, list[nn.Parameter]]:
    """A codec of which only the decoder learns, and what learns of it."""
    torch.manual_seed(seed)
    model = Xcodec2Model.from_pretrained(source, dtype=torch.float32).train().requires_grad_(False)
    trained = [model.acoustic_decoder.requires_grad_(True), model.quantizer.project_out.requires_grad_(True)]
    return model, [p for module in trained for p in module.parameters()]


def _spoken(model: Xcodec2Model, codes: torch.Tensor) -> torch.Tensor:
    """Codes [batch, hops, 1] as waveforms [batch, hops * 320]."""
    with torch.autocast("cpu", torch.bfloat16):
        wave: torch.Tensor = model.acoustic_decoder(model.quantizer.from_codes(codes))[:, 0]
    return wave.float()


class Likeness:
    """How far what is spoken is from the recording: by spectra, and by what a listener makes of both."""

    def __init__(self, listener: Listener) -> None:
        self.spectral, self.listener = SpectralLoss(), listener

    def __call__(
        self, output: torch.Tensor, real: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """(loss, its parts) of waveforms [batch, samples]."""
        distance, mel = self.spectral(output, real)
        with torch.no_grad():
            wanted = self.listener(real)
        listened = unlike(self.listener(output), wanted)
        return distance + LISTENED * listened, {"mel": mel, "listened": listened}


def train_decoder(
    corpus: Shards,
    codes: list[NDArray[np.int64]],
    source: Path,
    listener: Listener,
    folder: Path,
    steps: int,
    seed: int,
) -> None:
    """Train the decoder of ``source`` by spectral losses and the listener; exports ``folder/model``."""
    model, parameters = _opened(source, seed)
    likeness, pairs = Likeness(listener), Pairs(corpus, codes)

    def losses(step: int) -> dict[str, torch.Tensor]:
        picked, real = pairs.draw(rng(seed, step))
        distance, told = likeness(_spoken(model, picked), real)
        return {"loss": distance, **told}

    optimizer = torch.optim.AdamW(parameters, lr=8e-4, betas=(0.8, 0.99), weight_decay=1e-3, fused=True)
    train(folder, Schedule(steps), {"model": model}, [optimizer], losses, clip=5.0, save_every=100)
    export_codec(model, folder / "model")


def train_against(
    corpus: Shards,
    codes: list[NDArray[np.int64]],
    source: Path,
    listener: Listener,
    folder: Path,
    steps: int,
    seed: int,
) -> None:
    """Train the decoder of ``source`` against discriminators as well; exports ``folder/model``."""
    model, parameters = _opened(source, seed)
    likeness, pairs, discriminators = Likeness(listener), Pairs(corpus, codes), Discriminators()

    def losses(step: int) -> dict[str, torch.Tensor]:
        picked, real = pairs.draw(rng(seed, step))
        output = _spoken(model, picked)
        distance, told = likeness(output, real)
        heard = discriminators(real)
        apart = told_apart(heard, discriminators(output.detach()))
        # the decoder's losses must not move the discriminators
        frozen = {name: p.detach() for name, p in discriminators.named_parameters()}
        fooled, matching = deceived(heard, torch.func.functional_call(discriminators, frozen, (output,)))
        loss = LIKE * distance + fooled + MATCHING * matching + apart
        return {"loss": loss, **told, "apart": apart, "fooled": fooled, "matching": matching}

    decoder = torch.optim.AdamW(parameters, lr=3e-4, betas=(0.8, 0.99), fused=True)
    critics = torch.optim.AdamW(discriminators.parameters(), lr=3e-4, betas=(0.8, 0.99), fused=True)
    modules = {"model": model, "discriminators": discriminators}
    train(folder, Schedule(steps), modules, [decoder, critics], losses, clip=20.0, save_every=100)
    export_codec(model, folder / "model")
