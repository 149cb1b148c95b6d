"""One loaded model for each spec and device of a process, however many parts ask for it."""

import threading
from collections import OrderedDict

from verifiers import registry
from verifiers.base import Verifier
from verifiers.spec import Spec

KEPT = 8
"""Loaded verifiers that are kept; of more, the one that was asked for longest ago is let go."""

_LOCK = threading.RLock()
_LOADED: OrderedDict[tuple[str, str], Verifier] = OrderedDict()


def load_shared(spec: str, device: str = "cpu") -> Verifier:
    """As `verifiers.load`, but the same object for the same spec and device as long as it is kept.

    The files are read once: `unload` a spec whose folder has changed. Threads that ask for the same verifier
    at the same time get one. Raises VerifierError, and keeps nothing then.
    """
    with _LOCK:
        key = str(Spec.parse(spec)), device
        if key not in _LOADED:
            _LOADED[key] = registry.load(spec, device)
        _LOADED.move_to_end(key)
        while len(_LOADED) > KEPT:
            _LOADED.popitem(last=False)
        return _LOADED[key]


def unload(spec: str | None = None, device: str | None = None) -> int:
    """Lets go of a verifier (on all devices, or on one), or of all; says of how many.

    Their memory is free once nobody else holds them.
    """
    with _LOCK:
        wanted = None if spec is None else str(Spec.parse(spec))
        keys = [key for key in _LOADED if wanted in (None, key[0]) and device in (None, key[1])]
        for key in keys:
            del _LOADED[key]
        return len(keys)
