"""What the encoder of a released Whisper makes of speech, which the second codec is asked to keep.

X-codec2 is asked for the features of a speech model beside the waveform (arXiv 2502.04128, 3.1), so that what
its codes lose is not what words are told apart by. Here it is asked of the codes and of the decoder.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from llasa_core.codec.features import HOP
from verifiers.models import whisper_model


class Listener:
    """A Whisper by its name or path (`verifiers.models.whisper_model.find`); its weights stay as they are."""

    def __init__(self, source: str) -> None:
        """Raises VerifierError if it cannot be loaded."""
        self._model = whisper_model.load(whisper_model.find(source), "cpu").requires_grad_(False)
        self._encoder = cache(self._cut)
        self._filters: torch.Tensor | None = None
        self.width: int = self._model.dims.n_audio_state

    def _cut(self, hops: int) -> Any:
        return whisper_model.cut(self._model, hops).encoder

    def __call__(self, waves: torch.Tensor) -> torch.Tensor:
        """Features [batch, hops, width] of waveforms [batch, hops * 320] of at most 30 s."""
        spectrum = self._spectrum(waves)
        with torch.autocast("cpu", torch.bfloat16):
            features: torch.Tensor = self._encoder(waves.shape[-1] // HOP)(spectrum)
        return features.float()

    def _spectrum(self, waves: torch.Tensor) -> torch.Tensor:
        """As `whisper.audio.log_mel_spectrogram`, of each waveform by itself: [batch, bands, 2 * hops]."""
        from whisper.audio import HOP_LENGTH, N_FFT, mel_filters

        if self._filters is None:
            # those that Whisper keeps may be of an inference, and then nothing is learnt through them
            self._filters = mel_filters("cpu", self._model.dims.n_mels).clone()
        window = torch.hann_window(N_FFT)
        spectrum = torch.stft(waves, N_FFT, HOP_LENGTH, window=window, return_complex=True)[..., :-1]
        bands = (self._filters @ spectrum.abs().square()).clamp(min=1e-10).log10()
        return (torch.maximum(bands, bands.amax((1, 2), keepdim=True) - 8) + 4) / 4


def unlike(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean distance of features [batch, hops, width], each in standard deviations of what is wanted."""
    spread: torch.Tensor = wanted.std((0, 1)) + 1e-3
    return ((found - wanted).abs() / spread).mean()
