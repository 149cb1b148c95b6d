"""A wanted emotion beside what is found, probabilities of a classifier or values on axes: how near they are,
and whether it is reached."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verifiers.base import Target
from verifiers.errors import VerifierError
from verifiers.shared.emotions import canonical

NEUTRAL = "neutral"
STRENGTH_TOLERANCE = 0.1
"""How far the probability of a label may lie from the wanted strength, and a value on an axis from the wanted
one, that counts as reached."""
MIX_TOLERANCE = 0.2
"""The total variation distance from a wanted mix that counts as reached."""


@dataclass(frozen=True)
class Wanted:
    """weights: the wanted distribution by the classifier's names, 1 in sum. strength: the wanted probability
    of a single label; None: as likely as possible."""

    weights: Mapping[str, float]
    strength: float | None = None

    @classmethod
    def of(cls, target: Target, names: Mapping[str, str]) -> Wanted:
        """names: of the classes, by all that each may be called ("开心/happy": "happy").

        Raises VerifierError for a target without an emotion, a name that no class has (the nearest is
        offered), and a mix of less than 1 for a classifier that knows no neutral.
        """
        if target.mix is None:
            if target.emotion is None:
                raise VerifierError(
                    "the probability of an emotion needs its name: give the target an emotion"
                )
            return cls({_class(target.emotion, names): 1.0}, target.strength)
        weights: dict[str, float] = {}
        for name, weight in target.mix.items():
            found = _class(name, names)
            weights[found] = weights.get(found, 0.0) + weight
        rest = 1 - math.fsum(weights.values())
        if rest > 1e-6:
            if NEUTRAL not in names.values():
                raise VerifierError(
                    f"the weights sum to {1 - rest:g}, and this model has no neutral that the rest could be: "
                    "give weights of 1 together"
                )
            weights[NEUTRAL] = weights.get(NEUTRAL, 0.0) + rest
        return cls(weights)

    def score(self, probabilities: Mapping[str, float]) -> float:
        """In [0, 1], by the probabilities of all classes: of a single label its probability p, with a
        strength s 1 - |p - s|; of a mix 1 - the total variation distance between wanted and found, which is
        half the sum of the absolute differences."""
        if len(self.weights) == 1:
            found = probabilities[self._label]
            return found if self.strength is None else 1 - abs(found - self.strength)
        names = {**probabilities, **self.weights}
        apart = (abs(self.weights.get(name, 0.0) - probabilities.get(name, 0.0)) for name in names)
        return 1 - math.fsum(apart) / 2

    def reached(self, probabilities: Mapping[str, float]) -> bool:
        """Whether the label is the likeliest, or its probability the wanted one within STRENGTH_TOLERANCE, or
        the mix is within MIX_TOLERANCE."""
        if len(self.weights) > 1:
            return self.score(probabilities) >= 1 - MIX_TOLERANCE - 1e-9
        if self.strength is not None:
            return abs(probabilities[self._label] - self.strength) <= STRENGTH_TOLERANCE + 1e-9
        return self._label == likeliest(probabilities)

    def evidence(self, probabilities: Mapping[str, float]) -> dict[str, Any]:
        """`reached`, and `found`: what was found in place of what, as in "sad 0.18, neutral 0.40"."""
        told = []
        for name, weight in self.weights.items():
            bound = weight if len(self.weights) > 1 else self.strength
            for_ = "" if bound is None else f" for {bound:.2f}"
            told.append(f"{name} {probabilities.get(name, 0.0):.2f}{for_}")
        if (most := likeliest(probabilities)) not in self.weights:
            told.append(f"{most} {probabilities[most]:.2f}")
        return {"reached": self.reached(probabilities), "found": ", ".join(told)}

    @property
    def _label(self) -> str:
        return next(iter(self.weights))


def evidence_of_axes(wanted: Mapping[str, float], found: Mapping[str, float]) -> dict[str, Any]:
    """As `Wanted.evidence`, of values by axis: `reached`, whether each wanted one is found within
    STRENGTH_TOLERANCE, and `found`, as in "arousal 0.55 for 0.80, valence 0.31 for 0.30"."""
    reached = all(abs(found[axis] - value) <= STRENGTH_TOLERANCE + 1e-9 for axis, value in wanted.items())
    told = (f"{axis} {found[axis]:.2f} for {value:.2f}" for axis, value in wanted.items())
    return {"reached": reached, "found": ", ".join(told)}


def likeliest(probabilities: Mapping[str, float]) -> str:
    """The first of those that are most probable."""
    return max(probabilities, key=probabilities.__getitem__)


def _class(name: str, names: Mapping[str, str]) -> str:
    return names[canonical(name, tuple(names), error=VerifierError)]
