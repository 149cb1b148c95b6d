"""Models of funasr: where their files are, and building them so that no code of theirs runs and no weight is
random.

funasr's own loader evaluates expressions in a model's config.yaml and imports code that a model brings if it
is told to, skips weights of another shape without a word, prints missing ones and goes on with random ones.
So here the settings are read as plain data, only classes that are named below are built from them, and the
weights are loaded strictly. funasr's import gives the root logger a handler: call this within
`verifiers.shared.isolation.isolated`.
"""

import contextlib
import io
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llasa_core.hub as hugging_face
from llasa_core.errors import first_line
from llasa_core.loading import check_device
from llasa_core.paths import user_path
from verifiers.errors import VerifierError
from verifiers.shared.loading import NANO, read_checkpoint, read_json, refuse_differences
from verifiers.shared.loading import fetch as fetch_from_hugging_face
from verifiers.shared.settings import read_plain_yaml

HUBS = ("ms", "hf")
"""modelscope, Hugging Face."""
FILES = {
    "config": ("config.yaml",),
    "init_param": ("model.pt",),
    "token_list": ("tokens.txt", "tokens.json"),
    "seg_dict": ("seg_dict",),
    "cmvn_file": ("am.mvn",),
}
"""Roles of files, and their names where configuration.json does not name them."""
COMPONENTS: Mapping[str, Collection[str]] = {
    "encoder": ("SANMEncoder", "ConformerEncoder"),
    "decoder": ("ParaformerSANMDecoder", "ParaformerSANDecoder"),
    "predictor": ("CifPredictor", "CifPredictorV2", "CifPredictorV3"),
    "seaco_decoder": ("ParaformerSANMDecoder",),
    "specaug": ("SpecAug", "SpecAugLFR"),
    "normalize": (),
    "tokenizer": ("CharTokenizer",),
    "frontend": ("WavFrontend",),
}
"""Classes of funasr that a config.yaml may name."""


@dataclass(frozen=True, slots=True)
class FunASRModel:
    """model: a module of funasr in float32 and evaluation mode, on the device. tokenizer, frontend: None
    without one."""

    model: Any
    tokenizer: Any
    frontend: Any
    device: str


def locate_funasr(
    kind: str,
    source: str,
    models: Collection[str],
    hub: str = "ms",
    revision: str | None = None,
    needed: Sequence[str] = (),
    names: Mapping[str, str] | None = None,
) -> Path | str:
    """A folder whose settings can be built, or a hub id `owner/name` that may have one. Loads nothing.

    source: "nano" (the packaged model of that kind), a folder, or a hub id. models: funasr's names of what
    the kind loads. needed: roles in FILES beside settings and weights. names: short names of hub ids. Raises
    VerifierError, also for a hub id that is not in the local cache while the hub is switched off.
    """
    folder = NANO / kind if source == "nano" else user_path(source, f"{kind} model", error=VerifierError)
    if folder.is_dir():
        read_settings(kind, folder, models, needed)
        return folder
    if folder.exists():
        raise VerifierError(f"{folder} is a file: {kind} loads a folder with config.yaml and weights")
    source = (names or {}).get(source, source)
    if source == "nano" or not hugging_face.is_hub_id(source):
        what = f"no {kind} model is packaged" if source == "nano" else f"{kind} model {source!r} not found"
        known = f", or one of {', '.join(names)}" if names else ""
        raise VerifierError(f"{what}: give a folder, or a hub id 'owner/name'{known}")
    if not hugging_face.is_off():
        return source
    folder = fetch_funasr(source, hub, revision)
    read_settings(kind, folder, models, needed)
    return folder


def fetch_funasr(found: Path | str, hub: str, revision: str | None) -> Path:
    """The folder of what `locate_funasr` found, downloaded unless it is there. Raises VerifierError."""
    if isinstance(found, Path):
        return found
    if hub == "hf":
        return fetch_from_hugging_face(found, revision)
    offline = hugging_face.is_off()
    try:
        # the client alone: modelscope itself imports torch
        from modelscope_hub.compat import snapshot_download
    except ImportError:
        from modelscope.hub.snapshot_download import (  # type: ignore[no-redef]
            snapshot_download,
        )
    try:
        with _quiet_logging(), contextlib.redirect_stdout(io.StringIO()):
            return Path(snapshot_download(found, revision=revision or "master", local_files_only=offline))
    except Exception as error:  # modelscope raises its own kinds, and those of its libraries
        if offline:
            raise VerifierError(
                f"{found} is not in the local cache and the hub is switched off: "
                "unset HF_HUB_OFFLINE, or give a folder"
            ) from error
        raise VerifierError(
            f"cannot fetch {found} from modelscope ({first_line(error)}): "
            "check the name and the network, use hub=hf, or give a folder"
        ) from error


def read_settings(
    kind: str, folder: Path, models: Collection[str], needed: Sequence[str] = ()
) -> tuple[dict[str, Any], dict[str, Path]]:
    """config.yaml as plain values, and the files of the folder by their roles. Raises VerifierError."""
    files = _files(folder, needed)
    settings = read_plain_yaml(files["config"])
    if settings.get("model") not in models:
        raise VerifierError(
            f"{files['config']} is of a model {settings.get('model', 'without a name')!r}: "
            f"{kind} loads {', '.join(models)}"
        )
    for component, names in COMPONENTS.items():
        if (name := settings.get(component)) is not None and name not in names:
            raise VerifierError(
                f"{files['config']} asks for the {component} {name!r}: known are {', '.join(names) or 'none'}"
            )
    for part in (*(f"{component}_conf" for component in COMPONENTS), "model_conf", "ctc_conf"):
        if not isinstance(settings.get(part) or {}, dict):
            raise VerifierError(f"{part} in {files['config']} is no mapping: give a complete model folder")
    return settings, files


