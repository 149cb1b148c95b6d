"""Inputs of X-codec2's encoder: padded audio and the Kaldi filter-bank features of its semantic branch.

Source: ``transformers.Xcodec2FeatureExtractor``, which needs torchaudio for one call. kaldi-native-fbank
computes the same features (80 bins, Povey window, no dither, 25/10 ms) without it.
"""

from __future__ import annotations

import kaldi_native_fbank
import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import CODES_PER_SECOND, SAMPLE_RATE

HOP = SAMPLE_RATE // CODES_PER_SECOND
"""Samples of one speech token."""
_BINS, _FRAME_SHIFT = 80, 160


def pad_to_hop(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Append one zero sample, then zeros up to a multiple of 320: [samples] -> [hops * 320]."""
    hops = -(-(len(waveform) + 1) // HOP)
    return np.pad(waveform, (0, hops * HOP - len(waveform)))


def log_filter_banks(padded: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log energies of a waveform padded by :func:`pad_to_hop`, in the range of 16-bit samples.

    [hops * 320] in [-1, 1] at 16 kHz -> [2 * hops, 80]: a frame for each 10 ms.
    """
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = SAMPLE_RATE
    options.frame_opts.dither = 0.0
    options.frame_opts.snip_edges = True
    options.mel_opts.num_bins = _BINS
    options.mel_opts.low_freq = 20.0
    options.mel_opts.high_freq = 8_000.0
    options.use_energy = False
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(SAMPLE_RATE, (np.pad(padded, HOP // 2) * 32768.0).tolist())
    bank.input_finished()
    return np.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)])


def semantic_features(padded: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalised log filter banks of a waveform padded by :func:`pad_to_hop`.

    [hops * 320] in [-1, 1] at 16 kHz -> [hops, 160]: two 10 ms frames of 80 bins side by side, each bin with
    zero mean and unit variance over the utterance.
    """
    frames = log_filter_banks(padded)
    frames = (frames - frames.mean(0)) / np.sqrt(frames.var(0, ddof=1) + 1e-7)
    features: NDArray[np.float32] = frames.reshape(-1, 2 * _BINS).astype(np.float32)
    return features
