"""Speaker similarity by speechbrain's ECAPA-TDNN (arXiv 2005.07143): the second judge of voices in the Llasa
paper."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import SAMPLE_RATE, Waveform
from llasa_core.errors import first_line
from llasa_core.loading import check_device
from verifiers.base import About
from verifiers.errors import VerifierError
from verifiers.models.ecapa_settings import EMBEDDING, FEATURES, NORM, read_hyperparams
from verifiers.shared.isolation import isolated
from verifiers.shared.loading import check_cached, check_shapes, fetch, locate, read_checkpoint
from verifiers.shared.similarity import Similarity
from verifiers.spec import Readers, Spec, word

RELEASED = "speechbrain/spkrec-ecapa-voxceleb"
SETTINGS = "hyperparams.yaml"
WEIGHTS = "embedding_model.ckpt"
CURE = f"give {SETTINGS} and {WEIGHTS} of the same model"
_WHILE_IMPORTED = {
    "SB_DISABLE_QUIRKS": "disable_jit_profiling,allow_tf32,disable_cudnn_benchmarking",
    "SB_LOG_LEVEL": "ERROR",
}


class EcapaSpeaker(Similarity):
    """Metric "sim": the cosine, in [-1, 1], of embeddings of a candidate and of the target's whole reference.

    Unreliable under 1.5 to 2 s, refused under 0.5 s. Compare candidates of similar length only. The settings
    of a model (hyperparams.yaml) are read as data: no code that they name is run.
    """

    about = About(
        measures="speaker similarity: cosine of ECAPA-TDNN embeddings",
        needs=("reference",),
        released={f"ecapa:{RELEASED}": "Apache-2.0"},
        min_seconds=0.5,
        extra="speechbrain",
        modules=("speechbrain", "torchaudio"),
    )

    options: ClassVar[Readers] = {**Similarity.options, "revision": word}

    def __init__(self, model: "EcapaModel", *, spec: str, **settings: Any) -> None:
        """settings: of `Similarity`."""
        super().__init__(spec=spec, **settings)
        self._model = model

    @classmethod
    def locate(cls, spec: Spec) -> Path | str:
        return _locate(spec.source)

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "EcapaSpeaker":
        """`ecapa:SOURCE?batch=&least=&name=&reference=&revision=`; SOURCE: a folder, or a hub id."""
        options, found = cls.read(spec, device), cls.locate(spec)
        revision = options.pop("revision", None)
        folder = found if isinstance(found, Path) else fetch(found, revision, (SETTINGS, WEIGHTS))
        _locate(str(folder))
        with isolated():
            check_device(device)
            model = load_model(folder, device)
        return cls(model, spec=str(spec), **options)

    def _vectors(self, waveforms: list[Waveform]) -> NDArray[np.float64]:
        import torch

        vectors = self._model.embed(torch.from_numpy(np.stack(waveforms)))
        found: NDArray[np.float64] = vectors.double().cpu().numpy()
        return found


class EcapaModel:
    """What speechbrain's EncoderClassifier does to embed: filter banks, normalised over each utterance, the
    network."""

    def __init__(self, features: Any, norm: Any, network: Any, device: str) -> None:
        self._features = features.to(device).eval()
        self._norm = norm.to(device).eval()
        self._network = network.to(device).eval()
        self._device = device

    def embed(self, waveforms: Any) -> Any:
        """[rows, size] of [rows, samples], which count as whole: padded rows would be embedded otherwise than
        alone."""
        import torch

        waveforms = waveforms.to(self._device)
        lengths = torch.ones(len(waveforms), device=self._device)
        features = self._norm(self._features(waveforms), lengths)
        return self._network(features, lengths).squeeze(1)


def load_model(folder: Path, device: str) -> EcapaModel:
    """From the settings and the embedding model's weights of a folder. Raises VerifierError unless they fit
    exactly."""
    import torch

    settings = read_hyperparams(folder / SETTINGS)
    weights = read_checkpoint(folder / WEIGHTS, CURE.removeprefix("give "))
    if not isinstance(weights, dict) or not all(
        isinstance(value, torch.Tensor) for value in weights.values()
    ):
        raise VerifierError(f"{folder / WEIGHTS} holds no weights: {CURE}")
    with _without_quirks():
        from speechbrain.lobes.features import Fbank
        from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
        from speechbrain.processing.features import InputNormalization

        try:
            features, norm = Fbank(**settings[FEATURES]), InputNormalization(**settings[NORM])
            with torch.device("meta"):
                network = ECAPA_TDNN(**settings[EMBEDDING])
        # Sizes that do not go together raise whatever torch and speechbrain stumble on.
        except Exception as error:
            raise VerifierError(
                f"cannot build the model of {folder / SETTINGS} ({first_line(error)}): {CURE}"
            ) from error
    check_shapes(
        str(folder / WEIGHTS),
        {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()},
        {name: tuple(tensor.shape) for name, tensor in weights.items()},
        CURE,
    )
    network.load_state_dict(
        {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in weights.items()},
        assign=True,
    )
    if (rate := settings[FEATURES].get("sample_rate", SAMPLE_RATE)) != SAMPLE_RATE:
        raise VerifierError(
            f"{folder} was trained on {rate} Hz audio: give a model for {SAMPLE_RATE} Hz, such as {RELEASED}"
        )
    return EcapaModel(features, norm, network.requires_grad_(False), device)


def _locate(source: str) -> Path | str:
    """A folder, or a hub id. Raises VerifierError."""
    if source == "nano":
        raise VerifierError(
            f"there is no packaged ecapa model: give a folder, or a hub id as in 'ecapa:{RELEASED}'"
        )
    found = locate("ecapa", source, (SETTINGS,), weights=(WEIGHTS,))
    if isinstance(found, str):
        check_cached(found, SETTINGS)
    elif found.is_file():
        raise VerifierError(f"{found} is a file: ecapa loads a folder with {SETTINGS} and {WEIGHTS}")
    else:
        read_hyperparams(found / SETTINGS)
    return found


@contextlib.contextmanager
def _without_quirks() -> Iterator[None]:
    """speechbrain's first import lets all of torch compute in TF32, turns the JIT's profiling off, and has
    each of its loggers speak from INFO on; not so inside, unless the user has set it. It also leaves modules
    that raise ImportError when anything else looks at them (for their file, say): they are taken out again.
    """
    before = {name: os.environ.get(name) for name in _WHILE_IMPORTED}
    os.environ.update({name: value for name, value in _WHILE_IMPORTED.items() if before[name] is None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
        for name, module in list(sys.modules.items()):
            if any(base.__name__ == "LazyModule" for base in type(module).__mro__):
                del sys.modules[name]
