"""Loading weights and tokenizers: strictly, or not at all."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from llasa_core.errors import LlasaError, UserError, first_line
from llasa_core.hub import is_hub_id, problem
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
        # A copy back: nothing can be computed on the device "meta".
        torch.zeros(1, device=torch.device(device)).cpu()
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        known = re.fullmatch(r"(cpu|cuda|mps|xpu)(:\d+)?", device)
        reason = first_line(error) if known else "there is none of that name"
        raise UserError(
            f'device "{device}" cannot be used ({reason}): give cpu, or cuda where there is one'
        ) from None


def refuse_code(source: str, *files: str, revision: str | None = None) -> None:
    """Raises UserError if JSON files of a model name code that is to be run: it never is, whoever wrote it.

    source: a folder or hub id. transformers would run what `auto_map` and `custom_pipelines` name, and would
    fetch an attention kernel from the hub.
    """
    from transformers.utils import cached_file

    for name in files:
        file = cached_file(source, name, revision=revision, _raise_exceptions_for_missing_entries=False)
        found = _names_of_code(json.loads(Path(file).read_text("utf-8"))) if file else []
        if found:
            raise UserError(
                f"{name} of {source} names code of its own ({found[0]}), which is never run: "
                "give a model that transformers itself knows"
            )


def _names_of_code(config: Any) -> list[str]:
    found: list[str] = []
    for key, value in config.items() if isinstance(config, dict) else ():
        if key in ("auto_map", "custom_pipelines") and value:
            found.append(key)
        elif key.endswith("attn_implementation") and "/" in str(value):
            found.append(f"{key} {value}")
        found += _names_of_code(value)
    return found


def load_tokenizer(source: str) -> Any:
    """The tokenizer of a generator, which for a released model takes seconds: it is read once, and again if
    its files change. Raises UserError if it cannot be read."""
    resolved = resolve_source(source)
    files = (Path(resolved, name) for name in ("tokenizer.json", "tokenizer_config.json", "config.json"))
    versions = tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.is_file())
    return _read_tokenizer(resolved, versions)


@lru_cache(maxsize=4)
def _read_tokenizer(resolved: str, versions: tuple[tuple[int, int], ...]) -> Any:
    """`versions` only tell apart what the same folder held at different times."""
    import transformers

    def load() -> Any:
        refuse_code(resolved, "config.json", "tokenizer_config.json")
        return transformers.AutoTokenizer.from_pretrained(resolved, trust_remote_code=False)

    return attempt(resolved, "tokenizer", load)


def load_model(source: str, class_name: str, model_type: str, dtype: torch.dtype, device: str) -> Any:
    """A transformers model in eval mode.

    Raises UserError for a folder of another model type, with damaged files, or whose weights do not fit the
    config key by key: transformers itself only warns and leaves random weights in their place.
    """
    import transformers

    resolved = resolve_source(source)
    check_device(device)

    def load() -> tuple[Any, dict[str, Any]]:
        found = _config(resolved).model_type
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

    model, info = attempt(resolved, "model", load)
    _check_loaded(source, info)
    return model.to(device).eval().requires_grad_(False)


def context_tokens(source: str) -> int:
    """Tokens of context of a generator, from its config alone: at most the 2048 that Llasa was trained
    with."""
    resolved = resolve_source(source)
    config = attempt(resolved, "config", lambda: _config(resolved))
    return min(CONTEXT_TOKENS, int(config.max_position_embeddings))


def _config(resolved: str) -> Any:
    import transformers

    refuse_code(resolved, "config.json")
    return transformers.AutoConfig.from_pretrained(resolved, trust_remote_code=False)


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
            f"the weights of {source} do not fit its config: {'; '.join(problems)}: fetch config "
            "and weights again"
        )


def attempt(
    resolved: str, part: str, load: Callable[[], Loaded], *, error: type[LlasaError] = UserError
) -> Loaded:
    """Runs `load`; what transformers says about damaged or absent files becomes one `error`.

    resolved: the folder or hub id. part: names what is loaded ("model", "tokenizer").
    """
    try:
        with quiet_transformers():
            return load()
    except LlasaError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as raised:
        failure: Exception = raised
    except Exception as raised:
        # safetensors, tokenizers and huggingface_hub raise their own direct subclasses of Exception.
        origin = type(raised).__module__.split(".")[0]
        if origin not in {"builtins", "safetensors", "safetensors_rust", "huggingface_hub"}:
            raise
        failure = raised
    if is_hub_id(resolved) and not Path(resolved).is_dir():
        raise error(f"cannot load the {part}: {problem(resolved, failure)}") from None
    raise error(
        f"cannot load the {part} of {resolved} ({first_line(failure)}): fetch or export the folder again"
    ) from None


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """transformers without reports and progress bars on stderr: what they would say is checked and raised."""
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
