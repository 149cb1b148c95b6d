"""Training of the nano codec: a stock ``Xcodec2Model``, small, by spectral losses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from transformers import Wav2Vec2BertConfig, Xcodec2Config, Xcodec2Model
from transformers.audio_utils import mel_filter_bank
from transformers.models.xcodec2 import modeling_xcodec2 as xcodec2

from experiments.nano.data.corpus import Corpus, n_states
from experiments.nano.train.training import Schedule, rng, train
from llasa_core.audio import SAMPLE_RATE
from llasa_core.codec.features import HOP, pad_to_hop, semantic_features

CROP, BATCH = 40, 12
"""Codes of a training crop, and crops of a batch: 12 times 0.8 s."""
JOINT_CROP, JOINT_BATCH = 64, 8
SOUND_WEIGHT = 0.5


def config() -> Xcodec2Config:
    """1,024 codes, 50 a second, 4.4M parameters."""
    semantic = Wav2Vec2BertConfig(
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        feature_projection_input_dim=160,
        position_embeddings_type="relative_key",
        conv_depthwise_kernel_size=15,
        layerdrop=0.0,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        apply_spec_augment=False,
        add_adapter=False,
    )
    return Xcodec2Config(
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=64,
        encoder_hidden_size=4,
        downsampling_ratios=(8, 8, 5),
        quantization_dim=256 + 128,
        quantization_levels=[4] * 5,
        activation_dropout=0.0,
        semantic_model_config=semantic,
    )


def build(seed: int, settings: Xcodec2Config | None = None) -> Xcodec2Model:
    """A codec with an initialisation that trains: the stock one starts silent, where the ISTFT has no
    gradient.
    """
    torch.manual_seed(seed)
    model = Xcodec2Model(settings or config())
    for module in model.modules():
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv1d)):
            module.reset_parameters()
    with torch.no_grad():
        head = model.acoustic_decoder.head
        bins = head.n_fft // 2 + 1
        head.linear.bias[:bins] = -2.0
        head.linear.bias[bins:].uniform_(-torch.pi, torch.pi)
        project = model.quantizer.project_in
        torch.nn.init.normal_(project.weight, std=2 / project.in_features**0.5)
        project.bias.zero_()
    return model


def use_fast_activation(compiled: bool = False) -> None:
    """Replace the anti-aliased activation by the same sums written as shifted slices: exact, and 3x faster.

    ``compiled`` fuses them for inputs of any length, which pays when there is much to encode.
    """
    sums = torch.compile(_shifted_sums, dynamic=True) if compiled else _shifted_sums

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return sums(x, self.act.alpha, self.act.beta, self.act.no_div_by_zero)

    xcodec2.Xcodec2AntiAliasedActivation1d.forward = forward


def _shifted_sums(x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor, tiny: float) -> torch.Tensor:
    """[batch, channels, time] -> the same shape; polyphase form of upsample x2, snake, downsample x2."""
    up, down = _UP_TAPS, _DOWN_TAPS
    pad, pad_left, time = 5, 15, x.shape[-1]
    padded = F.pad(x, (pad, pad), mode="replicate")
    frequency = torch.exp(alpha).view(1, -1, 1)
    amplitude = 1.0 / (torch.exp(beta).view(1, -1, 1) + tiny)
    phases = []
    for phase in (0, 1):
        y = torch.zeros_like(x)
        for k in range(12):
            if (pad_left + phase - k) % 2 == 0:
                shift = (pad_left + phase - k) // 2
                y = y + (2 * up[k]) * padded[..., shift : shift + time]
        phases.append(y + amplitude * torch.sin(y * frequency).square())
    first, last = phases[0][..., :1].expand(-1, -1, 3), phases[1][..., -1:].expand(-1, -1, 3)
    extended = [torch.cat([first, y, last], -1) for y in phases]
    out = torch.zeros_like(x)
    for k in range(12):
        phase, shift = (k - 5) % 2, (k - 5) // 2 + 3
        out = out + down[k] * extended[phase][..., shift : shift + time]
    return out


_UP_TAPS = xcodec2.kaiser_sinc_filter1d(0.25, 0.3, 12)[0, 0].tolist()
_DOWN_TAPS = _UP_TAPS


class SpectralLoss(torch.nn.Module):
    """Log-mel L1 + half log-magnitude L1 + half spectral convergence over three resolutions."""

    RESOLUTIONS = ((256, 64, 40), (512, 128, 64), (1024, 256, 80))

    def __init__(self) -> None:
        super().__init__()
        self.mels = [torch.from_numpy(_mel(n_fft, bins)).float() for n_fft, _, bins in self.RESOLUTIONS]
        self.windows = [torch.hann_window(n_fft) for n_fft, _, _ in self.RESOLUTIONS]

    def forward(self, output: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(loss, mean log-mel distance) of waveforms [batch, samples]."""
        total, mel_distance = output.new_zeros(()), output.new_zeros(())
        for (n_fft, hop, _), mel, window in zip(self.RESOLUTIONS, self.mels, self.windows, strict=True):
            y, x = (torch.stft(w, n_fft, hop, window=window, return_complex=True) for w in (output, target))
            y_mag, x_mag = (y.real.square() + y.imag.square() + 1e-9).sqrt(), x.abs()
            distance = (torch.log(mel.T @ y_mag + 1e-4) - torch.log(mel.T @ x_mag + 1e-4)).abs().mean()
            log_distance = (torch.log(y_mag + 1e-3) - torch.log(x_mag + 1e-3)).abs().mean()
            convergence = ((y_mag - x_mag).square().sum() / (x_mag.square().sum() + 1e-6)).sqrt()
            total = total + distance + 0.5 * log_distance + 0.5 * convergence
            mel_distance = mel_distance + distance / len(self.RESOLUTIONS)
        return total, mel_distance


