"""The emotion that speech should have, as text: `sad`, `sad@0.7`, `happy=0.6,surprised=0.4`, `arousal=0.8`.

    EMOTION = LABEL[@STRENGTH] | LABEL=WEIGHT,LABEL=WEIGHT,... | DIMENSION=VALUE,...
    STRENGTH = max | a probability, above 0 and at most 1
    DIMENSION = arousal | valence | dominance

The same text stands on the command line, in the column `emotion` of a list, at a paragraph of a book and in
manifests. Which labels there are is known to the verifier that judges (`verifiers.shared.emotions`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from llasa_core.errors import UserError

DIMENSIONS = ("arousal", "valence", "dominance")
MAX = "max"
"""The strength of a label that has none of its own: as likely as possible."""
ROUNDING = 1e-4
"""By which the sum of weights may be above 1, as they are written rounded."""
LEAST = 1e-6
"""Of weights and strengths."""
EXAMPLES = '"sad", "sad@0.7", "happy=0.6,surprised=0.4" or "arousal=0.8,valence=0.3"'


@dataclass(frozen=True)
class Emotion:
    """What is wanted. Exactly one of `weights` and `dimensions` holds anything.

    weights: the wanted share of each label, above 0, at most 1 in sum; what is left of 1 is neutral. A label
        alone has weight 1. strength: the wanted probability of a single label; None: as likely as possible.
    dimensions: the wanted values, in [0, 1], of some of DIMENSIONS.
    """

    weights: Mapping[str, float]
    strength: float | None = None
    dimensions: Mapping[str, float] | None = None

    @classmethod
    def parse(cls, text: str) -> Emotion:
        """Raises UserError of one line for text that is no emotion: what is wrong, and how it is written."""
        given = " ".join(text.split())
        if not given:
            raise UserError('the emotion is empty: give a name such as "happy", or none')
        if "=" not in given:
            return cls._one(given)
        if "@" in given:
            raise UserError(
                f"the emotion {_short(given)} has weights and a strength: a strength is of one label alone"
            )
        pairs = _pairs(given)
        names = {name.casefold() for name in pairs}
        if not names & set(DIMENSIONS):
            return cls._mix(given, pairs)
        if unknown := sorted(names - set(DIMENSIONS)):
            raise UserError(
                f"the emotion {_short(given)} mixes labels and dimensions: leave out {', '.join(unknown)}, "
                f"or {', '.join(sorted(names & set(DIMENSIONS)))}"
            )
        values = {name.casefold(): _number(name, value, 0.0) for name, value in pairs.items()}
        return cls({}, None, {name: values[name] for name in DIMENSIONS if name in values})

    @classmethod
    def _one(cls, given: str) -> Emotion:
        label, sign, strength = (part.strip() for part in given.partition("@"))
        if not label or "," in label or "@" in strength or (sign and not strength):
            raise UserError(f"cannot read the emotion {_short(given)}: write it like {EXAMPLES}")
        if not sign or strength.casefold() == MAX:
            return cls({label: 1.0})
        return cls({label: 1.0}, read_strength(strength))

    @classmethod
    def _mix(cls, given: str, pairs: Mapping[str, str]) -> Emotion:
        weights = {name: _number(name, value, LEAST) for name, value in pairs.items()}
        if (total := math.fsum(weights.values())) > 1 + ROUNDING:
            raise UserError(
                f"the weights of the emotion {_short(given)} sum to {total:g}: make them 1 together at most "
                "(what is left of 1 is neutral)"
            )
        return cls(weights)

    def __str__(self) -> str:
        """The canonical text, which `parse` reads again."""
        if self.dimensions is not None:
            return _joined(self.dimensions.items())
        if self.is_mix:
            return _joined(self.weights.items())
        return self.label if self.strength is None else f"{self.label}@{self.strength:g}"

    @property
    def is_mix(self) -> bool:
        """Whether it is a distribution over labels: several, or one with a weight below 1."""
        return bool(self.weights) and list(self.weights.values()) != [1.0]

    @property
    def label(self) -> str:
        """The label with the largest weight, of equal ones the first; "" for dimensions."""
        return max(self.weights, key=self.weights.__getitem__, default="")

    def with_strength(self, strength: float | None) -> Emotion:
        """The same label with this strength (None: `max`). Raises UserError if it has none: it is a mix, has
        dimensions, or another strength."""
        if self.is_mix or self.dimensions is not None:
            raise UserError(f"a strength is of one label alone, and the emotion is {self}: leave one out")
        if self.strength not in (None, strength):
            raise UserError(f"the emotion {self} has a strength of its own: leave one out")
        return Emotion(self.weights, strength)


def read_strength(text: str) -> float | None:
    """A probability, or None for `max`. Raises UserError."""
    return None if text.strip().casefold() == MAX else _number("strength", text, LEAST)


def _pairs(given: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in given.split(","):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not name or not sign or not value:
            raise UserError(f"cannot read {part.strip()!r} in the emotion {_short(given)}: write {EXAMPLES}")
        if name.casefold() in map(str.casefold, found):
            raise UserError(f"the emotion {_short(given)} names {name!r} twice: leave one out")
        found[name] = value
    return found


def _number(name: str, text: str, least: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= 1:
        above = "above 0" if least else "from 0"
        raise UserError(f"the emotion's {name}={text[:20]}: give a number {above} to 1")
    return value


def _joined(pairs: Iterable[tuple[str, float]]) -> str:
    return ",".join(f"{name}={value:g}" for name, value in pairs)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
