"""Finding a model's files and loading them strictly: no weight missing, left over or of another shape."""

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from llasa_core import hub
from llasa_core.audio import SAMPLE_RATE
from llasa_core.errors import first_line
from llasa_core.loading import attempt, refuse_code
from llasa_core.loading import check_device as check_device  # noqa: PLC0414 (for callers of old)
from llasa_core.paths import user_path
from verifiers.base import About
from verifiers.errors import VerifierError

NANO = Path(__file__).parents[1] / "nano"
"""Packaged models, one folder for each kind."""
SAME_MODEL = "give weights and config.json of the same model"

_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def locate(
    kind: str, source: str, files: Sequence[str] = ("config.json",), weights: Sequence[str] = _WEIGHTS
) -> Path | str:
    """A folder or file that is there, or a hub id `owner/name` that may be.

    source: "nano" (the packaged model of that kind), a path, or a hub id. A folder has to hold `files` and
    one of `weights`. Raises VerifierError.
    """
    if source == "nano":
        folder = NANO / kind
        cure = "install the package again, or give a folder or hub id in place of 'nano'"
    else:
        folder = user_path(source, f"{kind} model", error=VerifierError)
        cure = "give the folder that the model was saved to"
    if folder.is_file():
        return folder
    if folder.is_dir():
        missing = [name for name in files if not (folder / name).is_file()]
        if not any((folder / name).is_file() for name in weights):
            missing.append(weights[0])
        if missing:
            raise VerifierError(f"{folder} lacks {', '.join(missing)}: {cure}")
        return folder
    if source != "nano" and hub.is_hub_id(source):
        return source
    raise VerifierError(f"{kind} model {source!r} not found: {cure}, 'nano', or a hub id 'owner/name'")


def locate_transformers(kind: str, source: str, model_type: str, files: Sequence[str]) -> Path | str:
    """As `locate`, for a model of transformers: also checks the model type, and an offline hub's cache."""
    found = locate(kind, source, ("config.json", *files))
    if isinstance(found, str):
        check_cached(found)
    elif found.is_file():
        raise VerifierError(
            f"{found} is a file: {kind} loads a folder with config.json and model.safetensors"
        )
    else:
        stated = read_json(found / "config.json").get("model_type")
        if stated != model_type:
            raise VerifierError(
                f"{found} holds a model of type {stated!r}: {kind} needs one of type {model_type!r}"
            )
    return found


def require(kind: str, about: About) -> None:
    """Raises VerifierError with the command that installs what a kind needs and is not there. Imports
    nothing."""
    missing = [module for module in about.modules if not _installed(module)]
    if missing:
        raise VerifierError(
            f"{kind} needs {' and '.join(missing)}, not installed here: pip install "
            f"'llasa-search[{about.extra}]'"
        )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises VerifierError if the file is something else."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise VerifierError(
            f"cannot read {path}: {first_line(error)}: give a complete model folder"
        ) from None
    if not isinstance(value, dict):
        raise VerifierError(f"{path} is not a JSON object: give a complete model folder")
    return value


def read_checkpoint(file: Path | IO[bytes], what: str, where: str = "") -> Any:
    """What `torch.save` wrote, on the CPU, nothing but tensors and plain values. what, where: for the error:
    what to give, and the file's name, if it is not its path.

    Raises VerifierError.
    """
    import pickle

    import torch

    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        # torch's own words advise to run the code that it has refused.
        refused = "it holds Python objects" if "weights_only" in str(error) else first_line(error)
        raise VerifierError(f"cannot read {where or file} ({refused}): give {what}") from None


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def from_pretrained(
    model_class: Any, source: Path | str, *, revision: str | None = None, unused: Sequence[str] = ()
) -> Any:
    """A model of transformers in float32, in evaluation mode, every weight from the files.

    unused: prefixes of parameters that no score depends on (a training loss, say) and that may differ.
    Raises VerifierError.
    """
    import torch

    def load() -> Any:
        refuse_code(str(source), "config.json", revision=revision)
        return model_class.from_pretrained(
            str(source),
            revision=revision,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            local_files_only=isinstance(source, Path) or hub.is_off(),
            trust_remote_code=False,
        )

    model, info = attempt(str(source), "model", load, error=VerifierError)
    refuse_differences(
        str(source),
        missing=[key for key in info["missing_keys"] if not key.startswith(tuple(unused))],
        unexpected=[key for key in info["unexpected_keys"] if not key.startswith(tuple(unused))],
        mismatched=[key for key, *_ in info["mismatched_keys"] if not key.startswith(tuple(unused))],
        errors=info["error_msgs"],
    )
    return model.eval()


