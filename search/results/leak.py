"""The leak check: what was bought with an emotion, line by line, and whether a held-out ear hears it too.

A verifier that compares with a recording of an emotion may reward the recording's speaker in place of the
emotion (arXiv 2604.26347 shows it of the similarity by which the Llasa paper reports its figures). So beside
the gain by the ear that searched stand the gain by an ear of another family, the likeness to the speaker of
the recording, the likeness to the speaker of the prompt, and the words.

A gain is the winner's score less the mean over all candidates, which in best-of-N is what one sample has.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from statistics import fmean, pstdev
from typing import Any

from llasa_core.errors import LlasaError
from search.emotion import judges_emotion, role_of_voice
from search.results.candidate import Candidate, plain
from verifiers import registry
from verifiers.base import Score

SEARCHED, HELD_OUT = "emotion, searched by", "emotion, held out"
CLIP, PROMPT, WORDS = "like the emotion clip's speaker", "like the prompt's speaker", "words"
ROLES = (SEARCHED, HELD_OUT, CLIP, PROMPT, WORDS)
"""In the order in which they are told."""
SEEN = 0.25
"""The share of the gain, each in standard deviations of its own scores over the candidates, from which on a
held-out ear is said to hear it."""
FEWEST = 3
"""Candidates without which nothing is said of a gain."""


@dataclass(frozen=True, slots=True)
class Line:
    """One score of the winner beside those of all candidates that could be judged. by: the metric of a
    verifier that searched, or the spec of a judge. spread: the standard deviation over the candidates."""

    role: str
    by: str
    higher_is_better: bool
    winner: float
    mean: float
    spread: float
    candidates: int

    @property
    def gain(self) -> float:
        """Of the winner over the mean, positive for the better."""
        return (self.winner - self.mean) * (1 if self.higher_is_better else -1)

    @property
    def deviations(self) -> float:
        """The gain in standard deviations; 0 where all candidates are equal."""
        return self.gain / self.spread if self.spread > 1e-9 else 0.0


@dataclass(frozen=True, slots=True)
class Leak:
    """lines: in the order of ROLES."""

    lines: tuple[Line, ...]

    def of(self, role: str) -> list[Line]:
        return [line for line in self.lines if line.role == role]

    @property
    def sentence(self) -> str:
        """The finding in words; "" where nothing searched by an emotion, or there are too few candidates."""
        searched = max(self.of(SEARCHED), key=lambda line: line.deviations, default=None)
        if searched is None or searched.candidates < FEWEST:
            return ""
        if searched.gain <= 0:
            return f"The winner is no better than the mean of the candidates by {searched.by}."
        told = f"The gain of {searched.gain:+.3f} by {searched.by}, which searched,"
        held_out = self.of(HELD_OUT)
        if not held_out:
            return f"{told} was checked by no held-out ear: it may be the verifier's own liking.{self._moved}"
        heard = ", ".join(f"{line.by} ({line.gain:+.3f})" for line in held_out)
        if max(line.deviations for line in held_out) >= SEEN * searched.deviations:
            return f"{told} is heard by the held-out {heard} too; one text proves little."
        return f"{told} is NOT seen by the held-out {heard}: distrust it.{self._moved}"

    @property
    def _moved(self) -> str:
        """What the gain may have been bought with."""
        searched = max(line.deviations for line in self.of(SEARCHED))
        for line in self.of(CLIP):
            if line.deviations >= SEEN * searched:
                return f" The voice moved towards the emotion clip's speaker ({line.by} {line.gain:+.3f})."
        return ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        lines = [{**asdict(line), "gain": line.gain} for line in self.lines]
        return {"lines": plain(lines), "sentence": self.sentence}


def leak_of(
    candidates: Sequence[Candidate], models: Mapping[str, Any], directions: Mapping[str, bool]
) -> Leak | None:
    """Of the candidates of a search for an emotion; None where neither a verifier nor a judge is about one.

    models: as a manifest has them. directions: as `SearchResult.directions`.
    """
    winner = min(candidates, key=lambda candidate: candidate.rank)
    roles = {**_roles_of_verifiers(models), **_roles_of_judges(winner.judged)}
    if not {SEARCHED, HELD_OUT} & set(roles.values()):
        return None
    lines = []
    for name, role in roles.items():
        own = winner.scores if name in winner.scores else winner.judged
        if name not in own or not _counts(own[name]):
            continue
        held_out = own is winner.judged
        heard = [one.judged if held_out else one.scores for one in candidates]
        values = [scores[name].value for scores in heard if name in scores and _counts(scores[name])]
        higher = directions.get(name, True)
        lines.append(Line(role, name, higher, own[name].value, fmean(values), pstdev(values), len(values)))
    return Leak(tuple(sorted(lines, key=lambda line: ROLES.index(line.role))))


def _counts(score: Score) -> bool:
    return score.usable and math.isfinite(score.value)


def _roles_of_verifiers(models: Mapping[str, Any]) -> dict[str, str]:
    """By metric."""
    found = {}
    for one in models.get("verifiers", ()):
        with suppress(LlasaError):  # of a package that is not installed any more
            for metric in registry.directions(one["spec"]):
                found[metric] = _role(one["spec"], SEARCHED)
    return {metric: role for metric, role in found.items() if role}


def _roles_of_judges(specs: Iterable[str]) -> dict[str, str]:
    """By spec."""
    found = {}
    for spec in specs:
        with suppress(LlasaError):
            found[spec] = _role(spec, HELD_OUT)
    return {spec: role for spec, role in found.items() if role}


def _role(spec: str, ear: str) -> str:
    """What a spec's verifier says of a search for an emotion; "" for something else, such as naturalness."""
    if voice := role_of_voice(spec):
        return CLIP if voice == "emotion_reference" else PROMPT
    if judges_emotion(spec):
        return ear
    return WORDS if next(iter(registry.directions(spec))).partition("-")[0] == "wer" else ""
