"""Speech quality by DNSMOS P.835 (Microsoft): the overall opinion score that listeners would give."""

import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import SAMPLE_RATE, Waveform, seconds
from llasa_core.errors import first_line
from llasa_core.loading import check_device
from llasa_core.paths import user_path
from verifiers.base import About, Score, Target
from verifiers.errors import VerifierError
from verifiers.shared.isolation import isolated
from verifiers.shared.verifier import BaseVerifier
from verifiers.shared.wheels import Part, Wheel, without_source
from verifiers.spec import Readers, Spec, positive_int

WHEEL = Wheel(
    (Part("speechmos", "0.0.1.1", "speechmos/dnsmos_models/sig_bak_ovr.onnx"),),
    1_157_965,
    "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd",
)
"""The model in Microsoft's own package (MIT)."""
WINDOW_SECONDS = 9.01
WINDOW = int(WINDOW_SECONDS * SAMPLE_RATE)
INPUT = "input_1"
OUTPUTS = ("sig", "bak", "ovrl")
POLYNOMIALS = np.array(
    [
        [-0.08397278, 1.22083953, 0.0052439],
        [-0.13166888, 1.60915514, -0.39604546],
        [-0.06766283, 1.11546468, 0.04602535],
    ]
)
"""From the model's outputs (signal, background, overall) to opinion scores: a x^2 + b x + c, each [a, b, c].
Of the model that does not penalise other speakers."""
WORST_MOS = 1.0
"""Of the scale of opinion scores, which ends at 5."""