def from_hub(processor_class: Any, source: Path | str, *, revision: str | None = None) -> Any:
    """A tokenizer or feature extractor of transformers. Raises VerifierError."""

    def load() -> Any:
        files = ("tokenizer_config.json", "preprocessor_config.json")
        refuse_code(str(source), *files, revision=revision)
        return processor_class.from_pretrained(
            str(source),
            revision=revision,
            local_files_only=isinstance(source, Path) or hub.is_off(),
            trust_remote_code=False,
        )

    return attempt(str(source), "preprocessor", load, error=VerifierError)


def fetch(hub_id: str, revision: str | None, files: Sequence[str] | None = None) -> Path:
    """The folder of a model of the Hugging Face hub in the local cache, fetched if need be. files: all by
    default.

    Raises VerifierError.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                hub_id,
                revision=revision,
                allow_patterns=None if files is None else list(files),
                local_files_only=hub.is_off(),
            )
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise VerifierError(f"cannot fetch the model: {hub.problem(hub_id, error)}") from error


def check_sample_rate(extractor: Any, where: str) -> None:
    """Raises VerifierError unless the model was trained on 16 kHz audio."""
    if extractor.sampling_rate != SAMPLE_RATE:
        raise VerifierError(
            f"{where} was trained on {extractor.sampling_rate} Hz audio: give a model for {SAMPLE_RATE} Hz"
        )


def check_shapes(
    where: str,
    expected: Mapping[str, Sequence[int]],
    found: Mapping[str, Sequence[int]],
    cure: str = SAME_MODEL,
) -> None:
    """Raises VerifierError unless both have the same names and shapes."""
    refuse_differences(
        where,
        cure=cure,
        missing=[name for name in expected if name not in found],
        unexpected=[name for name in found if name not in expected],
        mismatched=[
            name for name in expected if name in found and tuple(expected[name]) != tuple(found[name])
        ],
    )


def refuse_differences(
    where: str,
    *,
    missing: Iterable[str] = (),
    unexpected: Iterable[str] = (),
    mismatched: Iterable[str] = (),
    errors: Iterable[str] = (),
    cure: str = SAME_MODEL,
) -> None:
    """Raises VerifierError if any of the lists holds something."""
    kinds = {
        "missing": missing,
        "unexpected": unexpected,
        "of another shape": mismatched,
        "not loaded": errors,
    }
    parts = [
        f"{kind}: {_few(sorted(map(str, names)))}"
        for kind, names in kinds.items()
        for names in [list(names)]
        if names
    ]
    if parts:
        raise VerifierError(
            f"the weights in {where} do not fit its configuration ({'; '.join(parts)}): {cure}"
        )


def check_cached(hub_id: str, file: str = "config.json") -> None:
    """Without a hub only what is in the local cache can be loaded: say so before anything else is loaded."""
    if hub.is_off() and hub.cached(hub_id, file) is None:
        raise VerifierError(
            f"{hub_id} is not in the local cache and the hub is switched off: "
            "unset HF_HUB_OFFLINE, or give a folder"
        )


def _few(names: Sequence[str], limit: int = 3) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
