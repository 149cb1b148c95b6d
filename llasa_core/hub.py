"""The Hugging Face hub: names of models, whether it may be asked, and what to do when it does not answer."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from llasa_core.errors import first_line

_ID = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*")
_SWITCH: ContextVar[bool | None] = ContextVar("hub_switch", default=None)


def is_hub_id(source: str) -> bool:
    """Whether a source is shaped like OWNER/NAME."""
    return _ID.fullmatch(source) is not None


def is_off() -> bool:
    """Whether only what is in the local cache may be loaded (HF_HUB_OFFLINE, unless `switched`)."""
    from huggingface_hub import constants

    switch = _SWITCH.get()
    return bool(constants.HF_HUB_OFFLINE) if switch is None else not switch


@contextlib.contextmanager
def switched(on: bool) -> Iterator[None]:
    """`is_off` says the opposite of `on` inside, in this thread alone: to ask what is there without fetching
    it."""
    token = _SWITCH.set(on)
    try:
        yield
    finally:
        _SWITCH.reset(token)


def cached(hub_id: str, file: str = "config.json") -> Path | None:
    """A file of a model in the local cache, if it is there. Fetches nothing."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hub_id, file)
    return Path(found) if isinstance(found, str) else None


def problem(hub_id: str, error: BaseException) -> str:
    """Cause and cure of an error about a model of the hub, in one line: gated, private or unknown, not
    cached."""
    kinds, text = set(), ""
    cause: BaseException | None = error
    while cause is not None:
        kinds |= {base.__name__ for base in type(cause).__mro__}
        text += str(cause)
        cause = cause.__cause__ or cause.__context__
    if "GatedRepoError" in kinds or "gated repo" in text:
        return (
            f"{hub_id} is gated: accept its terms at https://huggingface.co/{hub_id}, "
            "then log in with `hf auth login` or set HF_TOKEN"
        )
    if "RepositoryNotFoundError" in kinds or "is not a valid model identifier" in text:
        return (
            f"the hub has no {hub_id}, or it is private: "
            "check the name, log in with `hf auth login`, or give a folder"
        )
    if is_off():
        return (
            f"{hub_id} is not in the local cache and the hub is switched off: "
            "unset HF_HUB_OFFLINE, or give a folder"
        )
    return f"{hub_id} ({first_line(error)}): check the name and the connection, or give a local folder"
