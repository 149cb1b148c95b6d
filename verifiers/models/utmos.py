"""Naturalness of speech by UTMOS, the strong learner as one TorchScript file: torch alone runs it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llasa_core import hub
from llasa_core.audio import SAMPLE_RATE, Waveform, seconds
from llasa_core.loading import check_device
from llasa_core.paths import user_path
from verifiers.base import About, Score, Target
from verifiers.errors import VerifierError
from verifiers.shared.isolation import isolated
from verifiers.shared.loading import check_cached, fetch
from verifiers.shared.torchscript import load_torchscript
from verifiers.shared.verifier import BaseVerifier
from verifiers.shared.windows import equal_lengths, in_batches
from verifiers.spec import Readers, Spec, positive_int, word

if TYPE_CHECKING:
    from torch import Tensor

FILE = "utmos.jit"
WORST_MOS = 1.0
"""Of the scale of opinion scores, which ends at 5."""


class UTMOS(BaseVerifier):
    """Metric "utmos": the naturalness, about 1 to 5, that listeners of the VoiceMOS Challenge 2022 would
    state (Saeki et al. 2022, arXiv 2204.02152).

    The file is that of huggingface.co/balacoon/utmos, traced from the authors' demo: 16-bit samples [batch,
    samples] in, one score a row out. Batches hold equal lengths only, because the score is a mean over all
    frames. A part of an utterance is judged like a whole one. Evidence: seconds.
    """

    about = About(
        measures="naturalness: UTMOS opinion score, 1 to 5",
        needs=(),
        released={"utmos:balacoon/utmos": "see its page (code of UTMOS: MIT)"},
        min_seconds=0.5,
    )
    metric_name = "utmos"
    worst = WORST_MOS
    options: ClassVar[Readers] = {"batch": positive_int, "revision": word}

    def __init__(self, model: Any, device: str, *, spec: str, name: str = "utmos", batch: int = 8) -> None:
        """model: torch.jit.ScriptModule, as from `load_model`."""
        super().__init__(spec=spec, name=name)
        self._model = model
        self._device = device
        self._batch = batch

    @classmethod
    def locate(cls, spec: Spec) -> Path | str:
        found = locate(spec.source)
        if isinstance(found, str):
            check_cached(found, FILE)
        return found

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "UTMOS":
        """`utmos:SOURCE?batch=&name=&revision=`; SOURCE: utmos.jit, the folder that it is in, or a hub id."""
        options, found = cls.read(spec, device), cls.locate(spec)
        revision = options.pop("revision", None)
        file = found if isinstance(found, Path) else fetch(found, revision, (FILE,)) / FILE
        with isolated():
            check_device(device)
            model = load_model(file, device)
        return cls(model, device, spec=str(spec), **options)

    def score_all(self, waveforms: list[Waveform], target: Target, partial: bool) -> list[Score]:
        import torch

        def judge(some: list[Waveform]) -> list[float]:
            values: list[float] = _run(self._model, np.stack(some), self._device).tolist()
            return values

        with isolated(), torch.inference_mode():
            values = in_batches(equal_lengths(waveforms, self._batch), waveforms, judge)
        return [
            Score(value, {"seconds": seconds(waveform)})
            for waveform, value in zip(waveforms, values, strict=True)
        ]


def locate(source: str) -> Path | str:
    """The file of a source, or a hub id. Raises VerifierError."""
    found = user_path(source, "utmos model", error=VerifierError)
    file = found / FILE if found.is_dir() else found
    if file.is_file():
        return file
    if not found.exists() and source != "nano" and hub.is_hub_id(source):
        return source
    what = "no UTMOS is packaged" if source == "nano" else f"{file} does not exist"
    raise VerifierError(f"{what}: give {FILE} or the hub id that has it, as in utmos:balacoon/utmos")


def load_model(file: Path, device: str) -> Any:
    """The TorchScript module on the device, in evaluation mode.

    Raises VerifierError unless it takes 16-bit samples [batch, samples] and gives a number for each row.
    """
    import torch

    model = load_torchscript(file, device, f"{FILE} of balacoon/utmos")
    retarget(model, device)
    tone: Waveform = np.sin(np.arange(SAMPLE_RATE) / 20).astype(np.float32)
    try:
        with torch.inference_mode():
            _run(model, np.stack([tone, tone]), device)
    except (RuntimeError, ValueError, AttributeError, TypeError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise VerifierError(f"{file} is another model ({reason}): give {FILE} of balacoon/utmos") from error
    return model


def retarget(model: Any, device: str) -> None:
    """The device that was traced into the graphs (cuda:0 in the released file) becomes another one, before
    the module runs for the first time. As openai/CLIP does with its TorchScript files."""
    for module in model.modules():
        for method in module._c._method_names():
            for node in module._c._get_method(method).graph.findAllNodes("prim::Constant"):
                if node.output().type().kind() == "DeviceObjType" and "value" in node.attributeNames():
                    node.s_("value", device)


def _run(model: Any, waveforms: NDArray[np.float32], device: str) -> "Tensor":
    """[rows] of [rows, samples]. Raises ValueError for anything but a finite number each."""
    import torch

    # The inverse of reading a 16-bit file.
    samples = np.clip(np.rint(waveforms * 32768.0), -32768, 32767).astype(np.int16)
    found: Tensor = model(torch.from_numpy(samples).to(device)).double().cpu()
    if found.numel() != len(waveforms) or not found.isfinite().all():
        raise ValueError(f"it gives {tuple(found.shape)} for {len(waveforms)} waveforms")
    return found.reshape(-1)
