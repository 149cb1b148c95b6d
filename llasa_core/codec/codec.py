"""X-codec2: 16 kHz waveform <-> one code for every 320 samples (arXiv 2502.04128, section 3.2)."""

from __future__ import annotations

import contextlib
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from llasa_core.audio import SAMPLE_RATE, Waveform
from llasa_core.codec.features import HOP, pad_to_hop, semantic_features
from llasa_core.codec.padded_decoder import decode_padded
from llasa_core.errors import UserError
from llasa_core.loading import default_dtype, load_model

MAX_BATCH_CODES = 16_000
"""Codes decoded at once: bounds the memory."""
BUCKET = 25
"""Rows are decoded at whole multiples of this many codes, 0.5 s: what beams that grow in step have anyway."""


class Codec:
    """Encodes and decodes with a `transformers.Xcodec2Model`. Holds no state between calls."""

    def __init__(self, model: Any) -> None:
        """`model`: an Xcodec2Model in eval mode. Raises UserError for a sample rate or hop unlike Llasa's."""
        config = model.config
        if config.sampling_rate != SAMPLE_RATE or config.hop_length != HOP:
            raise UserError(
                f"the codec works at {config.sampling_rate} Hz with {config.hop_length} samples a "
                "code, Llasa needs "
                f"{SAMPLE_RATE} and {HOP}: give an X-codec2 such as HKUSTAudio/xcodec2-hf"
            )
        self.model = model
        self.device = next(model.parameters()).device
        self.dtype = next(model.parameters()).dtype
        self.n_codes = math.prod(config.quantization_levels)

    @classmethod
    def from_source(cls, source: str, device: str = "cpu", dtype: torch.dtype | None = None) -> Codec:
        """Loads a packaged name, folder or hub id; float32 unless told otherwise.

        Raises UserError for anything that is not a complete X-codec2.
        """
        # float32 everywhere: the quantiser rounds, and half precision changes codes.
        dtype = dtype or default_dtype("cpu")
        return cls(load_model(source, "Xcodec2Model", "xcodec2", dtype, device))

    @torch.inference_mode()
    def encode(self, waveform: Waveform) -> list[int]:
        """Codes of float32 [samples]: samples // 320 + 1 of them, the last one partly of padding.

        Same padding as the released code. Deterministic. Raises ValueError unless one-dimensional and finite.
        """
        if waveform.ndim != 1 or not np.isfinite(waveform).all():
            raise ValueError("a waveform to encode has to be one-dimensional and finite")
        padded = pad_to_hop(waveform.astype(np.float32, copy=False))
        features = torch.from_numpy(semantic_features(padded)).to(self.device, self.dtype)
        audio = torch.from_numpy(padded).to(self.device, self.dtype)
        with exact_float32():
            output = self.model.encode(audio[None, None], input_features=features[None])
        codes: list[int] = output.audio_codes[0, 0].tolist()
        return codes

    def decode(self, codes: Sequence[Sequence[int]], context: Sequence[int] = ()) -> list[Waveform]:
        """Waveforms, float32 [320 * codes] each, of rows of any lengths; no codes give no samples.

        Each row is decoded as if it were alone (`decode_padded`), in batches of nearly equal lengths.
        `context`, such as the tail of the voice prompt, is decoded in front of every row and cut off. Raises
        ValueError for a code outside 0 .. n_codes - 1.
        """
        for row in (context, *codes):
            if len(row) and not 0 <= min(row) <= max(row) < self.n_codes:
                raise ValueError(f"codes have to be in 0..{self.n_codes - 1}")
        by_length: dict[int, list[int]] = defaultdict(list)
        for index, row in enumerate(codes):
            by_length[-(-(len(context) + len(row)) // BUCKET) * BUCKET].append(index)
        waveforms: list[Waveform] = [np.zeros(0, dtype=np.float32)] * len(codes)
        for length, indices in by_length.items():
            spoken = [index for index in indices if len(codes[index])]
            size = max(1, MAX_BATCH_CODES // max(length, 1))
            for start in range(0, len(spoken), size):
                part = spoken[start : start + size]
                decoded = self._decode([[*context, *codes[index]] for index in part], length)
                for index, waveform in zip(part, decoded, strict=True):
                    end = len(context) + len(codes[index])
                    waveforms[index] = waveform[len(context) * HOP : end * HOP].copy()
        return waveforms

    @torch.inference_mode()
    def _decode(self, codes: list[list[int]], length: int) -> Waveform:
        """Rows of at most `length` codes -> float32 [rows, 320 * length], of use as far as each row goes."""
        padded = torch.tensor([row + [0] * (length - len(row)) for row in codes])
        lengths = torch.tensor([len(row) for row in codes])
        with exact_float32():
            audio = decode_padded(self.model, padded.to(self.device), lengths.to(self.device))
        result: Waveform = audio.cpu().numpy()
        return result


@contextlib.contextmanager
def exact_float32() -> Iterator[None]:
    """On a GPU, float32 is multiplied as float32 inside: torch convolves in TF32 by default, which rounds
    to 10 bits."""
    convolution, product = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolution.allow_tf32, product.allow_tf32
    convolution.allow_tf32 = product.allow_tf32 = False
    try:
        yield
    finally:
        convolution.allow_tf32, product.allow_tf32 = before