class DNSMOS(BaseVerifier):
    """Metric "mos": the overall score of DNSMOS P.835, about 1 to 5 (Reddy et al. 2022, arXiv 2110.01763).

    As dnsmos_local.py of github.com/microsoft/DNS-Challenge computes it: the mean over windows of 9.01 s, one
    each second, of audio that is doubled until it fills a window. Trained on recordings and what noise
    suppressors make of them: it hears noise and distortion, and little of prosody. A part of an utterance is
    judged like a whole one.

    Evidence: sig (speech), bak (background), ovrl, windows, seconds.
    """

    about = About(
        measures="speech quality: DNSMOS P.835 overall opinion score, 1 to 5",
        needs=(),
        released={
            "dnsmos": "MIT (Microsoft's speechmos)",
            "dnsmos:sig_bak_ovr.onnx": "CC BY 4.0 (github.com/microsoft/DNS-Challenge, DNSMOS/DNSMOS)",
        },
        min_seconds=0.5,
        extra="mos",
        modules=("onnxruntime",),
    )
    metric_name = "mos"
    worst = WORST_MOS
    options: ClassVar[Readers] = {"batch": positive_int}

    def __init__(self, session: Any, *, spec: str, name: str = "mos", batch: int = 16) -> None:
        """session: onnxruntime.InferenceSession, as from `open_session`. batch: windows at a time."""
        super().__init__(spec=spec, name=name)
        self._session = session
        self._fixed = _fixed_rows(session)
        self._batch = self._fixed or batch

    @classmethod
    def wheel(cls, spec: Spec) -> Wheel | None:
        return None if without_source(spec).source else WHEEL

    @classmethod
    def locate(cls, spec: Spec) -> Path | Wheel:
        return locate(without_source(spec).source)

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "DNSMOS":
        """`dnsmos:FILE?batch=&name=`; FILE: sig_bak_ovr.onnx, or the folder that it is in; without a file
        that of the package speechmos."""
        found = cls.locate(spec)
        with isolated():
            session = open_session(found, device)
        on_gpu = session.get_providers()[0].startswith("CUDA")
        options = cls.read(spec, device if on_gpu else "cpu")
        return cls(session, spec=str(without_source(spec)), **options)

    def score_all(self, waveforms: list[Waveform], target: Target, partial: bool) -> list[Score]:
        windows = [split(waveform) for waveform in waveforms]
        with isolated():
            raw = self._run(np.concatenate(windows))
        scores = opinion(raw)
        ends = np.cumsum([len(own) for own in windows])[:-1]
        return [
            _score(own, waveform) for own, waveform in zip(np.split(scores, ends), waveforms, strict=True)
        ]

    def _run(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        """[windows, 3] of [windows, WINDOW]."""
        found = []
        for first in range(0, len(windows), self._batch):
            some = windows[first : first + self._batch]
            missing = self._fixed - len(some) if self._fixed else 0
            padded = np.concatenate([some, np.zeros((missing, WINDOW), np.float32)])
            found.append(self._session.run(None, {INPUT: padded})[0][: len(some)])
        return np.concatenate(found).astype(np.float64)


def split(waveform: Waveform) -> NDArray[np.float32]:
    """[windows, WINDOW] of [samples]: what dnsmos_local.py feeds to the model, window by window.

    The number of windows and their ends are computed as there, in floating point: where an end comes out a
    sample short (windows 8 to 24), the window is left out.
    """
    audio = waveform
    while len(audio) < WINDOW:
        audio = np.concatenate([audio, audio])
    count = int(math.floor(len(audio) / SAMPLE_RATE) - WINDOW_SECONDS) + 1
    pieces = [
        audio[index * SAMPLE_RATE : int((index + WINDOW_SECONDS) * SAMPLE_RATE)] for index in range(count)
    ]
    return np.stack([piece for piece in pieces if len(piece) == WINDOW])


def opinion(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Opinion scores [windows, 3] of the model's outputs [windows, 3]."""
    a, b, c = POLYNOMIALS.T
    return np.asarray(a * raw**2 + b * raw + c)


def locate(source: str) -> Path | Wheel:
    """The ONNX file of a source, "" for that of speechmos. Raises VerifierError."""
    if not source:
        WHEEL.check()
        return WHEEL
    found = user_path(source, "dnsmos model", error=VerifierError)
    file = found / "sig_bak_ovr.onnx" if found.is_dir() else found
    if not file.is_file():
        raise VerifierError(
            f"{file} does not exist: write dnsmos alone, or give sig_bak_ovr.onnx from "
            "DNSMOS/DNSMOS of github.com/microsoft/DNS-Challenge, as in "
            "dnsmos:sig_bak_ovr.onnx"
        )
    return file


def open_session(found: Path | Wheel, device: str) -> Any:
    """onnxruntime.InferenceSession, with as many threads as the caller lets torch have. It is on the GPU if
    this onnxruntime can use one (the package onnxruntime-gpu), else on the CPU: it is a small model.

    Raises VerifierError for a device that is not there and for a model with other inputs and outputs.
    """
    import onnxruntime
    import torch

    check_device(device)
    file, model = (found.names, found.read()) if isinstance(found, Wheel) else (str(found), str(found))
    kind, _, number = device.partition(":")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    provider: Any = "CPUExecutionProvider"
    if kind == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        provider = ("CUDAExecutionProvider", {"device_id": int(number or 0)})
    try:
        session = onnxruntime.InferenceSession(model, options, providers=[provider])
    except Exception as error:
        # onnxruntime's exceptions have no common class below Exception.
        raise VerifierError(
            f"cannot load {file} ({first_line(error)}): give DNSMOS's sig_bak_ovr.onnx"
        ) from error
    _check_signature(session, file)
    return session


def _fixed_rows(session: Any) -> int:
    """How many windows the model takes at a time, 0 for any number (its axis then has a name, or nothing)."""
    shape = session.get_inputs()[0].shape
    return shape[0] if shape and isinstance(shape[0], int) else 0


def _check_signature(session: Any, file: str) -> None:
    """Names, and what becomes of one window (or as many as the model insists on)."""
    inputs = session.get_inputs()
    takes = ", ".join(f"{entry.name} {entry.shape}" for entry in inputs)
    problem = (
        f"{file} is another model (it takes {takes}): DNSMOS's sig_bak_ovr.onnx takes {INPUT} "
        f"[windows, {WINDOW}] "
        f"and gives [windows, {len(OUTPUTS)}]"
    )
    rows = _fixed_rows(session) or 1
    try:
        found = session.run(None, {INPUT: np.zeros((rows, WINDOW), np.float32)})
    except Exception as error:
        # onnxruntime's exceptions have no common class below Exception.
        raise VerifierError(problem) from error
    if len(found) != 1 or found[0].shape != (rows, len(OUTPUTS)):
        raise VerifierError(problem)


def _score(windows: NDArray[np.float64], waveform: Waveform) -> Score:
    """windows: opinion scores [windows, 3]."""
    means = dict(zip(OUTPUTS, windows.mean(axis=0).tolist(), strict=True))
    return Score(means["ovrl"], {**means, "windows": len(windows), "seconds": seconds(waveform)})
