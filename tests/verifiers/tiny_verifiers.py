"""Tiny verifier models with random weights, in the file formats of the released ones, and audio for them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from llasa_core.audio import SAMPLE_RATE, Waveform

DIMS = {
    "n_mels": 80,
    "n_audio_ctx": 100,
    "n_audio_state": 16,
    "n_audio_head": 2,
    "n_audio_layer": 1,
    "n_vocab": 51_864,
    "n_text_ctx": 24,
    "n_text_state": 16,
    "n_text_head": 2,
    "n_text_layer": 1,
}
"""Windows of 2 s."""
CONVOLUTIONS: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": (8,) * 7,
    "num_feat_extract_layers": 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "initializer_range": 0.2,
}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ'"
VOCABULARY = {token: i for i, token in enumerate(["<pad>", "<s>", "</s>", "<unk>", "|", *LETTERS])}


def speechlike(seconds: float, seed: int = 0) -> Waveform:
    """Tones that change every 100 ms, with some noise."""
    generator = np.random.default_rng(seed)
    count = int(seconds * SAMPLE_RATE)
    steps = generator.uniform(80, 2000, size=count // 1600 + 1).repeat(1600)[:count]
    wave = 0.2 * np.sin(2 * np.pi * np.cumsum(steps) / SAMPLE_RATE) + 0.02 * generator.standard_normal(count)
    return wave.astype(np.float32)


def whisper_state(dims: dict[str, int] | None = None, seed: int = 0) -> dict[str, Any]:
    """State dict of a random Whisper that hears something else in every audio."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Whisper(ModelDimensions(**(dims or DIMS)))
        torch.nn.init.normal_(model.decoder.positional_embedding)
        for parameter in model.decoder.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return dict(model.state_dict())


def write_whisper(folder: Path, state: dict[str, Any] | None = None, **config: Any) -> Path:
    """A folder as the packaged model: dims, bf16 safetensors."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"dims": DIMS, **config}))
    tensors = whisper_state() if state is None else state
    save_file(
        {n: t.to(torch.bfloat16).contiguous() for n, t in tensors.items()}, folder / "model.safetensors"
    )
    return folder


def write_whisper_pt(file: Path, state: dict[str, Any] | None = None) -> Path:
    """A `.pt` file as openai-whisper downloads: fp16."""
    import torch

    tensors = whisper_state() if state is None else state
    torch.save({"dims": DIMS, "model_state_dict": {n: t.half() for n, t in tensors.items()}}, file)
    return file


def write_hubert(folder: Path, seed: int = 0) -> Path:
    """A HubertForCTC folder in bf16 with vocab.json and preprocessor_config.json."""
    import torch
    from transformers import HubertConfig, HubertForCTC, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor

    config = HubertConfig(vocab_size=len(VOCABULARY), pad_token_id=0, **CONVOLUTIONS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = HubertForCTC(config)
        torch.nn.init.normal_(model.lm_head.weight)
    model.to(torch.bfloat16).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(VOCABULARY))
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


def write_wavlm(folder: Path, seed: int = 0) -> Path:
    """A WavLMForXVector folder in bf16 with preprocessor_config.json."""
    import torch
    from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMForXVector

    config = WavLMConfig(tdnn_dim=(16, 16, 16, 16, 32), xvector_output_dim=24, num_labels=5, **CONVOLUTIONS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = WavLMForXVector(config)
    model.to(torch.bfloat16).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


def edit_weights(folder: Path, edit: Any) -> None:
    """Rewrites model.safetensors: `edit` changes the dict of tensors."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
