"""The generator's own opinion: how likely it finds the speech tokens of a candidate, given the text.

READ (arXiv 2606.04680) scores transcripts by p(speech tokens | text) of a TTS model; here the text is known
and the tokens are judged. The margin is what the text is worth: the pointwise mutual information of text and
tokens, for each token.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import CODES_PER_SECOND
from verifiers.base import TOKENS, About, Codes, Likelihood, Score, Target
from verifiers.shared.tokens import BaseTokenVerifier
from verifiers.spec import Readers, Spec, number_between, one_of

MEASURES = {"mean": "logp", "margin": "margin", "lowest": "lowest-margin"}
"""What `measure` may be, and the name of the metric."""
WORST = -100.0
"""In place of minus infinity, which JSON does not have."""
WINDOW_SECONDS = 0.5


class GeneratorLikelihood(BaseTokenVerifier):
    """Metric "logp", "margin" or "lowest-margin", in nats for each speech token; higher is better.

    measure: "mean", the mean log-likelihood of the tokens with the right text, at temperature 1; "margin",
    that mean less the one with the text left out (of the voice prompt too, whose codes stay); "lowest", the
    smallest mean margin of any `window` seconds, which is low where text was lost or added. The last two cost
    a second pass through the generator.

    Evidence: logp, and the margin, the lowest one and the second at which its window begins if they were
    asked for.
    """

    about = About(
        measures="how likely the generator itself finds the speech tokens, given the text",
        needs=("text", TOKENS),
        released={"likelihood": "no weights of its own"},
        min_seconds=0.1,
    )
    higher_is_better = True
    worst = WORST
    options: ClassVar[Readers] = {"measure": one_of(*MEASURES), "window": number_between(0.02, 20.0)}

    def __init__(
        self,
        *,
        spec: str = "likelihood",
        name: str = "logp",
        measure: str = "mean",
        window: float = WINDOW_SECONDS,
    ) -> None:
        super().__init__(spec=spec, name=name)
        self._measure = measure
        self._window = max(1, round(window * CODES_PER_SECOND))

    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        """(name, higher_is_better): each measure has a name of its own."""
        measure = spec.values({**cls.options, "name": str}).get("measure", "mean")
        return spec.options.get("name", MEASURES[measure]), True

    def score_codes(
        self, candidates: Sequence[Codes], target: Target, likelihood: Likelihood, partial: bool
    ) -> list[Score]:
        given = likelihood(candidates, partial=partial)
        if self._measure == "mean":
            return [self._score({"logp": _mean(logps)}, "logp") for logps in given]
        alone = likelihood(candidates, with_text=False, partial=partial)
        return [self._margins(own, other) for own, other in zip(given, alone, strict=True)]

    def _margins(self, given: NDArray[np.float32], alone: NDArray[np.float32]) -> Score:
        margins = given.astype(np.float64) - alone
        windows = window_means(margins, self._window)
        lowest = int(windows.argmin()) if np.isfinite(windows).all() else 0
        evidence = {
            "logp": _mean(given),
            "margin": _mean(margins),
            "lowest_margin": float(windows[lowest]),
            "lowest_at_seconds": lowest / CODES_PER_SECOND,
        }
        return self._score(evidence, "margin" if self._measure == "margin" else "lowest_margin")

    def _score(self, evidence: dict[str, Any], measured: str) -> Score:
        if not all(np.isfinite(value) for value in evidence.values()):
            return Score(WORST, {}, False, "the generator finds no finite likelihood for the speech tokens")
        return Score(evidence[measured], evidence)


def window_means(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Means of all windows of so many neighbours, [values - size + 1]; of all values if there are fewer."""
    size = min(size, len(values))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means: NDArray[np.float64] = (sums[size:] - sums[:-size]) / size
    return means


def _mean(values: NDArray[np.floating[Any]]) -> float:
    return float(np.mean(values, dtype=np.float64))
