import numpy as np
import pytest
import torch
from transformers.audio_utils import mel_filter_bank

from llasa_core.codec.features import HOP, pad_to_hop, semantic_features


def reference(padded: np.ndarray) -> np.ndarray:
    """torchaudio.compliance.kaldi.fbank with the settings of Xcodec2FeatureExtractor, in float64."""
    bank = mel_filter_bank(
        257, 80, 20, 8000, 16_000, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True
    )
    window = torch.hann_window(400, periodic=False, dtype=torch.float64) ** 0.85
    audio = torch.from_numpy(np.pad(padded, HOP // 2)).double() * 32768
    frames = audio.unfold(0, 400, 160)
    frames = frames - frames.mean(1, keepdim=True)
    emphasised = frames - 0.97 * torch.cat([frames[:, :1], frames[:, :-1]], 1)
    power = torch.fft.rfft(emphasised * window, 512).abs() ** 2
    mel = (power @ torch.from_numpy(bank)).clamp(min=float(np.finfo(np.float32).eps)).log()
    mel = (mel - mel.mean(0)) / torch.sqrt(mel.var(0, unbiased=True) + 1e-7)
    return mel.reshape(len(mel) // 2, 160).numpy()


@pytest.mark.parametrize("samples", [1, 319, 320, 16_000, 23_457])
def test_features_equal_the_reference(samples):
    waveform = (0.1 * np.random.default_rng(0).normal(size=samples)).astype(np.float32)
    padded = pad_to_hop(waveform)
    assert len(padded) == (samples // HOP + 1) * HOP
    features = semantic_features(padded)
    assert features.dtype == np.float32 and features.shape == (len(padded) // HOP, 160)
    np.testing.assert_allclose(features, reference(padded), atol=5e-3)
