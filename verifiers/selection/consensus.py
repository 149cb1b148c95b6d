"""Consensus: the candidate that is nearest to all others, by what they say, whose voice they have or how long
they are.

This is minimum Bayes risk over samples: each candidate is a hypothesis, and the others are the references
that it is expected to agree with (Kumar and Byrne 2004 for translation; Eikema and Aziz, arXiv 2108.04718,
for samples; arXiv 2510.19471 for speech recognition). It asks for no target: errors that samples make by
chance differ from sample to sample, what is right they have in common.

The score belongs to a set: with another candidate in it, all may change. It is taken where candidates are
ranked, over all that a search has at that point and that could be judged, so that it does not depend on how
they were spread over processes or batches.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifiers.base import Score
from verifiers.errors import VerifierError
from verifiers.selection.rules import Objective, Ranks, Rule, check_counts, is_judged

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+(?:'[^\W_]+)*")
"""A word, or a character of Chinese and Japanese."""


class Consensus(Ranks):
    """`consensus(wer)`, `consensus(wer,sim)` or `consensus(wer=2,length=1)`: the best mean of the ranks by
    the mean distance from the other candidates.

    Distances are taken from the evidence of each metric: of a recogniser the share of words that two
    transcripts do not have in common, of a speaker or emotion verifier 1 - cosine of the two embeddings, of
    any other the ratio of the lengths. Candidates that a metric cannot judge are no part of its set.
    """

    @property
    def spec(self) -> str:
        return super().spec.replace("ranks", "consensus", 1)

    def prepared(self, scores: Mapping[str, Sequence[Score]]) -> tuple[Mapping[str, Sequence[Score]], Rule]:
        """With the mean distances as scores of their own, and `Ranks` over these."""
        check_counts(scores, self.metrics)
        distances = {
            f"consensus({metric})": mean_distances(metric, scores[metric]) for metric in self.metrics
        }
        objectives = tuple(
            Objective(name, False, objective.weight)
            for name, objective in zip(distances, self.objectives, strict=True)
        )
        return {**scores, **distances}, Ranks(objectives)


def mean_distances(metric: str, scores: Sequence[Score]) -> list[Score]:
    """The mean distance of each candidate from the others, with the evidence of its score; 0 if it is alone.

    Scores that are unusable stay as they are. Raises VerifierError if the evidence of the metric holds
    nothing to compare candidates by.
    """
    judged = [i for i, score in enumerate(scores) if is_judged(score)]
    found = list(scores)
    if judged:
        matrix = _distances(metric, [scores[i].evidence for i in judged])
        means = matrix.sum(axis=1) / max(len(judged) - 1, 1)
        for i, mean in zip(judged, means.tolist(), strict=True):
            found[i] = replace(scores[i], value=mean)
    return found


def _distances(metric: str, evidence: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """Between all pairs: [candidates, candidates], 0 on the diagonal."""
    if all(isinstance(one.get("transcript"), str) for one in evidence):
        return _pairwise([words_of(str(one.get("heard") or one["transcript"])) for one in evidence], apart)
    if all(one.get("embedding") for one in evidence):
        vectors = np.array([one["embedding"] for one in evidence], dtype=np.float64)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        found: NDArray[np.float64] = 1 - vectors @ vectors.T
        np.fill_diagonal(found, 0.0)
        return found
    if all(isinstance(one.get("seconds"), float | int) and one["seconds"] > 0 for one in evidence):
        lengths = np.log([float(one["seconds"]) for one in evidence])
        return np.asarray(np.abs(lengths[:, None] - lengths[None, :]), dtype=np.float64)
    raise VerifierError(
        f"consensus({metric}): its scores have no transcript, embedding or length in seconds that candidates "
        "could agree in: name a recogniser, a speaker verifier or length"
    )


def _pairwise(
    items: Sequence[Sequence[str]], distance: Callable[[Sequence[str], Sequence[str]], float]
) -> NDArray[np.float64]:
    found = np.zeros((len(items), len(items)))
    for i, one in enumerate(items):
        for j in range(i):
            found[i, j] = found[j, i] = distance(one, items[j])
    return found


def words_of(text: str) -> list[str]:
    """Lower-case words without punctuation; characters of Chinese and Japanese."""
    return _WORD.findall(text.lower())


def apart(one: Sequence[str], other: Sequence[str]) -> float:
    """Edit distance of words over the longer count: 0 equal, 1 nothing in common; symmetric."""
    from rapidfuzz.distance import Levenshtein

    value = float(Levenshtein.normalized_distance(one, other))
    return value if math.isfinite(value) else 0.0
