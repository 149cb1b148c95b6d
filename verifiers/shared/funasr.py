"""Models of funasr: where their files are, and loading them so that no weight is left random.

funasr looks 7 s for a folder that is not there, skips weights of another shape without a word, prints missing ones to
stdout and goes on with random ones, and takes the CPU in place of a CUDA device that is absent. All of that is
checked here. Call its models within `verifiers.shared.isolation.isolated`: construction seeds every random state with 0,
`generate` sets the number of threads to 4, and the import gives the root logger a handler.

funasr evaluates expressions in a model's config.yaml: load only folders that you trust.
"""

import contextlib
import io
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from verifiers.errors import VerifierError
from verifiers.shared.isolation import isolated
from verifiers.shared.loading import NANO, check_device, read_json, refuse_differences

HUBS = ("ms", "hf")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def locate_funasr(kind: str, source: str, hub: str = "ms", revision: str | None = None) -> Path | str:
    """A folder that funasr can load, or a hub id `owner/name` that may be.

    source: "nano" (the packaged model of that kind), a folder, or a hub id. hub: "ms" (modelscope) or "hf".
    Raises VerifierError, also for a hub id that is not in the local cache while the hub is switched off.
    """
    folder = NANO / kind if source == "nano" else Path(source).expanduser()
    if folder.is_dir():
        files = funasr_files(folder)
        missing = [name for name, file in files.items() if not file.is_file()]
        if missing:
            raise VerifierError(
                f"{folder} lacks {', '.join(sorted(missing))}: give the folder of a funasr model, with config.yaml, "
                "the weights that configuration.json names or model.pt, and tokens.txt"
            )
        return folder
    if source != "nano" and _HUB_ID.fullmatch(source) and not source.startswith("."):
        if _offline():
            return fetch(source, hub, revision)
        return source
    raise VerifierError(f"{kind} model {source!r} not found: give 'nano', a folder, or a hub id 'owner/name'")


def funasr_files(folder: Path) -> dict[str, Path]:
    """The files that funasr will load from the folder, by their names in it: settings, weights, labels."""
    names = ["config.yaml", "model.pt"]
    if (folder / "configuration.json").is_file():
        metas = read_json(folder / "configuration.json").get("file_path_metas", {})
        named = [*_names(metas)] if isinstance(metas, Mapping) else []
        names = ["config.yaml", *(name for name in named if name != "config.yaml")]
        if not any(Path(name).suffix in (".pt", ".pb", ".bin") for name in names):
            names.append("model.pt")
    return {name: folder / name for name in names}


def _names(metas: Mapping[str, Any]) -> Iterator[str]:
    for value in metas.values():
        if isinstance(value, Mapping):
            yield from _names(value)
        elif isinstance(value, str):
            yield value


def fetch(source: str, hub: str, revision: str | None) -> Path:
    """The folder of a model of the hub, downloaded unless it is cached. Raises VerifierError."""
    try:
        with _quiet_logging(), contextlib.redirect_stdout(io.StringIO()):
            if hub == "hf":
                from huggingface_hub import snapshot_download as from_hf

                return Path(from_hf(source, revision=revision, local_files_only=_offline()))
            return from_modelscope(source, revision or "master", local=_offline())
    except Exception as error:  # each hub raises its own kinds
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
        if _offline():
            raise VerifierError(
                f"{source} is not in the local cache and the hub is switched off: "
                "unset HF_HUB_OFFLINE, or give a folder"
            ) from error
        raise VerifierError(f"cannot fetch {source} from the hub {hub!r} ({cause}): give a folder") from error


def from_modelscope(name: str, revision: str | None, *, local: bool) -> Path:
    """The folder of a model of modelscope; `local`: from its cache only. Raises what that hub raises."""
    try:
        # the client alone: modelscope itself imports torch
        from modelscope_hub.compat import snapshot_download
    except ImportError:
        from modelscope.hub.snapshot_download import (  # type: ignore[no-redef]
            snapshot_download,
        )
    return Path(snapshot_download(name, revision=revision, local_files_only=local))


def load_funasr(
    kind: str, found: Path | str, device: str, model_class: str, unused: Sequence[str] = ()
) -> Any:
    """funasr's AutoModel on the device in evaluation mode, every weight of it from the files, as float32.

    found: as from `locate_funasr`, downloaded already. model_class: its name in funasr. unused: prefixes of weights
    that no score depends on and that may be missing or left over (decoders of a pre-training, say).
    Raises VerifierError for a device that is not there, settings of another model, and weights that do not fit.
    """
    folder = Path(found)
    with isolated(), _quiet_logging():
        import torch

        check_device(device)
        try:
            from funasr import AutoModel

            auto = AutoModel(
                model=str(folder),
                device=device,
                disable_update=True,
                disable_pbar=True,
                log_level="ERROR",
                ncpu=torch.get_num_threads(),
                trust_remote_code=False,
            )
        except Exception as error:  # settings of any kind reach any code of funasr
            cause = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
            raise VerifierError(f"cannot load {folder}: {cause}: give a complete {kind} model") from error
        if type(auto.model).__name__ != model_class:
            raise VerifierError(
                f"{folder} holds a model {type(auto.model).__name__!r}: {kind} needs {model_class!r}"
            )
        _load_strictly(auto, folder, unused)
        auto.model.float().eval()
    return auto


def _load_strictly(auto: Any, folder: Path, unused: Sequence[str]) -> None:
    """Loads the weights again, as funasr names them, all or none."""
    import torch

    path = Path(str(auto.kwargs.get("init_param") or folder / "model.pt"))
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
        for wrapping in ("state_dict", "model_state_dict", "model"):
            found = found.get(wrapping, found)
        shapes = {name: tuple(tensor.shape) for name, tensor in found.items()}
    except Exception as error:  # pickles of any kind
        raise VerifierError(
            f"cannot read the weights {path}: {type(error).__name__}: give a complete model"
        ) from error
    expected = auto.model.state_dict()
    sources = {name: _source(name, found, auto.kwargs.get("scope_map")) for name in expected}
    parts = {name.partition(".")[0] for name in expected}
    refuse_differences(
        str(folder),
        missing=[
            n for n, source in sources.items() if source not in found and not n.startswith(tuple(unused))
        ],
        # what a pre-training leaves beside the model is no part of it
        unexpected=[
            n
            for n in found.keys() - set(sources.values())
            if n.partition(".")[0] in parts and not n.startswith(tuple(unused))
        ],
        mismatched=[n for n, s in sources.items() if s in found and shapes[s] != tuple(expected[n].shape)],
    )
    auto.model.load_state_dict({n: found[s] for n, s in sources.items() if s in found}, strict=False)


def _source(name: str, found: Mapping[str, Any], scope_map: Any) -> str:
    """Under which name the file has a weight: funasr's `scope_map` lists prefixes there and in the model."""
    scopes = scope_map.split(",") if isinstance(scope_map, str) else list(scope_map or ())
    scopes = ["" if scope is None or str(scope).lower() == "none" else str(scope) for scope in scopes]
    scopes += ["module.", ""]
    source = name
    for theirs, ours in zip(scopes[::2], scopes[1::2], strict=False):
        renamed = theirs + name.removeprefix(ours)
        if name.startswith(ours) and renamed in found:
            source = renamed
    return source


def _offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


@contextlib.contextmanager
def _quiet_logging() -> Iterator[None]:
    """Without funasr's warnings: what matters of them is checked and raised."""
    manager = logging.root.manager
    before = manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
