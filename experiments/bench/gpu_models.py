"""Models of the released sizes with random weights, for `experiments.bench.gpu`: nothing is fetched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import LlamaForCausalLM

from experiments.bench import decoding
from experiments.bench.shapes import LLAMA_1B
from llasa_core.codec.codec import Codec
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.sampling import MODEL_CARD, Sampling
from verifiers.base import Verifier
from verifiers.models.wavlm_sv import WavLMSpeaker
from verifiers.models.whisper import WhisperASR
from verifiers.models.whisper_model import on_device
from verifiers.spec import Spec


@dataclass(frozen=True)
class Sizes:
    """Of the models: keyword arguments of their configurations."""

    llama: dict[str, Any] = field(default_factory=lambda: LLAMA_1B)
    codes: int = 65_536
    codec: dict[str, Any] = field(default_factory=dict)
    whisper: dict[str, int] = field(
        default_factory=lambda: {
            "n_mels": 128,
            "n_vocab": 51_866,
            "n_audio_ctx": 1500,
            "n_audio_state": 1280,
            "n_audio_head": 20,
            "n_audio_layer": 32,
            "n_text_ctx": 448,
            "n_text_state": 1280,
            "n_text_head": 20,
            "n_text_layer": 32,
        }
    )
    wavlm: dict[str, Any] = field(default_factory=dict)
    seconds: float = 6.0
    """Of each candidate: random weights hardly ever end one."""
    prompt: int = 400
    """Tokens: a text, and a voice of some 6 s."""


RELEASED = Sizes()
"""Llasa-1B, xcodec2-hf, Whisper large-v3, WavLM base+."""


def language_model(
    sizes: Sizes, device: str, dtype: torch.dtype, sampling: Sampling = MODEL_CARD
) -> tuple[SpeechLM, LlamaForCausalLM]:
    """Of random weights and never ending; and the same as a model of transformers."""
    model = decoding.random_llama(sizes.llama, dtype, device)
    tokenizer = decoding.ShapeTokenizer(sizes.llama["vocab_size"], sizes.codes, sizes.prompt)
    lm = SpeechLM(model, tokenizer, device, dtype, sampling=sampling, max_seconds=sizes.seconds)
    return decoding.without_end(lm), model


def codec(sizes: Sizes, device: str) -> Codec:
    """Of random weights, and loud enough to be judged."""
    from transformers import Xcodec2Config, Xcodec2Model

    with torch.device(device):
        torch.manual_seed(0)
        model = Xcodec2Model(Xcodec2Config(**sizes.codec)).eval().requires_grad_(False)
    size = model.config.n_fft // 2 + 1
    bias = model.acoustic_decoder.head.linear.bias
    bias[:size].fill_(-2.0)
    bias[size:].uniform_(-3.14, 3.14)
    return Codec(model)


def whisper(sizes: Sizes, device: str) -> Verifier:
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(0)
    model = Whisper(ModelDimensions(**sizes.whisper)).requires_grad_(False)
    spec = Spec.parse("whisper:large-v3")
    return WhisperASR(on_device(model, device), spec=str(spec), **WhisperASR.read(spec, device))


def wavlm(sizes: Sizes, device: str) -> Verifier:
    from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMForXVector

    torch.manual_seed(0)
    model = WavLMForXVector(WavLMConfig(**sizes.wavlm)).eval().requires_grad_(False).to(device)
    spec = Spec.parse("wavlm-sv:microsoft/wavlm-base-plus-sv")
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True)
    return WavLMSpeaker(model, extractor, spec=str(spec), **WavLMSpeaker.read(spec, device))
