"""A verifier that makes trouble in the process that it runs in, for actors that import this module.

`trouble:FOLDER` finds everything equally good, but by the text: "poison" kills its process, "hang" never
comes back, "device" fails once as a GPU does (a file in FOLDER says that it has), "reject" and "break"
raise.
"""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from llasa_core.audio import Waveform
from tests.plain_verifiers import Plain
from verifiers import registry
from verifiers.base import About, Score, Target
from verifiers.errors import VerifierError
from verifiers.spec import Spec


class Odd(Exception):
    """Cannot be pickled: it is made of two things, and its text is one."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


class Trouble(Plain):
    about = About(measures="nothing", needs=("text",), released={}, min_seconds=0.0)
    name = "trouble"
    higher_is_better = True

    def __init__(self, spec: Spec) -> None:
        self.spec = str(spec)
        self.folder = Path(spec.source)

    @classmethod
    def from_spec(cls, spec: Spec, device: str) -> "Trouble":
        return cls(spec)

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        words = (target.text or "").split()
        if candidates and "poison" in words:
            os.kill(os.getpid(), signal.SIGKILL)
        if candidates and "hang" in words:
            time.sleep(3600)
        if candidates and "device" in words and not (self.folder / "failed").exists():
            (self.folder / "failed").touch()
            raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
        if candidates and "break" in words:
            raise Odd("one", "other")
        if "reject" in words:
            raise VerifierError("this text cannot be judged: give another")
        return [Score(0.0) for _ in candidates]


registry.BUILT_IN = {**registry.BUILT_IN, "trouble": f"{__name__}:Trouble"}
