"""Speaker similarity by Resemblyzer's GE2E encoder (Wan et al. 2018, arXiv 1710.10467)."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import SAMPLE_RATE, Waveform
from llasa_core.loading import check_device
from llasa_core.paths import user_path
from verifiers.base import About
from verifiers.errors import VerifierError
from verifiers.shared.isolation import isolated
from verifiers.shared.loading import check_shapes, read_checkpoint
from verifiers.shared.similarity import Reference, Similarity
from verifiers.shared.wheels import Part, Wheel, without_source
from verifiers.spec import Spec

WHEEL = Wheel(
    (Part("resemblyzer", "0.1.4", "resemblyzer/pretrained.pt"),),
    17_090_379,
    "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
    # Of what the package asks for nothing is used, and webrtcvad has to be compiled.
    pip="--no-deps",
)
WINDOW, HOP, BANDS = SAMPLE_RATE * 25 // 1000, SAMPLE_RATE * 10 // 1000, 40
"""Samples of a frame and between frames, and mel bands."""
PART_FRAMES, PARTS_A_SECOND, LEAST_COVERED = 160, 1.3, 0.75
"""Parts of an utterance: frames of each, parts that start in a second, and the share of the last part that
has to be audio."""
SIZE, LAYERS = 256, 3
LOUDNESS_DBFS = -30.0
"""Quieter audio is raised to this level before it is embedded."""
UNUSED = {"similarity_weight": (1,), "similarity_bias": (1,)}
"""Of the training loss."""


class GE2ESpeaker(Similarity):
    """Metric "ge2e": the cosine of GE2E embeddings of a candidate and of the target's whole reference, in
    [0, 1] since the embeddings are not negative; "ge2e-r" against the resynthesis.

    As Resemblyzer (github.com/resemble-ai/Resemblyzer, Apache-2.0) embeds an utterance, after its
    normalisation of the volume. Its `preprocess_wav` also cuts out long silences, by webrtcvad, which is not
    done here. An utterance under 1.6 s is padded with silence. A part of an utterance is judged like a whole
    one.
    """

    about = About(
        measures="speaker similarity: cosine of GE2E embeddings (Resemblyzer)",
        needs=("reference",),
        released={"ge2e": "Apache-2.0 (Resemblyzer)"},
        min_seconds=0.5,
    )

    def __init__(self, model: "GE2EModel", *, spec: str, name: str = "ge2e", **settings: Any) -> None:
        """settings: of `Similarity`."""
        super().__init__(spec=spec, name=name, **settings)
        self._model = model

    @classmethod
    def reference_of(cls, spec: Spec) -> Reference:
        reference = super().reference_of(spec)
        return replace(reference, metric=reference.metric.replace("sim", "ge2e"))

    @classmethod
    def wheel(cls, spec: Spec) -> Wheel | None:
        return None if without_source(spec).source else WHEEL

    @classmethod
    def locate(cls, spec: Spec) -> Path | Wheel:
        source = without_source(spec).source
        if not source:
            WHEEL.check()
            return WHEEL
        file = user_path(source, "ge2e model", error=VerifierError)
        if not file.is_file():
            raise VerifierError(
                f"{file} is no file: write ge2e alone, or give a pretrained.pt of Resemblyzer"
            )
        return file

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "GE2ESpeaker":
        """`ge2e:FILE?batch=&least=&name=&reference=`; FILE: a checkpoint of Resemblyzer; without a file that
        of the package resemblyzer."""
        options, found = cls.read(spec, device), cls.locate(spec)
        with isolated():
            check_device(device)
            model = load_model(found, device)
        return cls(model, spec=str(without_source(spec)), **options)

    def _vectors(self, waveforms: list[Waveform]) -> NDArray[np.float64]:
        return self._model.embed(np.stack(waveforms))


class GE2EModel:
    """Three LSTM layers over mel frames; the last layer's state after the last frame, projected, without
    negative values, is the embedding of a part of an utterance."""

    def __init__(self, lstm: Any, linear: Any, device: str) -> None:
        import torch
        from transformers.audio_utils import mel_filter_bank

        self._lstm, self._linear = lstm.to(device).eval(), linear.to(device).eval()
        filters = mel_filter_bank(
            WINDOW // 2 + 1, BANDS, 0.0, SAMPLE_RATE / 2, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
        )
        self._filters = torch.from_numpy(filters).float().to(device)
        self._window = torch.hann_window(WINDOW, device=device)

    def embed(self, waveforms: NDArray[np.float32]) -> NDArray[np.float64]:
        """[rows, SIZE] of [rows, samples] at 16 kHz: the mean over the parts of each, of unit length."""
        import torch
        from torch.nn.functional import normalize

        samples = waveforms.shape[1]
        starts = parts(samples)
        raised = np.stack([raise_volume(waveform) for waveform in waveforms])
        missing = max(0, (starts[-1] + PART_FRAMES) * HOP - samples)
        mels = self._mels(torch.from_numpy(raised).to(self._window.device), missing)
        windows = torch.stack([mels[:, start : start + PART_FRAMES] for start in starts], dim=1)
        _, (states, _) = self._lstm(windows.flatten(0, 1))
        # Not normalize: of a vector of zeros nothing is known, and the cosine says so by not being finite.
        raw = self._linear(states[-1]).relu()
        unit = raw / raw.norm(dim=1, keepdim=True)
        mean = unit.unflatten(0, (len(waveforms), len(starts))).mean(1)
        found: NDArray[np.float64] = normalize(mean.double()).cpu().numpy()
        return found

    def _mels(self, waveforms: Any, missing: int) -> Any:
        """[rows, frames, BANDS]: the power in each mel band, not its logarithm, as librosa computes it.

        waveforms: [rows, samples], before `missing` samples of silence.
        """
        import torch
        from torch.nn.functional import pad

        spectrum = torch.stft(
            pad(waveforms, (0, missing)),
            WINDOW,
            HOP,
            window=self._window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        return spectrum.abs().square().transpose(1, 2) @ self._filters


def parts(samples: int) -> list[int]:
    """The first frame of each part of an utterance (Resemblyzer, `compute_partial_slices`).

    There is at least one. The last may reach beyond the audio, if enough of it is covered.
    """
    frames = -(-(samples + 1) // HOP)
    step = round(SAMPLE_RATE / PARTS_A_SECOND / HOP)
    starts = list(range(0, max(1, frames - PART_FRAMES + step + 1), step))
    covered = (samples - starts[-1] * HOP) / (PART_FRAMES * HOP)
    return starts[:-1] if covered < LEAST_COVERED and len(starts) > 1 else starts


def raise_volume(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """[samples], at least as loud as LOUDNESS_DBFS (root mean square). Not for silence."""
    level = 10 * np.log10(np.mean(np.square(waveform, dtype=np.float64)))
    return (waveform * np.float32(10 ** (max(0.0, LOUDNESS_DBFS - level) / 20))).astype(np.float32)


def load_model(found: Path | Wheel, device: str) -> GE2EModel:
    """Raises VerifierError unless the checkpoint holds exactly the encoder's weights."""
    import torch

    where = found.names if isinstance(found, Wheel) else str(found)
    file = io.BytesIO(found.read()) if isinstance(found, Wheel) else found
    checkpoint = read_checkpoint(file, "a checkpoint of Resemblyzer", where)
    state = checkpoint.get("model_state") if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise VerifierError(f"{where} has no 'model_state' of tensors: give a checkpoint of Resemblyzer")
    lstm = torch.nn.LSTM(BANDS, SIZE, LAYERS, batch_first=True)
    linear = torch.nn.Linear(SIZE, SIZE)
    layers = {"lstm": lstm, "linear": linear}
    expected = {
        f"{name}.{part}": tuple(tensor.shape)
        for name, layer in layers.items()
        for part, tensor in layer.state_dict().items()
    }
    check_shapes(
        where,
        {**expected, **UNUSED},
        {name: tuple(tensor.shape) for name, tensor in state.items()},
        "give a checkpoint of Resemblyzer",
    )
    for name, layer in layers.items():
        own = {part: state[f"{name}.{part}"] for part in layer.state_dict()}
        layer.load_state_dict(own)
        layer.requires_grad_(False)
    return GE2EModel(lstm, linear, device)
