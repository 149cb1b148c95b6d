"""Loading weights and tokenizers: strictly, or not at all."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from llasa_core.errors import UserError
from llasa_core.presets import resolve_source
from llasa_core.prompt import CONTEXT_TOKENS

if TYPE_CHECKING:
    import torch

Loaded = TypeVar("Loaded")


def default_dtype(device: str) -> torch.dtype:
    """float32 on a CPU, bfloat16 elsewhere, whatever precision the weights are stored in."""
    import torch

    return torch.float32 if torch.device(device).type == "cpu" else torch.bfloat16


def check_device(device: str) -> None:
    """Raises UserError for a device that this torch does not know or this machine does not have."""
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f'device "{device}" cannot be used ({reason}): give cpu, or cuda where there is one'
        ) from None


def load_tokenizer(source: str) -> Any:
    """The tokenizer of a generator. Raises UserError if it cannot be read."""
    import transformers

    resolved = resolve_source(source)
    return _attempt(
        resolved,
        "tokenizer",
        lambda: transformers.AutoTokenizer.from_pretrained(resolved, trust_remote_code=False),
    )


def load_model(source: str, class_name: str, model_type: str, dtype: torch.dtype, device: str) -> Any:
    """A transformers model in eval mode.

    Raises UserError for a folder of another model type, with damaged files, or whose weights do not fit the config
    key by key: transformers itself only warns and leaves random weights in their place.
    """
    import transformers

    resolved = resolve_source(source)
    check_device(device)

    def load() -> tuple[Any, dict[str, Any]]:
        found = transformers.AutoConfig.from_pretrained(resolved).model_type
        if found != model_type:
            raise UserError(
                f'{source} is a "{found}" model, not "{model_type}": give a {model_type} folder or hub id'
            )
        model_class = getattr(transformers, class_name)
        # Mismatched shapes are let through here, and refused by name below.
        model, info = model_class.from_pretrained(
            resolved, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True
        )
        return model, info

    model, info = _attempt(resolved, "model", load)
    _check_loaded(source, info)
    return model.to(device).eval().requires_grad_(False)


def context_tokens(source: str) -> int:
    """Tokens of context of a generator, from its config alone: at most the 2048 that Llasa was trained with."""
    import transformers

    resolved = resolve_source(source)
    config = _attempt(resolved, "config", lambda: transformers.AutoConfig.from_pretrained(resolved))
    return min(CONTEXT_TOKENS, int(config.max_position_embeddings))


def check_match(generator_codes: int, codec_codes: int) -> None:
    """Raises UserError unless generator and codec speak the same number of codes."""
    if generator_codes != codec_codes:
        raise UserError(
            f"the generator speaks {generator_codes} codes and the codec knows {codec_codes}: "
            "give a generator and a codec that belong together"
        )


def _check_loaded(source: str, info: Mapping[str, Any]) -> None:
    kinds = {
        "missing": "missing_keys",
        "unexpected": "unexpected_keys",
        "of another shape": "mismatched_keys",
    }
    problems = [
        f"{len(names)} {kind} ({min(map(str, names))}{', ...' if len(names) > 1 else ''})"
        for kind, key in kinds.items()
        if (names := list(info.get(key) or ()))
    ]
    problems += [str(message).splitlines()[0] for message in info.get("error_msgs") or ()]
    if problems:
        raise UserError(
            f"the weights of {source} do not fit its config: {'; '.join(problems)}: fetch config and weights again"
        )


def _attempt(resolved: str, part: str, load: Callable[[], Loaded]) -> Loaded:
    """Runs `load`; what transformers says about damaged or absent files becomes one UserError."""
    try:
        with _quiet():
            return load()
    except UserError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, json.JSONDecodeError) as error:
        reason = _first_line(error)
    except Exception as error:
        # safetensors, tokenizers and huggingface_hub raise their own direct subclasses of Exception.
        origin = type(error).__module__.split(".")[0]
        if origin not in {"builtins", "safetensors", "safetensors_rust", "huggingface_hub"}:
            raise
        reason = _first_line(error)
    cure = (
        "fetch or export the folder again"
        if Path(resolved).is_dir()
        else "check the name and the connection, or give a local folder"
    )
    raise UserError(f"cannot load the {part} of {resolved} ({reason}): {cure}") from None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".:") if lines else type(error).__name__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No reports and progress bars of transformers on stderr meanwhile: what matters is raised."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
