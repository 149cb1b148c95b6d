"""Scores that are remembered by content, so that the same audio is judged once."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from llasa_core.audio import Waveform
from verifiers.base import Score, Target, Verifier, Wrapper
from verifiers.errors import VerifierError

REMEMBERED = 4096
"""Scores kept: beam search of 256 candidates for 16 steps."""


class Remembering(Wrapper):
    """A verifier that keeps the last `size` scores, and asks the one that it wraps for those it does not
    have.

    What a score is kept under: the samples, the whole target, whether the audio is partial, and the spec. So
    a duplicate within a call is judged once, and a repeated call costs a hash. A remembered score is the one
    from the batch in which the audio was first judged, which may differ from another batch's in the last
    digits. Scores are shared: leave their evidence as it is. Safe to call from several threads.
    """

    def __init__(self, verifier: Verifier, size: int = REMEMBERED) -> None:
        if size < 1:
            raise VerifierError(f"{size} scores to remember: give at least 1, or use the verifier itself")
        super().__init__(verifier)
        self.size = size
        self._scores: OrderedDict[bytes, Score] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many scores are remembered."""
        return len(self._scores)

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        """As `verifiers.base.Verifier.score`. No candidates are passed on as well: that checks the target."""
        asked = _digest(self.spec, partial, *(getattr(target, field.name) for field in fields(target)))
        keys = [_digest(asked, candidate) for candidate in candidates]
        with self._lock:
            found = {key: self._scores[key] for key in keys if key in self._scores}
        new = {key: waveform for key, waveform in zip(keys, candidates, strict=True) if key not in found}
        if new or not keys:
            judged = self.verifier.score(list(new.values()), target, partial)
            found.update(zip(new, judged, strict=True))
        with self._lock:
            for key in keys:
                self._scores[key] = found[key]
                self._scores.move_to_end(key)
            while len(self._scores) > self.size:
                self._scores.popitem(last=False)
        return [found[key] for key in keys]

    def forget(self) -> None:
        """Drops all scores."""
        with self._lock:
            self._scores.clear()


def _digest(*parts: object) -> bytes:
    """Of each part with its kind and length, so that no two lists of parts run together."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            kind, content = f"{part.dtype.str}{part.shape}", np.ascontiguousarray(part).tobytes()
        else:
            kind, content = type(part).__name__, part if isinstance(part, bytes) else repr(part).encode()
        digest.update(f"{kind}:{len(content)}:".encode())
        digest.update(content)
    return digest.digest()
