"""Training of the nano emotion2vec: funasr's ``Emotion2vec`` in small, as a classifier of the acted styles.

The released models are pre-trained without labels and fine-tuned with them (Ma et al., arXiv 2312.15185);
here the same network learns the labels alone. Needs funasr: ``pip install 'llasa-search[funasr]'``.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from rich.progress import track

from experiments.nano.data import voices
from experiments.nano.data.corpus import Corpus, Utterance
from experiments.nano.data.extra import store
from experiments.nano.train.training import Schedule, rng, train
from llasa_core.audio import SAMPLE_RATE
from llasa_core.codec.codec import Codec

TOKENS = {"angry": "生气/angry", "happy": "开心/happy", "neutral": "中立/neutral", "sad": "难过/sad"}
"""The styles in the order of the classes, as the released models name them; ``<unk>`` follows."""
UNKNOWN = "<unk>"
BATCH = 32
CROP_SECONDS = (0.75, 2.25)
LENGTH_STEP = 4000
SHARES = (0.35, 0.3, 0.35)
"""Share of each batch from the corpus, from the extra voices and from what the codec makes of the corpus.

The codec never learned the extra voices and keeps little of their pitch, so of their style."""
RESYNTHESISED = 1600
"""Recordings of the corpus that the codec says again."""
DECODED_TOGETHER = 32
SCALE, COSINE_WEIGHT = 10.0, 0.5
"""A second loss: cross-entropy of scaled cosines to one vector a style, so that cosines tell styles apart."""


PITCHES, PITCH_WEIGHT = 32, 1.0
"""A third loss, on the first block: the pitch of each 20 ms. Without it the loss stays at chance for long."""


def settings() -> dict[str, Any]:
    """The configuration file: the released architecture with 3 blocks of 128 and at most 64 convolution
    channels.
    """
    audio = {
        "type": "AUDIO",
        "prenet_depth": 1,
        "prenet_layerdrop": 0.0,
        "prenet_dropout": 0.0,
        "start_drop_path_rate": 0.0,
        "end_drop_path_rate": 0.0,
        "num_extra_tokens": 4,
        "init_extra_token_zero": False,
        "mask_prob": 0.0,
        "use_alibi_encoder": True,
        "alibi_scale": 1.0,
        "learned_alibi": False,
        "alibi_max_pos": None,
        "learned_alibi_scale": True,
        "learned_alibi_scale_per_head": True,
        "learned_alibi_scale_per_layer": False,
        "num_alibi_heads": 4,
        "model_depth": 2,
        "decoder": None,
        "local_grad_mult": 1.0,
        "extractor_mode": "layer_norm",
        "feature_encoder_spec": "[(32, 20, 10), (48, 3, 2)] + [(64, 3, 2)] * 2 + [(64, 2, 2)] * 2",
        "conv_pos_width": 38,
        "conv_pos_groups": 8,
        "conv_pos_depth": 2,
        "conv_pos_pre_ln": False,
    }
    network = {
        "depth": 2,
        "start_drop_path_rate": 0.0,
        "end_drop_path_rate": 0.0,
        "num_heads": 4,
        "norm_eps": 1e-5,
        "norm_affine": True,
        "encoder_dropout": 0.0,
        "post_mlp_drop": 0.0,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "dropout_input": 0.0,
        "layerdrop": 0.0,
        "embed_dim": 128,
        "mlp_ratio": 4.0,
        "layer_norm_first": False,
        "end_of_block_targets": False,
        "average_top_k_layers": 2,
        "loss_beta": 0.0,
        "loss_scale": None,
        "clone_batch": 1,
        "normalize": True,
        "modalities": {"audio": audio},
    }
    return {
        "model": "Emotion2vec",
        "model_conf": network,
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": UNKNOWN, "split_with_space": True},
    }


def build(seed: int) -> Any:
    """The network with random weights, one class for each style and one for ``<unk>``."""
    from funasr.register import tables

    torch.manual_seed(seed)
    conf = settings()["model_conf"]
    return tables.model_classes["Emotion2vec"](model_conf=conf, vocab_size=len(TOKENS) + 1)


def resynthesise(folder: Path, corpus: Corpus, codec: Codec, count: int, seed: int) -> None:
    """``count`` training recordings, as many of each style as of any other, as the codec says them.

    Does nothing if the folder is complete.
    """
    if (folder / "utterances.jsonl").exists():
        return
    chooser, chosen = random.Random(seed), []
    for style in TOKENS:
        found = [
            i
            for i in corpus.split("train")
            if corpus.utterances[i].style == style and voices.acts(corpus.utterances[i].voice)
        ]
        chosen += chooser.sample(found, min(count // len(TOKENS), len(found)))
    chosen.sort(key=lambda i: corpus.utterances[i].length)
    said: list[tuple[Utterance, NDArray[np.int16]]] = []
    for first in track(range(0, len(chosen), DECODED_TOGETHER), "resynthesis"):
        some = chosen[first : first + DECODED_TOGETHER]
        waves = codec.decode([codec.encode(corpus.samples(i)) for i in some])
        for i, wave in zip(some, waves, strict=True):
            u = corpus.utterances[i]
            samples = (np.clip(wave[: u.length], -1, 1) * 32767).astype(np.int16)
            said.append((Utterance(u.text, u.kind, u.voice, u.style, u.split, 0, len(samples)), samples))
    store(folder, said)


class StyleBatches:
    """Batches with as many recordings of each style as of any other, and of each voice that acts it."""

    def __init__(self, sources: Sequence[tuple[Corpus, float]]) -> None:
        """``sources`` are corpora, each with its share of a batch."""
        self.sources = [corpus for corpus, _ in sources]
        shares = np.array([share for _, share in sources])
        self.shares = shares / shares.sum()
        self.recordings: list[dict[str, dict[str, list[int]]]] = []
        for corpus in self.sources:
            by_style: dict[str, dict[str, list[int]]] = {style: {} for style in TOKENS}
            for i in corpus.split("train"):
                u = corpus.utterances[i]
                # a voice that acts nothing would teach that the voice tells the style
                if u.style in TOKENS and voices.acts(u.voice) and u.length > CROP_SECONDS[0] * SAMPLE_RATE:
                    by_style[u.style].setdefault(u.voice, []).append(i)
            self.recordings.append(by_style)

    def draw(self, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """(normalised waveforms [BATCH, samples], class numbers [BATCH]); all crops of a batch have one
        length.
        """
        waves, labels = [], []
        for source in generator.choice(len(self.sources), BATCH, p=self.shares):
            label = int(generator.integers(len(TOKENS)))
            by_voice = self.recordings[source][list(TOKENS)[label]]
            voice = str(generator.choice(list(by_voice)))
            index = by_voice[voice][generator.integers(len(by_voice[voice]))]
            waves.append(self.sources[source].samples(index))
            labels.append(label)
        # recordings are cut rather than repeated, since a repetition has another rhythm; few lengths, as each
        # new one costs the time of several steps
        longest = np.quantile([len(wave) for wave in waves], 0.25)
        length = (
            int(min(longest, generator.uniform(*CROP_SECONDS) * SAMPLE_RATE)) // LENGTH_STEP * LENGTH_STEP
        )
        crops = np.stack([crop(wave, length, generator) for wave in waves])
        return F.layer_norm(torch.from_numpy(crops), (length,)), torch.tensor(labels)


def crop(wave: NDArray[np.float32], length: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """``length`` samples from anywhere in the recording with noise added; a shorter one is repeated."""
    wave = np.resize(wave, max(length, len(wave)))
    start = int(generator.integers(len(wave) - length + 1))
    piece = wave[start : start + length]
    noise = generator.standard_normal(length, dtype=np.float32)
    level = float(np.sqrt(np.square(piece).mean() + 1e-9)) * 10 ** (-generator.uniform(15, 60) / 20)
    crop: NDArray[np.float32] = (piece + level * noise).astype(np.float32)
    return crop


def pitch_classes(waves: torch.Tensor, frames: int) -> torch.Tensor:
    """[batch, samples] -> [batch, frames]: for each 20 ms 0 without a pitch, else 1 + its place from 60 to
    400 Hz.

    The highest peak of the normalised autocorrelation over 50 ms, in ``PITCHES`` steps of equal ratio. Often
    an octave or more too low where the pitch is high: good enough for an aid.
    """
    window, size = 800, 1080
    padded = F.pad(waves, ((window - 400) // 2, window))
    pieces = padded.unfold(1, window, 320)[:, :frames]
    pieces = (pieces - pieces.mean(-1, keepdim=True)) * torch.hann_window(window)
    power = torch.fft.rfft(pieces, n=size).abs().square()
    correlation = torch.fft.irfft(power, n=size)
    bare = torch.fft.irfft(torch.fft.rfft(torch.hann_window(window), n=size).abs().square(), n=size)
    shortest, longest = SAMPLE_RATE // 400, SAMPLE_RATE // 60
    found = correlation[..., shortest:longest] / bare[shortest:longest] * bare[0]
    peak, lag = (found / (correlation[..., :1] + 1e-6)).max(-1)
    place = torch.log(longest / (lag + shortest)) / np.log(longest / shortest) * PITCHES
    return torch.where(peak > 0.5, 1 + place.long().clamp(0, PITCHES - 1), 0)


def train_emotion(sources: Sequence[tuple[Corpus, float]], folder: Path, steps: int, seed: int) -> None:
    """Train on corpora, each with its share of a batch; exports ``folder/model``."""
    batches = StyleBatches(sources)
    model = build(seed).train()
    size = settings()["model_conf"]["embed_dim"]
    directions, pitch = torch.nn.Linear(size, len(TOKENS), bias=False), torch.nn.Linear(size, PITCHES + 1)
    encoder = model.modality_encoders["AUDIO"]
    early: list[torch.Tensor] = []
    encoder.context_encoder.register_forward_hook(lambda *call: early.append(call[-1]))

    def losses(step: int) -> dict[str, torch.Tensor]:
        waves, labels = batches.draw(rng(seed, step))
        with torch.autocast("cpu", torch.bfloat16):
            frames = model.extract_features(waves)["x"]
        pooled = frames.float().mean(1)
        heard = pitch(early.pop()[:, encoder.modality_cfg.num_extra_tokens :].float())
        pitches = pitch_classes(waves, heard.shape[1])
        logits = model.proj(pooled)
        cosines = F.normalize(pooled, dim=-1) @ F.normalize(directions.weight, dim=-1).T
        pitch_loss = F.cross_entropy(heard.flatten(0, 1), pitches.flatten())
        loss = F.cross_entropy(logits, labels) + COSINE_WEIGHT * F.cross_entropy(SCALE * cosines, labels)
        right = (logits.argmax(-1) == labels).float().mean()
        return {"loss": loss + PITCH_WEIGHT * pitch_loss, "pitch": pitch_loss, "accuracy": right}

    modules = {"model": model, "directions": directions, "pitch": pitch}
    trained = [p for module in modules.values() for p in module.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.01, fused=True)
    train(folder, Schedule(steps, flat=0.5), modules, [optimizer], losses)
    export_emotion(model, folder / "model")


def export_emotion(model: Any, folder: Path) -> None:
    """Write the folder that ``funasr.AutoModel`` loads, in the released format: float32 weights, labels,
    settings.
    """
    from omegaconf import OmegaConf

    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().float().clone() for name, tensor in model.state_dict().items()}
    torch.save({"model": state}, folder / "model.pt")
    OmegaConf.save(OmegaConf.create(settings()), folder / "config.yaml")
    (folder / "tokens.txt").write_text("\n".join([*TOKENS.values(), UNKNOWN]) + "\n", "utf-8")
    files = {
        "init_param": "model.pt",
        "config": "config.yaml",
        "tokenizer_conf": {"token_list": "tokens.txt"},
    }
    text = {"framework": "pytorch", "task": "emotion-recognition", "file_path_metas": files}
    (folder / "configuration.json").write_text(json.dumps(text, indent=1) + "\n")
