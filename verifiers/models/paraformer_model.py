"""Paraformer models as funasr defines them: from a folder, or from the ModelScope or Hugging Face hub."""

import os
import re
from pathlib import Path
from typing import Any

from llasa_core.audio import SAMPLE_RATE
from verifiers.errors import VerifierError
from verifiers.shared.funasr import from_modelscope
from verifiers.shared.loading import HUB_ID, refuse_differences

FILES = ("config.yaml", "model.pt", "tokens.json", "am.mvn")
"""What a folder has to hold; `seg_dict` and `configuration.json` are read if they are there."""
CLASSES = ("Paraformer", "BiCifParaformer", "SeacoParaformer")
"""Classes of funasr that decode alike as long as there are no hotwords."""
HUBS = ("ms", "hf")
NAMES = {
    "ms": {
        "paraformer-zh": "iic/speech_seaco_paraformer_large_asr_nat-zh-cn-16k-common-vocab8404-pytorch",
        "paraformer": "iic/speech_paraformer-large_asr_nat-zh-cn-16k-common-vocab8404-pytorch",
        "paraformer-en": "iic/speech_paraformer-large-vad-punc_asr_nat-en-16k-common-vocab10020",
    },
    "hf": {
        "paraformer-zh": "funasr/paraformer-zh",
        "paraformer": "funasr/paraformer-zh",
        "paraformer-en": "funasr/paraformer-en",
    },
}
"""funasr's short names, which are other models on the other hub: `paraformer-zh` is SeACo on ModelScope only."""
USED = ("encoder.", "decoder.", "predictor.", "ctc.")
"""Parts on which a transcript depends. What a checkpoint holds beyond the model is refused in these."""


def find(source: str, hub: str = "ms", *, revision: str | None = None) -> Path | str:
    """A folder, or the id of a model on the hub. Raises VerifierError; loads nothing.

    Without a hub (HF_HUB_OFFLINE) the model has to be in the hub's cache, and its folder is returned.
    """
    folder = Path(source).expanduser()
    if folder.exists():
        _check_folder(folder)
        return folder
    hub_id = NAMES[hub].get(source, source)
    if source == "nano" or source.startswith(".") or not HUB_ID.fullmatch(hub_id):
        what = "no Paraformer is packaged" if source == "nano" else f"Paraformer {source!r} not found"
        raise VerifierError(
            f"{what}: give the folder of a model, a hub id 'owner/name', or one of {', '.join(NAMES[hub])}"
        )
    if not _offline():
        return hub_id
    folder = _download(hub_id, hub, revision, local=True)
    _check_folder(folder)
    return folder


def load(found: Path | str, device: str, hub: str = "ms", *, revision: str | None = None) -> Any:
    """`funasr.AutoModel` around the model, in float32 and evaluation mode. found: as from `find`.

    Raises VerifierError unless the file holds the weights of its configuration: funasr itself leaves random
    weights where a name is missing or a shape differs. Call it in `verifiers.shared.isolation.isolated`.
    """
    import logging

    import torch

    folder = found if isinstance(found, Path) else _download(found, hub, revision, local=False)
    _check_folder(folder)
    logging.getLogger().setLevel(logging.CRITICAL)
    from funasr import AutoModel

    try:
        loaded = AutoModel(
            # A folder is read in the manner of "ms": that of "hf" would drop cmvn_file for frontend_conf.
            model=str(folder),
            hub="ms",
            device=device,
            ncpu=torch.get_num_threads(),
            # Noise on the features would give another transcript at every call.
            frontend_conf={"dither": 0.0},
            disable_update=True,
            disable_pbar=True,
            check_latest=False,
            log_level="CRITICAL",
        )
    except Exception as error:
        # funasr raises whatever it stumbles on: AttributeError, AssertionError, KeyError, TypeError...
        raise VerifierError(
            f"funasr cannot load {folder} ({_first_line(error)}): give a complete model folder"
        ) from error
    _check_weights(loaded.model, folder)
    _check_parts(loaded, folder)
    loaded.model.float().eval()
    return loaded


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise VerifierError(f"{folder} is a file: paraformer loads a folder with {', '.join(FILES)}")
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise VerifierError(f"{folder} lacks {', '.join(missing)}: give a complete model folder")
    text = (folder / "config.yaml").read_text("utf-8", errors="replace")
    stated = re.search(r"^model:\s*(\S+)", text, re.MULTILINE)
    if stated is None or stated[1] not in CLASSES:
        raise VerifierError(
            f"{folder / 'config.yaml'} is of a model {stated[1] if stated else 'without a name'!r}: "
            f"paraformer loads {', '.join(CLASSES)}"
        )


def _check_weights(model: Any, folder: Path) -> None:
    import pickle

    import torch

    try:
        state = torch.load(folder / "model.pt", map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise VerifierError(
            f"cannot read {folder / 'model.pt'} ({_first_line(error)}): copy the file again"
        ) from None
    for inside in ("state_dict", "model_state_dict", "model"):
        state = state[inside] if isinstance(state, dict) and inside in state else state
    found = {name.removeprefix("module."): tuple(tensor.shape) for name, tensor in state.items()}
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    refuse_differences(
        str(folder),
        missing=expected.keys() - found.keys(),
        unexpected=[name for name in found.keys() - expected.keys() if name.startswith(USED)],
        mismatched=[name for name in expected.keys() & found.keys() if expected[name] != found[name]],
    )


def _check_parts(loaded: Any, folder: Path) -> None:
    frontend, tokenizer = loaded.kwargs.get("frontend"), loaded.kwargs.get("tokenizer")
    if frontend is None or frontend.fs != SAMPLE_RATE or frontend.dither != 0.0 or frontend.cmvn is None:
        raise VerifierError(
            f"{folder} has no frontend for {SAMPLE_RATE} Hz audio with am.mvn: give a complete model folder"
        )
    if tokenizer is None or len(tokenizer.token_list) != loaded.model.vocab_size:
        raise VerifierError(f"{folder} has no tokens.json of its model: give a complete model folder")


def _download(hub_id: str, hub: str, revision: str | None, *, local: bool) -> Path:
    """The folder of a model in the hub's cache, fetched unless `local`."""
    try:
        if hub == "hf":
            from huggingface_hub import snapshot_download

            return Path(snapshot_download(hub_id, revision=revision, local_files_only=local))
        return from_modelscope(hub_id, revision, local=local)
    except Exception as error:
        # Both hubs have errors of their own, and those of requests and httpx come through.
        cure = "unset HF_HUB_OFFLINE, or give a folder" if local else "check the network, or give a folder"
        where = "is not in the local cache and the hub is switched off" if local else "cannot be fetched"
        raise VerifierError(f"{hub_id} {where} ({_first_line(error)}): {cure}") from error


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(error).__name__
