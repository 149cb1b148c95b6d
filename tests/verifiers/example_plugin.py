"""A verifier of another package. The package's pyproject.toml names it:

    [project.entry-points."llasa_search.verifiers"]
    loudness = "example_plugin:Loudness"

Then `loudness` and `loudness?level=-20` are verifiers like any other.
"""

from typing import Any, ClassVar

from llasa_core.audio import Waveform, loudness_dbfs
from verifiers import About, BaseVerifier, Score, Target


class Loudness(BaseVerifier):
    """Metric "loudness": how far a candidate is from a wanted level, in dB."""

    about = About(measures="distance from the wanted loudness, in dB")
    options: ClassVar = {"level": float}
    higher_is_better = False
    worst = 100.0

    def __init__(self, *, level: float = -23.0, **common: Any) -> None:
        super().__init__(**common)
        self.level = level

    def score_one(self, waveform: Waveform, target: Target, partial: bool) -> Score:
        dbfs = loudness_dbfs(waveform)
        return Score(abs(dbfs - self.level), {"dbfs": dbfs})
