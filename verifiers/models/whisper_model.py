"""Whisper models as openai-whisper defines them: from a folder, a `.pt` file, or by official name (from
openai-whisper's cache, an installed package that holds the weights, or its makers)."""

import contextlib
import os
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import Any

from llasa_core import hub
from llasa_core.errors import first_line, nearest
from llasa_core.paths import user_path
from verifiers.errors import VerifierError
from verifiers.models.whisper_ct2 import WHEELS, convert
from verifiers.shared.loading import check_shapes, locate, read_checkpoint, read_json
from verifiers.shared.wheels import Wheel

OFFICIAL = {
    **{
        name: f"{name}.pt"
        for name in (
            *("tiny.en", "tiny", "base.en", "base", "small.en", "small", "medium.en", "medium"),
            *("large-v1", "large-v2", "large-v3", "large-v3-turbo"),
        )
    },
    "large": "large-v3.pt",
    "turbo": "large-v3-turbo.pt",
}
"""Names that openai-whisper downloads, and the file that each becomes in its cache."""
SMALLEST_VOCABULARY = 51_864
"""Of the English-only tokenizer; the multilingual ones are larger."""
MEL_BANDS = (80, 128)
FILES = ("config.json", "model.safetensors")
HALF = 2
"""Bytes of a number in half precision."""


def find(source: str) -> Path | str | Wheel:
    """The folder or file of a source, an official name, or the installed package that holds an official
    model. Raises VerifierError; loads nothing.

    An official model comes from openai-whisper's cache, else from an installed package, else it is fetched;
    without a hub (HF_HUB_OFFLINE) it has to be in one of the first two.
    """
    if is_official(source):
        cached, wheel = cache_file(source), WHEELS.get(source)
        if cached.is_file():
            return source
        if wheel is not None and wheel.installed:
            wheel.check()
            return wheel
        if hub.is_off():
            brought = f"{wheel.install}, " if wheel else ""
            raise VerifierError(
                f"Whisper {source} is not at {cached} and downloads are switched off: {brought}unset "
                "HF_HUB_OFFLINE, put the file there, or give a folder"
            )
        return source
    if source != "nano" and not user_path(source, "whisper model", error=VerifierError).exists():
        raise VerifierError(
            f"whisper model {source!r} is neither a folder, a .pt file nor a model of openai-whisper"
            f"{nearest(source.rpartition('/')[2], OFFICIAL)}"
        )
    found = locate("whisper", source, FILES)
    if isinstance(found, Path) and found.is_dir() and "dims" not in read_json(found / "config.json"):
        raise VerifierError(
            f"{found / 'config.json'} has no 'dims': give a model of openai-whisper, not of transformers"
        )
    return found


def is_official(source: str) -> bool:
    """Whether the source is a name of openai-whisper's; a file or folder of that name is `./base`."""
    return source in OFFICIAL


