"""What has been found of a recording, kept by its samples, so that a reference is worked on once."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from llasa_core.audio import Waveform

Found = TypeVar("Found")
KEPT = 64
"""Recordings; of more, what was used longest ago is let go."""


class Remembered(Generic[Found]):
    """`find` of a recording, called once for as long as the recording is among the last ones used. What it
    raises is raised, and nothing is kept then. Safe to call from several threads."""

    def __init__(self, find: Callable[[Waveform], Found]) -> None:
        self._find = find
        self._kept: OrderedDict[bytes, Found] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def __call__(self, waveform: Waveform) -> Found:
        """waveform: float32 [samples], contiguous."""
        key = hashlib.blake2b(waveform.tobytes(), digest_size=16).digest()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = self._find(waveform)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found