def load_funasr(
    kind: str,
    folder: Path,
    device: str,
    models: Collection[str],
    *,
    needed: Sequence[str] = (),
    unused: Sequence[str] = (),
) -> FunASRModel:
    """The model of a folder, every weight of it from the files.

    unused: prefixes of weights that no score depends on and that may be missing or left over (decoders of a
    pre-training, say). Raises VerifierError for settings of another model and for weights that do not fit,
    UserError for a device that is not there.
    """
    settings, files = read_settings(kind, folder, models, needed)
    check_device(device)
    with _quiet_logging():
        import torch
        from funasr.register import tables

        try:
            tokenizer, frontend = _tokenizer(settings, files, tables), _frontend(settings, files, tables)
            conf = settings.get("model_conf") or {}
            parts = [part for name in COMPONENTS for part in (name, f"{name}_conf")] + ["ctc_conf"]
            model = tables.model_classes[settings["model"]](
                **conf,
                **{part: settings[part] for part in parts if part in settings and part not in conf},
                model_conf=conf,
                vocab_size=-1 if tokenizer is None else len(tokenizer.token_list),
                input_size=None if frontend is None else frontend.output_size(),
            )
        except Exception as error:  # settings of any kind reach any code of these classes
            raise VerifierError(
                f"cannot build the model of {folder} ({type(error).__name__}: {first_line(error)}): "
                f"give a complete {kind} model"
            ) from error
        _load_strictly(model, files["init_param"], settings.get("scope_map"), unused)
        with torch.no_grad():
            return FunASRModel(model.float().to(device).eval(), tokenizer, frontend, device)


def _files(folder: Path, needed: Sequence[str]) -> dict[str, Path]:
    """By role. What configuration.json names, or what is usual, has to be there as far as it is needed."""
    names: dict[str, str] = {}
    if (folder / "configuration.json").is_file():
        metas = read_json(folder / "configuration.json").get("file_path_metas", {})
        named = dict(_leaves(metas)) if isinstance(metas, Mapping) else {}
        names = {
            role.removesuffix("_file") if role == "seg_dict_file" else role: n for role, n in named.items()
        }
    for role, usual in FILES.items():
        there = [name for name in usual if (folder / name).is_file()]
        if role not in names and (there or role in ("config", "init_param", *needed)):
            names[role] = (there or [usual[-1]])[0]
    names = {role: name for role, name in names.items() if role in FILES}
    outside = [name for name in names.values() if Path(name).is_absolute() or ".." in Path(name).parts]
    if outside:
        raise VerifierError(
            f"configuration.json of {folder} names {outside[0]!r}, which is not in the folder"
        )
    missing = sorted(name for name in names.values() if not (folder / name).is_file())
    if missing:
        raise VerifierError(
            f"{folder} lacks {', '.join(missing)}: give the complete folder of a funasr model"
        )
    return {role: folder / name for role, name in names.items()}


def _leaves(metas: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for role, value in metas.items():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        elif isinstance(value, str):
            yield role, value


def _tokenizer(settings: Mapping[str, Any], files: Mapping[str, Path], tables: Any) -> Any:
    if settings.get("tokenizer") is None:
        return None
    conf = settings.get("tokenizer_conf") or {}
    return tables.tokenizer_classes[settings["tokenizer"]](
        **{name: conf[name] for name in ("unk_symbol", "split_with_space", "space_symbol") if name in conf},
        token_list=str(files["token_list"]),
        seg_dict=str(files["seg_dict"]) if "seg_dict" in files else None,
    )


def _frontend(settings: Mapping[str, Any], files: Mapping[str, Path], tables: Any) -> Any:
    if settings.get("frontend") is None:
        return None
    # Noise on the features would give another transcript at every call.
    ours = {"cmvn_file": str(files["cmvn_file"]) if "cmvn_file" in files else None, "dither": 0.0}
    return tables.frontend_classes[settings["frontend"]](**{**(settings.get("frontend_conf") or {}), **ours})


def _load_strictly(model: Any, file: Path, scope_map: Any, unused: Sequence[str]) -> None:
    """Loads the weights, all or none."""
    found = read_checkpoint(file, "a complete model")
    for wrapping in ("state_dict", "model_state_dict", "model"):
        found = found.get(wrapping, found) if isinstance(found, Mapping) else found
    if not isinstance(found, Mapping) or not all(hasattr(tensor, "shape") for tensor in found.values()):
        raise VerifierError(f"{file} holds no weights: give a complete model")
    expected = model.state_dict()
    sources = {name: _source(name, found, scope_map) for name in expected}
    parts = {name.partition(".")[0] for name in expected}
    refuse_differences(
        str(file.parent),
        missing=[
            n for n, source in sources.items() if source not in found and not n.startswith(tuple(unused))
        ],
        # what a pre-training leaves beside the model is no part of it
        unexpected=[
            n
            for n in found.keys() - set(sources.values())
            if n.partition(".")[0] in parts and not n.startswith(tuple(unused))
        ],
        mismatched=[n for n, s in sources.items() if s in found and found[s].shape != expected[n].shape],
    )
    model.load_state_dict({n: found[s] for n, s in sources.items() if s in found}, strict=False)


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
