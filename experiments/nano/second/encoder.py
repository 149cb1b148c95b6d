"""The codec's semantic encoder and its quantizer: which of 16,384 codes each 20 ms of speech becomes.

The second aim of X-codec2 itself (arXiv 2502.04128) is the features of a speech model; here the codes are
asked for what a Whisper makes of the speech, for the aligned phoneme state, the pitch and the speaker, and
for the absolute spectrum instead of a waveform. What reads them off the codes is dropped afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn
from transformers import Xcodec2Model

from experiments.nano.data.corpus import n_states
from experiments.nano.second.acoustic import acoustic_outputs
from experiments.nano.second.codec import Banks, outputs, pitch_losses
from experiments.nano.second.corpus import Shards
from experiments.nano.second.listener import Listener, unlike
from experiments.nano.train import codec as first
from experiments.nano.train.training import Muon, Schedule, rng, train
from llasa_core.audio import Waveform
from llasa_core.codec.features import pad_to_hop

CROPS = ((64, 40), (128, 20), (192, 13))
"""(hops, crops of a batch): a batch has crops of one length, 51 s in all."""
GAINS, NOISE = (-6.0, 3.0), (8.0, 35.0)
"""dB by which every other version of the corpus is louder, and by which its speech is above its noise."""
BANDS, HOPS = 16, 4
"""The widest band, of 80, and the longest time that is hidden from the semantic encoder, twice each."""
LEARNING_RATE, DECAY = 2e-3, 0.05
"""Without decay, noise and hidden parts three hours were learnt by heart: cross-entropy of the sounds 0.8 on
them, 1.7 to 1.9 on other texts and voices. Eight hours were not: 1.61 on both sides, so there is no dropout,
which makes a step a quarter longer."""
VALIDATED = 8
SPECTRUM, OCTAVES, SPREAD, SPEAKER, LISTENER = 4.0, 4.0, 0.3, 0.3, 3.0
"""Weights of the losses; those of sounds and voicing are 1."""


@dataclass(frozen=True)
class Crops:
    """``features`` [batch, hops, 160], ``acoustic`` [batch, hops, hidden], ``spectrum`` [batch, hops, 160],
    ``states`` [batch, hops], ``pitch`` [batch, hops] in Hz, ``speakers`` [batch], ``listened``
    [batch, hops, width]: what the listener made of the recording."""

    features: torch.Tensor
    acoustic: torch.Tensor
    spectrum: torch.Tensor
    states: torch.Tensor
    pitch: torch.Tensor
    speakers: torch.Tensor
    listened: torch.Tensor


@dataclass(frozen=True)
class Version:
    """A corpus as it is heard. ``features`` and ``acoustic``: of all hops, as `Crops`; ``gains`` in dB."""

    features: NDArray[np.float16]
    acoustic: NDArray[np.float16]
    gains: NDArray[np.float64]

    @classmethod
    def of(cls, corpus: Shards, banks: Banks, model: Xcodec2Model, path: Path, seed: int | None) -> Version:
        """As recorded; with a seed: louder and noisy. What the acoustic encoder says is kept at ``path``."""
        gains = np.zeros(len(corpus))
        if seed is not None:
            gains = np.random.default_rng(seed).uniform(*GAINS, len(corpus))

        def heard() -> Iterator[Waveform]:
            for index, gain in enumerate(gains):
                wave = corpus.samples(index)
                if seed is not None:
                    wave = noisy(wave, np.random.default_rng([seed, index])) * np.float32(10 ** (gain / 20))
                yield pad_to_hop(wave)

        features = banks.features if seed is None else Banks.of(heard()).features
        shape = (len(features), model.config.hidden_size)
        return cls(features, acoustic_outputs(heard(), model, shape, path), gains)


def noisy(wave: Waveform, generator: np.random.Generator) -> Waveform:
    """The waveform with noise of some colour, from white to that of a room."""
    from scipy.signal import lfilter  # this module can be imported without the extras

    noise = generator.standard_normal(len(wave))
    noise = lfilter([1.0], [1.0, -generator.uniform(0, 0.95)], noise)
    loudness = np.sqrt(np.mean(np.square(wave)) / np.mean(np.square(noise)))
    found: Waveform = (wave + noise * loudness * 10 ** (-generator.uniform(*NOISE) / 20)).astype(np.float32)
    return found


@dataclass(frozen=True)
class Lesson:
    """What the encoder learns from: a corpus in several versions, what the listener makes of it as it was
    recorded, [hops in all, width], and the speakers that it tells apart."""

    corpus: Shards
    banks: Banks
    versions: Sequence[Version]
    listened: NDArray[np.float16]
    speakers: Sequence[str]

    @classmethod
    def of(
        cls, corpus: Shards, banks: Banks, model: Xcodec2Model, listener: Listener, folder: Path, seed: int
    ) -> Lesson:
        """As recorded, and with noise; what acoustic encoder and listener say is kept in ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = folder / "acoustic.npy", folder / "acoustic-noisy.npy"
        versions = [
            Version.of(corpus, banks, model, path, its) for path, its in zip(paths, (None, seed), strict=True)
        ]
        waves = (pad_to_hop(corpus.samples(index)) for index in range(len(corpus)))
        shape = (len(banks.features), listener.width)
        listened = outputs(lambda wave: listener(wave)[0], waves, shape, folder / "listened.npy")
        speakers = sorted({corpus.utterances[i].voice for i in corpus.split("train")})
        return cls(corpus, banks, versions, listened, speakers)

    def draw(
        self,
        indices: Sequence[int],
        hops: int,
        size: int,
        generator: np.random.Generator,
        hiding: bool = True,
    ) -> Crops:
        """A batch of crops of utterances that have more hops. hiding: parts of the features are hidden, and
        any version is heard; else that which was recorded. Unknown speakers are the first one."""
        rows = []
        for index in generator.choice(indices, size):
            start = int(generator.integers(self.banks.hops(index) - hops))
            version = self.versions[int(generator.integers(len(self.versions))) if hiding else 0]
            at = int(self.banks.starts[index]) + start
            crop, own = slice(at, at + hops), slice(start, start + hops)
            features = version.features[crop].astype(np.float32)
            voice = self.corpus.utterances[index].voice
            rows.append(
                (
                    hidden(features, generator) if hiding else features,
                    version.acoustic[crop].astype(np.float32),
                    self.banks.spectrum(index, crop, version.gains[index]),
                    self.corpus.states(index)[own],
                    self.corpus.pitch(index)[own],
                    np.int64(self.speakers.index(voice) if voice in self.speakers else 0),
                    self.listened[crop].astype(np.float32),
                )
            )
        return Crops(*(torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True)))


