"""Speaker similarity by WavLM-large with an ECAPA-TDNN head: the SIM of seed-tts-eval (arXiv 2406.02430).

The weights are `wavlm_large_finetune.pth` of microsoft/UniSpeech (downstreams/speaker_verification); the head
is written anew here, `verifiers.models.wavlm_large_model`. The file holds backbone and head, so nothing else
is needed.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import Waveform
from llasa_core.loading import quiet_transformers
from llasa_core.paths import user_path
from verifiers.base import About
from verifiers.errors import VerifierError
from verifiers.shared.isolation import isolated
from verifiers.shared.loading import check_device, check_shapes, read_checkpoint, refuse_differences
from verifiers.shared.similarity import Similarity
from verifiers.shared.windows import equal_lengths, pad_on, similar_lengths
from verifiers.spec import Spec

FILE = "wavlm_large_finetune.pth"
UNUSED = "loss_calculator.projection.weight"
"""Of the training loss: the one weight of the file that no embedding depends on."""
CURE = f"give {FILE} as microsoft/UniSpeech released it"


class WavLMLargeSpeaker(Similarity):
    """Metric "sim": the cosine, in [-1, 1], of embeddings of a candidate and of the target's whole reference.

    Published figures call this SIM or SIM-o (SIM-r with `reference=resynthesis`). Unreliable under 1.5 to 2
    s, refused under 0.5 s. Compare candidates of similar length only. On a GPU batches hold similar lengths,
    with a mask.
    """

    about = About(
        measures="speaker similarity: cosine of WavLM-large + ECAPA-TDNN embeddings (SIM of seed-tts-eval)",
        needs=("reference",),
        released={f"wavlm-large-sv:{FILE}": "CC BY-SA 3.0 (as UniSpeech; to be confirmed)"},
        min_seconds=0.5,
    )

    def __init__(self, model: Any, *, spec: str, padded: bool = False, **settings: Any) -> None:
        """model: `verifiers.models.wavlm_large_model.SpeakerModel`. padded: whether batches hold similar
        lengths. settings: of `Similarity`."""
        super().__init__(spec=spec, **settings)
        self._padded = padded
        self._model = model

    @classmethod
    def locate(cls, spec: Spec) -> Path:
        return locate_file(spec.source)

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "WavLMLargeSpeaker":
        """`wavlm-large-sv:SOURCE?batch=&least=&name=&reference=`; SOURCE: the .pth file, or a folder that
        holds it."""
        options, file = cls.read(spec, device), cls.locate(spec)
        with isolated():
            check_device(device)
            model = load_model(file).to(device)
        return cls(model, spec=str(spec), padded=pad_on(device, model.wavlm.config), **options)

    def _batches(self, waveforms: Sequence[Waveform]) -> Iterator[list[int]]:
        return (similar_lengths if self._padded else equal_lengths)(waveforms, self._batch)

    def _vectors(self, waveforms: list[Waveform]) -> NDArray[np.float64]:
        import torch

        device = self._model.feature_weight.device
        if self._padded:
            vectors = self._model.padded([torch.from_numpy(waveform).to(device) for waveform in waveforms])
        else:
            vectors = self._model(torch.from_numpy(np.stack(waveforms)).to(device))
        found: NDArray[np.float64] = vectors.double().cpu().numpy()
        return found


def locate_file(source: str) -> Path:
    """The file of a source. Raises VerifierError."""
    path = user_path(source, "wavlm-large-sv model", error=VerifierError)
    if path.is_dir():
        path = path / FILE
    if path.is_file():
        return path
    where = "there is no packaged model" if source == "nano" else f"{path} not found"
    raise VerifierError(
        f"wavlm-large-sv: {where}: give the file {FILE} of microsoft/UniSpeech, or the folder that holds it"
    )


def load_model(file: Path) -> Any:
    """`SpeakerModel` in float32 and evaluation mode, of the sizes that the file's tensors have.

    Raises VerifierError unless every weight is in the file, and nothing else but that of the training loss.
    """
    import torch

    state = read_state(file)
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    with torch.device("meta"):
        model, file_name = _skeleton(file, shapes)
    expected = {file_name(name): name for name in model.state_dict()}
    check_shapes(
        str(file),
        {name: tuple(model.state_dict()[own].shape) for name, own in expected.items()},
        {name: shape for name, shape in shapes.items() if name != UNUSED},
        CURE,
    )
    weights = {own: state[name] for name, own in expected.items()}
    model.load_state_dict(
        {own: tensor.float() if tensor.is_floating_point() else tensor for own, tensor in weights.items()},
        assign=True,
    )
    return model.requires_grad_(False).eval()


def read_state(file: Path) -> dict[str, Any]:
    """Tensors by their names in the file."""
    import torch

    checkpoint = read_checkpoint(file, FILE)
    state = checkpoint.get("model") if isinstance(checkpoint, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise VerifierError(f"{file} has no weights under 'model': {CURE}")
    return dict(state)


def _skeleton(file: Path, shapes: Mapping[str, tuple[int, ...]]) -> tuple[Any, Any]:
    """A model without weights and the function that names them as the file does."""
    from transformers import WavLMConfig

    from verifiers.models.wavlm_large_model import SpeakerModel, file_name, sizes

    try:
        config, head = sizes(shapes)
        with quiet_transformers():
            return SpeakerModel(WavLMConfig(**config), head), file_name
    except KeyError as error:
        refuse_differences(str(file), missing=[str(error.args[0])], cure=CURE)
        raise
    except (ValueError, ZeroDivisionError, RuntimeError, TypeError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise VerifierError(
            f"the weights in {file} have sizes that no such model has ({reason}): {CURE}"
        ) from None
