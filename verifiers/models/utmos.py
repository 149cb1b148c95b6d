"""Naturalness of speech by UTMOS, the strong learner as one TorchScript file: torch alone runs it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llasa_core.audio import SAMPLE_RATE, Waveform, seconds
from verifiers.base import About, Score, Target
from verifiers.errors import VerifierError
from verifiers.shared.gate import gated
from verifiers.shared.isolation import isolated
from verifiers.shared.loading import HUB_ID, check_cached, check_device
from verifiers.shared.windows import equal_lengths
from verifiers.spec import Spec, positive_int, word

if TYPE_CHECKING:
    from torch import Tensor

FILE = "utmos.jit"
WORST_MOS = 1.0
"""Of the scale of opinion scores, which ends at 5."""
_OPTIONS = {"batch": positive_int, "name": word, "revision": word}


class UTMOS:
    """Metric "utmos": the naturalness, about 1 to 5, that listeners of the VoiceMOS Challenge 2022 would state
    (Saeki et al. 2022, arXiv 2204.02152).

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
    higher_is_better = True
    min_seconds = 0.5

    def __init__(self, model: Any, device: str, *, spec: str, name: str = "utmos", batch: int = 8) -> None:
        """model: torch.jit.ScriptModule, as from `load_model`."""
        self.name = name
        self.spec = spec
        self._model = model
        self._device = device
        self._batch = batch

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        spec.values(_OPTIONS)
        found = locate(spec.source)
        if isinstance(found, str):
            check_cached(found, FILE)

    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        return spec.options.get("name", "utmos"), True

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "UTMOS":
        """`utmos:SOURCE?batch=&name=&revision=`; SOURCE: utmos.jit, the folder that it is in, or a hub id."""
        options = spec.values(_OPTIONS)
        file = _fetched(locate(spec.source), options.pop("revision", None))
        with isolated():
            model = load_model(file, check_device(device))
        return cls(model, device, spec=str(spec), **options)

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        """As `verifiers.base.Verifier.score`; nothing of the target is needed."""

        def judge(waveforms: list[Waveform]) -> list[Score]:
            import torch

            scores: dict[int, Score] = {}
            with isolated(), torch.inference_mode():
                for rows in equal_lengths(waveforms, self._batch):
                    some = [waveforms[row] for row in rows]
                    values = _run(self._model, some, self._device).tolist()
                    for row, waveform, value in zip(rows, some, values, strict=True):
                        scores[row] = Score(value, {"seconds": seconds(waveform)})
            return [scores[row] for row in range(len(waveforms))]

        return gated(candidates, self.min_seconds, WORST_MOS, judge)


def locate(source: str) -> Path | str:
    """The file of a source, or a hub id. Raises VerifierError."""
    found = Path(source).expanduser()
    file = found / FILE if found.is_dir() else found
    if file.is_file():
        return file
    if not found.exists() and source != "nano" and HUB_ID.fullmatch(source) and not source.startswith("."):
        return source
    what = "no UTMOS is packaged" if source == "nano" else f"{file} does not exist"
    raise VerifierError(f"{what}: give {FILE} or the hub id that has it, as in utmos:balacoon/utmos")


def load_model(file: Path, device: str) -> Any:
    """The TorchScript module on the device, in evaluation mode.

    Raises VerifierError unless it takes 16-bit samples [batch, samples] and gives a number for each row.
    """
    import torch

    try:
        model = torch.jit.load(str(file), map_location=device).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise VerifierError(f"cannot load {file} ({reason}): give {FILE} of balacoon/utmos") from error
    retarget(model, device)
    tone: Waveform = np.sin(np.arange(SAMPLE_RATE) / 20).astype(np.float32)
    try:
        with torch.inference_mode():
            _run(model, [tone, tone], device)
    except (RuntimeError, ValueError, AttributeError, TypeError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise VerifierError(f"{file} is another model ({reason}): give {FILE} of balacoon/utmos") from error
    return model


def retarget(model: Any, device: str) -> None:
    """The device that was traced into the graphs (cuda:0 in the released file) becomes another one, before the
    module runs for the first time. As openai/CLIP does with its TorchScript files."""
    for module in model.modules():
        for method in module._c._method_names():
            for node in module._c._get_method(method).graph.findAllNodes("prim::Constant"):
                if node.output().type().kind() == "DeviceObjType" and "value" in node.attributeNames():
                    node.s_("value", device)


def _run(model: Any, waveforms: list[Waveform], device: str) -> "Tensor":
    """[waveforms] of waveforms of one length. Raises ValueError for anything but a finite number each."""
    import torch

    # The inverse of reading a 16-bit file.
    samples = np.clip(np.rint(np.stack(waveforms) * 32768.0), -32768, 32767).astype(np.int16)
    found: Tensor = model(torch.from_numpy(samples).to(device)).double().cpu()
    if found.numel() != len(waveforms) or not found.isfinite().all():
        raise ValueError(f"it gives {tuple(found.shape)} for {len(waveforms)} waveforms")
    return found.reshape(-1)


def _fetched(found: Path | str, revision: str | None) -> Path:
    if isinstance(found, Path):
        return found
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(found, FILE, revision=revision))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise VerifierError(
            f"{found} cannot be fetched ({reason}): check the network, or give {FILE}"
        ) from error