def hidden(features: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Features [hops, 160] with two bands and two short times at their mean, in place (SpecAugment, arXiv
    1904.08779)."""
    frames = features.reshape(len(features), 2, -1)
    for _ in range(2):
        band = int(generator.integers(BANDS + 1))
        low = int(generator.integers(frames.shape[-1] - band))
        frames[..., low : low + band] = 0
        time = int(generator.integers(HOPS + 1))
        begin = int(generator.integers(len(frames) - time))
        frames[begin : begin + time] = 0
    return features


class Residual(nn.Module):
    """[batch, channels, hops] -> the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(1, channels),
            nn.Conv1d(channels, channels, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(channels, channels, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x + self.layers(x)
        return out


class Readings(nn.Module):
    """What is read off the quantised latents [batch, hops, dim]."""

    def __init__(self, dim: int, states: int, speakers: int, width: int) -> None:
        super().__init__()
        self.states = states
        self.sounds = nn.Sequential(
            nn.Conv1d(dim, 256, 5, padding=2), nn.GELU(), nn.Conv1d(256, states + 2, 1)
        )
        self.spectrum = nn.Sequential(
            nn.Conv1d(dim, 256, 1), *(Residual(256) for _ in range(3)), nn.Conv1d(256, 160, 1)
        )
        self.voice = nn.Sequential(nn.Conv1d(dim, 128, 5, padding=2), nn.GELU())
        self.speaker = nn.Linear(128, speakers)
        self.listened = nn.Sequential(
            nn.Conv1d(dim, 256, 1), *(Residual(256) for _ in range(3)), nn.Conv1d(256, width, 1)
        )

    def forward(self, latents: torch.Tensor, crops: Crops) -> dict[str, torch.Tensor]:
        """Losses: cross-entropy of sound and speaker, those of the pitch, distances of the spectrum and of
        what the listener made of the recording."""
        x = latents.mT
        out, spectrum = self.sounds(x).float(), self.spectrum(x).float().mT
        speaker = self.speaker(self.voice(x).mean(-1)).float()
        return {
            "sounds": F.cross_entropy(out[:, : self.states], crops.states),
            "spectrum": (spectrum - crops.spectrum).abs().mean(),
            "speaker": F.cross_entropy(speaker, crops.speakers),
            "listened": unlike(self.listened(x).float().mT, crops.listened),
            **pitch_losses(out[:, -2], out[:, -1], crops.pitch),
        }


def quantised(
    model: Xcodec2Model, features: torch.Tensor, acoustic: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(quantised latents [batch, hops, dim], codes [batch, hops, 1], how far the numbers that are quantised
    are from mean 0 and deviation 1).

    Without the last in the loss these numbers grow until each has one sign for ever: eighteen codes are left.
    """
    with torch.autocast("cpu", torch.bfloat16):
        semantic = model.semantic_encoder(features).last_hidden_state.mT
        hidden = model.fc_encoder(torch.cat([model.semantic_adapter(semantic).mT, acoustic], -1)).float()
    numbers = model.quantizer.project_in(hidden)
    spread = (numbers.mean((0, 1)).square() + (numbers.std((0, 1)) - 1).square()).mean()
    latents, codes = model.quantizer(hidden)
    return latents, codes, spread


def train_encoder(
    corpus: Shards, banks: Banks, source: Path, listener: Listener, folder: Path, steps: int, seed: int
) -> None:
    """Train the encoder of ``source``, whose acoustic encoder stays as it is; exports ``folder/model``."""
    torch.manual_seed(seed)
    model = Xcodec2Model.from_pretrained(source, dtype=torch.float32).requires_grad_(False)
    lesson = Lesson.of(corpus, banks, model.eval(), listener, folder, seed)
    parts = (model.semantic_encoder, model.semantic_adapter, model.fc_encoder, model.quantizer)
    dim, speakers = model.config.quantization_dim, len(lesson.speakers)
    readings = Readings(dim, n_states(corpus), speakers, listener.width)
    learning = nn.ModuleList([*parts, readings]).train().requires_grad_(True)
    held_out = [i for i in corpus.split("dev") if banks.hops(i) > CROPS[0][0]]
    long = {hops: [i for i in corpus.split("train") if banks.hops(i) > hops] for hops, _ in CROPS}

    def losses(step: int) -> dict[str, torch.Tensor]:
        generator = rng(seed, step)
        hops, size = CROPS[generator.integers(len(CROPS))]
        crops = lesson.draw(long[hops], hops, size, generator)
        latents, codes, spread = quantised(model, crops.features, crops.acoustic)
        with torch.autocast("cpu", torch.bfloat16):
            told = readings(latents, crops)
        loss = told["sounds"] + told["voicing"] + OCTAVES * told["octaves"]
        loss = loss + SPECTRUM * told["spectrum"] + SPEAKER * told["speaker"] + SPREAD * spread
        loss = loss + LISTENER * told["listened"]
        used = torch.tensor(len(torch.unique(codes)) / codes.numel())
        return {"loss": loss, **told, "spread": spread, "used": used}

    def validate() -> dict[str, float]:
        learning.eval()
        generator = np.random.default_rng(seed)
        sums = dict.fromkeys(("sounds", "spectrum", "octaves", "listened"), 0.0)
        with torch.no_grad():
            for _ in range(VALIDATED):
                crops = lesson.draw(held_out, *CROPS[0], generator, hiding=False)
                told = readings(quantised(model, crops.features, crops.acoustic)[0], crops)
                sums = {name: total + float(told[name]) / VALIDATED for name, total in sums.items()}
        learning.train()
        return {f"dev_{name}": value for name, value in sums.items()}

    matrices = [p for p in learning.parameters() if p.ndim == 2 and min(p.shape) > 32]
    known = {id(p) for p in matrices}
    others = [p for p in learning.parameters() if id(p) not in known]
    adam = torch.optim.AdamW(others, lr=LEARNING_RATE, betas=(0.8, 0.99), weight_decay=1e-3, fused=True)
    optimizers = [adam, Muon(matrices, LEARNING_RATE, weight_decay=DECAY)]
    modules = {"learning": learning}
    train(
        folder,
        Schedule(steps),
        modules,
        optimizers,
        losses,
        clip=5.0,
        save_every=100,
        validate=validate if held_out else None,
    )
    first.export_codec(model, folder / "model")