def _mel(n_fft: int, bins: int) -> NDArray[np.float64]:
    bank: NDArray[np.float64] = mel_filter_bank(
        num_frequency_bins=n_fft // 2 + 1,
        num_mel_filters=bins,
        min_frequency=0,
        max_frequency=8000,
        sampling_rate=SAMPLE_RATE,
        norm="slaney",
        mel_scale="slaney",
    )
    return bank


@dataclass(frozen=True)
class Crops:
    """ModelSpec of utterances.

    ``waves`` [batch, 1, hops * 320]; ``features`` [batch, hops, 160], cut from those of the whole utterance;
    ``places``: the utterance and the first hop of each.
    """

    waves: torch.Tensor
    features: torch.Tensor
    places: list[tuple[int, int]]


def crops(corpus: Corpus, indices: list[int], generator: np.random.Generator, hops: int, size: int) -> Crops:
    """``size`` crops of ``hops`` hops, two of each utterance that is drawn."""
    waves: list[NDArray[np.float32]] = []
    features: list[NDArray[np.float32]] = []
    places: list[tuple[int, int]] = []
    while len(waves) < size:
        index = indices[generator.integers(len(indices))]
        padded = pad_to_hop(corpus.samples(index))
        if len(padded) // HOP <= hops:
            continue
        bank = semantic_features(padded)
        for _ in range(2):
            start = int(generator.integers(len(bank) - hops))
            waves.append(padded[start * HOP : (start + hops) * HOP])
            features.append(bank[start : start + hops])
            places.append((index, start))
    return Crops(torch.from_numpy(np.stack(waves))[:, None], torch.from_numpy(np.stack(features)), places)


def encode_latents(model: Xcodec2Model, waves: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """Quantised latents [batch, hops, dim] with gradients (``Xcodec2Model.encode`` stops them at the semantic
    part).
    """
    semantic = model.semantic_encoder(features).last_hidden_state.transpose(1, 2)
    hidden = torch.cat([model.semantic_adapter(semantic), model.acoustic_encoder(waves)], dim=1)
    latents: torch.Tensor = model.quantizer(model.fc_encoder(hidden.transpose(1, 2)))[0]
    return latents


def train_codec(corpus: Corpus, folder: Path, steps: int, seed: int) -> None:
    """Train encoder, quantizer and decoder together; exports ``folder/model``."""
    use_fast_activation()
    model = build(seed).train()
    model.acoustic_encoder.forward = torch.compile(model.acoustic_encoder.forward)
    spectral, indices = SpectralLoss(), corpus.split("train")

    def losses(step: int) -> dict[str, torch.Tensor]:
        batch = crops(corpus, indices, rng(seed, step), CROP, BATCH)
        latents = encode_latents(model, batch.waves, batch.features)
        with torch.autocast("cpu", torch.bfloat16):
            output = model.acoustic_decoder(latents)
        loss, mel = spectral(output[:, 0].float(), batch.waves[:, 0])
        return {"loss": loss, "mel": mel}

    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-3, betas=(0.8, 0.99), weight_decay=1e-3, fused=True
    )
    train(folder, Schedule(steps), {"model": model}, [optimizer], losses, clip=5.0)
    export_codec(model, folder / "model")


