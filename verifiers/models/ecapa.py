"""Speaker similarity by speechbrain's ECAPA-TDNN (arXiv 2005.07143): the second judge of voices in the Llasa paper."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import SAMPLE_RATE
from verifiers.base import About
from verifiers.errors import VerifierError
from verifiers.shared.isolation import isolated
from verifiers.shared.loading import (
    check_cached,
    check_device,
    check_shapes,
    first_line,
    locate,
    read_checkpoint,
    refuse_differences,
    require,
)
from verifiers.shared.similarity import VOICE_OPTIONS, Similarity, voice_metric, voice_of
from verifiers.spec import Spec, word

RELEASED = "speechbrain/spkrec-ecapa-voxceleb"
SETTINGS = "hyperparams.yaml"
WEIGHTS = "embedding_model.ckpt"
FILES = (SETTINGS, WEIGHTS, "mean_var_norm_emb.ckpt", "classifier.ckpt", "label_encoder.txt", "config.json")
"""What is fetched from the hub; config.json names the commit and is not needed."""
CURE = f"give {SETTINGS} and {WEIGHTS} of the same model"
_OPTIONS = {**VOICE_OPTIONS, "revision": word}
_WHILE_IMPORTED = {
    "SB_DISABLE_QUIRKS": "disable_jit_profiling,allow_tf32,disable_cudnn_benchmarking",
    "SB_LOG_LEVEL": "ERROR",
}


class EcapaSpeaker(Similarity):
    """Metric "sim": the cosine, in [-1, 1], of embeddings of a candidate and of the target's whole reference.

    Unreliable under 1.5 to 2 s, refused under 0.5 s. Compare candidates of similar length only. The settings of a
    model (hyperparams.yaml) build Python objects when they are read: load models that you trust only.
    """

    about = About(
        measures="speaker similarity: cosine of ECAPA-TDNN embeddings",
        needs=("reference",),
        released={f"ecapa:{RELEASED}": "Apache-2.0"},
        min_seconds=0.5,
        extra="speechbrain",
        modules=("speechbrain", "torchaudio"),
    )

    def __init__(self, model: Any, *, spec: str, **settings: Any) -> None:
        """model: speechbrain's EncoderClassifier. settings: of `Similarity`."""
        super().__init__(spec=spec, **settings)
        self._model = model

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        spec.values(_OPTIONS)
        require("ecapa", cls.about)
        _locate(spec.source)

    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        return voice_metric(spec)

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "EcapaSpeaker":
        """`ecapa:SOURCE?batch=&name=&reference=&revision=`; SOURCE: a folder, or a hub id."""
        options = {**spec.values(_OPTIONS), "name": cls.metric(spec)[0], "reference": voice_of(spec)}
        revision = options.pop("revision", None)
        require("ecapa", cls.about)
        found = _locate(spec.source)
        with isolated():
            check_device(device)
            model = load_model(found if isinstance(found, Path) else _fetch(found, revision), device)
        return cls(model, spec=str(spec), **options)

    def _vectors(self, waveforms: NDArray[np.float32]) -> NDArray[np.float64]:
        import torch

        # Without lengths all rows count as whole; padded ones would be embedded otherwise than alone.
        vectors = self._model.encode_batch(torch.from_numpy(waveforms)).squeeze(1)
        found: NDArray[np.float64] = vectors.double().cpu().numpy()
        return found


def load_model(folder: Path, device: str) -> Any:
    """speechbrain's EncoderClassifier in evaluation mode, from the files of the folder alone.

    speechbrain only warns of weights that are missing or left over, so they are compared here. Raises VerifierError
    unless the embedding model has exactly the weights of the file.
    """
    import torch

    weights = read_checkpoint(folder / WEIGHTS, CURE.removeprefix("give "))
    if not isinstance(weights, dict) or not all(
        isinstance(value, torch.Tensor) for value in weights.values()
    ):
        raise VerifierError(f"{folder / WEIGHTS} holds no weights: {CURE}")
    with _without_quirks(), _current_device(device):
        from speechbrain.inference.classifiers import EncoderClassifier
        from speechbrain.utils.fetching import FetchConfig, LocalStrategy

        try:
            model = EncoderClassifier.from_hparams(
                source=str(folder),
                savedir=None,
                # Without it even a local folder fetches its weights from the hub.
                overrides={"pretrained_path": str(folder)},
                run_opts={"device": device},
                local_strategy=LocalStrategy.NO_LINK,
                fetch_config=FetchConfig(allow_network=False),
            )
            network, features = model.mods["embedding_model"], model.mods["compute_features"]
        # The settings build any object of any package: there is no end to what they may raise.
        except Exception as error:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise VerifierError(f"cannot load {folder}: {reason}: {CURE}") from error
    loaded = network.state_dict()
    check_shapes(
        str(folder / WEIGHTS),
        {name: tuple(tensor.shape) for name, tensor in loaded.items()},
        {name: tuple(tensor.shape) for name, tensor in weights.items()},
        CURE,
    )
    other = [
        name
        for name, tensor in loaded.items()
        if not torch.equal(tensor.cpu(), weights[name].to(tensor.dtype))
    ]
    refuse_differences(str(folder / WEIGHTS), errors=other, cure=CURE)
    rate = getattr(getattr(features, "compute_STFT", None), "sample_rate", SAMPLE_RATE)
    if rate != SAMPLE_RATE:
        raise VerifierError(
            f"{folder} was trained on {rate} Hz audio: give a model for {SAMPLE_RATE} Hz, such as {RELEASED}"
        )
    return model.eval()


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
    return found


def _fetch(hub_id: str, revision: str | None) -> Path:
    """The folder of a hub model in the local cache; fetched if need be. Raises VerifierError."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(hub_id, revision=revision, allow_patterns=list(FILES)))
    except (OSError, ValueError) as error:
        raise VerifierError(
            f"cannot fetch {hub_id}: {first_line(error)}: check the name and the network, or give a folder"
        ) from error
    _locate(str(folder))
    return folder


@contextlib.contextmanager
def _without_quirks() -> Iterator[None]:
    """speechbrain's first import lets all of torch compute in TF32, turns the JIT's profiling off, and has each of its
    loggers speak from INFO on; not so inside, unless the user has set it. It also leaves modules that raise ImportError
    when anything else looks at them (for their file, say): they are taken out again.
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


@contextlib.contextmanager
def _current_device(device: str) -> Iterator[None]:
    """speechbrain makes the GPU that it loads to the current one; afterwards it is the caller's again."""
    import torch

    if torch.device(device).type != "cuda":
        yield
        return
    with torch.cuda.device(torch.cuda.current_device()):
        yield