def cache_file(name: str) -> Path:
    """Where openai-whisper keeps an official model."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "whisper" / OFFICIAL[name]


def orthography(found: Path | str | Wheel) -> str:
    """How the model writes: "plain" (lower case, no punctuation) if config.json says so, or "written"."""
    if isinstance(found, Path) and found.is_dir():
        style = read_json(found / "config.json").get("orthography", "written")
        if style not in ("plain", "written"):
            raise VerifierError(
                f"{found / 'config.json'}: 'orthography' has to be 'plain' or 'written', not {style!r}"
            )
        return str(style)
    return "written"


def load(found: Path | str | Wheel, device: str) -> Any:
    """`whisper.model.Whisper` in evaluation mode; float32, on a GPU as `halved`. found: as from `find`.

    Raises VerifierError unless the file holds exactly the weights of its dimensions.
    """
    import whisper

    if isinstance(found, str):
        try:
            # Compares the file's hash, and reads tensors and plain values only.
            with _alone(cache_file(found)):
                return on_device(whisper.load_model(found, device="cpu"), device)
        except (OSError, RuntimeError, KeyError) as error:
            raise VerifierError(
                f"cannot load Whisper {found} ({first_line(error)}): check the network, or give a folder"
            ) from error
    where = found.names if isinstance(found, Wheel) else str(found)
    dims, state = _read(found)
    model = whisper.model.Whisper(_dimensions(dims, where))
    check_shapes(
        where,
        {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()},
        {name: tuple(tensor.shape) for name, tensor in state.items()},
    )
    # Copying into the float32 parameters also turns bf16 and fp16 files into float32.
    model.load_state_dict(state)
    return on_device(model, device)


def on_device(model: Any, device: str) -> Any:
    """The model in evaluation mode, on a GPU in half precision."""
    return (halved(model) if device.startswith("cuda") else model).to(device).eval()


def halved(model: Any) -> Any:
    """Its matrices and embeddings in float16, its norms in float32, as they are computed anyway.

    openai-whisper keeps all weights in float32 and casts those of every matrix whenever it is used: twice the
    memory, and some seven gigabytes moved for each token of large-v3. The released files hold float16.
    """
    from torch import nn

    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Embedding):
            module.half()
    return model


def windows_that_fit(dims: Any, device: str) -> int:
    """How many windows' keys and values of the audio take a quarter of this process's part of the GPU: 246 MB
    each of large-v3."""
    import torch

    from llasa_core.gpu_memory import own_share

    _, total = torch.cuda.mem_get_info(device)
    values: int = dims.n_text_layer * 2 * dims.n_audio_ctx * dims.n_text_state
    return max(1, int(own_share() * total) // 4 // (HALF * values))


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """One process of the machine at a time: openai-whisper fetches a file in place, and a second process
    would take the part that is there for a damaged file and fetch it once more into the same place."""
    from filelock import FileLock

    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
    lock = contextlib.ExitStack()
    with contextlib.suppress(OSError):  # where nobody may write, nothing is fetched
        lock.enter_context(FileLock(f"{file}.lock"))
    with lock:
        yield


def cut(model: Any, positions: int) -> Any:
    """The same model with only the first `positions` of its encoder (50 a second): a shorter window of audio.
    It shares all weights."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    short = deepcopy(model, shared)
    short.dims.n_audio_ctx = positions
    short.encoder.positional_embedding = model.encoder.positional_embedding[:positions]
    return short


def _read(found: Path | Wheel) -> tuple[Any, dict[str, Any]]:
    if isinstance(found, Wheel):
        return convert(found.read(), found.names)
    return _read_folder(found) if found.is_dir() else _read_pt(found)


def _read_folder(folder: Path) -> tuple[Any, dict[str, Any]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise VerifierError(
            f"cannot read {folder / 'model.safetensors'}: {error}: copy the file again"
        ) from None
    return read_json(folder / "config.json")["dims"], state


def _read_pt(file: Path) -> tuple[Any, dict[str, Any]]:
    checkpoint = read_checkpoint(file, "a .pt file of openai-whisper")
    if not isinstance(checkpoint, dict) or not {"dims", "model_state_dict"} <= set(checkpoint):
        raise VerifierError(f"{file} has no 'dims' and 'model_state_dict': give a .pt file of openai-whisper")
    return checkpoint["dims"], checkpoint["model_state_dict"]


def _dimensions(dims: Any, where: str) -> Any:
    from whisper.model import ModelDimensions

    names = [entry.name for entry in fields(ModelDimensions)]
    if not isinstance(dims, dict) or set(dims) != set(names):
        raise VerifierError(
            f"the dims of {where} have to be {', '.join(names)}: give a model of openai-whisper"
        )
    if not all(isinstance(value, int) and value > 0 for value in dims.values()):
        raise VerifierError(
            f"the dims of {where} have to be positive whole numbers: give a model of openai-whisper"
        )
    if dims["n_mels"] not in MEL_BANDS or dims["n_vocab"] < SMALLEST_VOCABULARY:
        raise VerifierError(
            f"{where} has n_mels {dims['n_mels']} and n_vocab {dims['n_vocab']}: openai-whisper needs "
            f"80 or 128 and at least {SMALLEST_VOCABULARY}"
        )
    return ModelDimensions(**dims)