def export_codec(model: Xcodec2Model, folder: Path) -> None:
    """Write the codec rounded as it will be shipped, so that the corpus is encoded by the weights that users
    have.
    """
    model.eval().to(torch.bfloat16).save_pretrained(folder)


def train_joint(corpus: Corpus, source: Path, folder: Path, steps: int, seed: int) -> None:
    """Train all of the codec of ``source`` further, with a second aim: the codes are to tell which sound is
    spoken.

    X-codec2 asks its codes for the features of a speech model as well (arXiv 2502.04128); here they are
    asked for the aligned phoneme states, by two convolutions that are dropped.
    """
    use_fast_activation()
    torch.manual_seed(seed)
    model = Xcodec2Model.from_pretrained(source, dtype=torch.float32).train()
    model.acoustic_encoder.forward = torch.compile(model.acoustic_encoder.forward)
    sound = torch.nn.Sequential(
        torch.nn.Conv1d(model.config.quantization_dim, 256, 5, padding=2),
        torch.nn.GELU(),
        torch.nn.Conv1d(256, n_states(corpus), 1),
    )
    spectral, indices = SpectralLoss(), corpus.split("train")

    def losses(step: int) -> dict[str, torch.Tensor]:
        batch = crops(corpus, indices, rng(seed + 1, step), JOINT_CROP, JOINT_BATCH)
        latents = encode_latents(model, batch.waves, batch.features)
        with torch.autocast("cpu", torch.bfloat16):
            output = model.acoustic_decoder(latents)
            sounds = sound(latents.mT)
        distance, mel = spectral(output[:, 0].float(), batch.waves[:, 0])
        states = np.stack([corpus.states(i)[start : start + JOINT_CROP] for i, start in batch.places])
        named = F.cross_entropy(sounds.float(), torch.from_numpy(states))
        return {"loss": distance + SOUND_WEIGHT * named, "mel": mel, "sounds": named}

    parameters = [*model.parameters(), *sound.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=7e-4, betas=(0.8, 0.99), weight_decay=1e-3, fused=True)
    modules = {"model": model, "sound": sound}
    train(folder, Schedule(steps, flat=0.3), modules, [optimizer], losses, clip=5.0, save_every=250)
    export_codec(model, folder / "model")


def deepened(source: Path, layers: int) -> Xcodec2Model:
    """The codec of ``source`` with ``layers`` decoder layers; the added ones start as the identity."""
    shallow = Xcodec2Model.from_pretrained(source, dtype=torch.float32)
    settings = shallow.config.to_dict() | {"num_hidden_layers": layers}
    model = Xcodec2Model(Xcodec2Config.from_dict(settings))
    model.load_state_dict(shallow.state_dict(), strict=False)
    for layer in model.acoustic_decoder.layers[shallow.config.num_hidden_layers :]:
        for linear in (layer.self_attn.o_proj, layer.mlp.fc2):
            torch.nn.init.zeros_(linear.weight)
    return model


def refine_decoder(
    corpus: Corpus, codes: list[NDArray[np.int64]], source: Path, folder: Path, steps: int, seed: int
) -> None:
    """Train a deeper decoder on frozen codes: no encoder runs, so it sees several times the audio a second.

    Crops are 2 s, as the decoder's group norms look at all of what they are given.
    """
    torch.manual_seed(seed)
    model, spectral = deepened(source, layers=4).train(), SpectralLoss()
    model.requires_grad_(False)
    trained = [model.acoustic_decoder.requires_grad_(True), model.quantizer.project_out.requires_grad_(True)]
    length, size = 100, 8
    indices = [i for i in corpus.split("train") if len(codes[i]) > length]

    def losses(step: int) -> dict[str, torch.Tensor]:
        generator = rng(seed, step)
        picked, waves = [], []
        for index in generator.choice(indices, size):
            start = int(generator.integers(len(codes[index]) - length))
            picked.append(codes[index][start : start + length])
            waves.append(pad_to_hop(corpus.samples(index))[start * HOP : (start + length) * HOP])
        with torch.autocast("cpu", torch.bfloat16):
            latents = model.quantizer.from_codes(torch.from_numpy(np.stack(picked))[..., None])
            output = model.acoustic_decoder(latents)
        loss, mel = spectral(output[:, 0].float(), torch.from_numpy(np.stack(waves)))
        return {"loss": loss, "mel": mel}

    parameters = [p for module in trained for p in module.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=6e-4, betas=(0.8, 0.99), weight_decay=1e-3, fused=True)
    train(folder, Schedule(steps, flat=0.3), {"model": model}, [optimizer], losses, clip=5.0)
    export_codec(model, folder / "model")
