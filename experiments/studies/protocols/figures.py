"""The figures of a protocol: its own mean and the other one beside it, with intervals over utterances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from experiments.studies.protocols.ears import Ears, shown
from experiments.studies.protocols.protocol import MEAN, POOLED, Protocol, Utterance
from experiments.studies.protocols.scoring import EMOTION, SIM, WORDS, Scored
from search.results.failures import FAILURES, failures_in
from verifiers.shared.wer import NORMALIZERS, by_character, is_chinese
from verifiers.stats import Interval, bootstrap_mean, bootstrap_ratio, wilson

COUNTS = ("substitutions", "deletions", "insertions")


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. own: whether the protocol reports it, and not only this project beside it.
    unusable: how many could not be judged, and count with the worst value. note: what else there is to say.
    """

    measure: str
    value: Interval
    by: str
    own: bool = True
    unusable: int = 0
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def figures_of(scored: Sequence[Scored], protocol: Protocol, ears: Ears) -> list[Figure]:
    """Trials of one utterance are averaged (their counts summed) before an interval is taken."""
    found: list[Figure] = []
    if ears.words:
        found += _rates(scored, protocol, ears)
    if ears.sim:
        found.append(_mean("SIM-o", scored, SIM, ears.sim))
    if ears.emotion:
        found.append(
            _accuracy(scored, ears)
            if ears.labels
            else _mean("emotion similarity", scored, EMOTION, ears.emotion)
        )
    if ears.words:
        found.append(_catastrophes(scored, ears))
    return found


def errors_of(one: Scored, ears: Ears) -> tuple[int, int]:
    """(errors, words of the text). Where nothing could be heard, all words are missing."""
    evidence = one.scores[WORDS]["evidence"]
    if "reference" in evidence:
        return sum(evidence[kind] for kind in COUNTS), len(evidence["reference"].split())
    words = len(normalised(one.utterance, ears).split())
    return words, words


def normalised(utterance: Utterance, ears: Ears) -> str:
    """The text as it is compared, words with spaces between."""
    normalize = NORMALIZERS[ears.variant]
    if "unit=character" in ears.words:
        normalize = by_character(normalize)
    return normalize(utterance.text, utterance.language)


def failures_of(one: Scored) -> tuple[str, ...]:
    """Names of its catastrophic failures."""
    score = one.scores[WORDS]
    return failures_in(score["evidence"], usable=score["usable"], cut_off=False) or ()


def _rates(scored: Sequence[Scored], protocol: Protocol, ears: Ears) -> list[Figure]:
    characters = protocol.scoring.characters or is_chinese(scored[0].utterance.language)
    name, unusable = "CER" if characters else "WER", _unusable(scored, WORDS)
    counts = [errors_of(one, ears) for one in scored]
    errors, words = (_sums(scored, [count[place] for count in counts]) for place in (0, 1))
    averages = {
        MEAN: bootstrap_mean(_means(scored, [one.scores[WORDS]["value"] for one in scored])),
        POOLED: bootstrap_ratio(errors, words),
    }
    own = protocol.scoring.average
    note = f"{sum(errors)} errors in {sum(words)} {'characters' if characters else 'words'}"
    return [
        Figure(
            f"{name}, {average}",
            averages[average],
            shown(ears.words),
            average == own,
            unusable,
            note if average == POOLED else "",
        )
        for average in sorted(averages, key=lambda average: average != own)
    ]


def _mean(measure: str, scored: Sequence[Scored], role: str, spec: str) -> Figure:
    values = _means(scored, [one.scores[role]["value"] for one in scored])
    return Figure(measure, bootstrap_mean(values), spec, True, _unusable(scored, role))


def _accuracy(scored: Sequence[Scored], ears: Ears) -> Figure:
    right = [one.scores[EMOTION]["evidence"].get("label") == one.utterance.emotion for one in scored]
    unusable = _unusable(scored, EMOTION)
    return Figure("emotion accuracy", wilson(sum(right), len(right)), ears.emotion, True, unusable)


def _catastrophes(scored: Sequence[Scored], ears: Ears) -> Figure:
    """Wilson's interval, or the bootstrap's where several trials are one utterance."""
    failed = [failures_of(one) for one in scored]
    units = _means(scored, [float(bool(kinds)) for kinds in failed])
    share = (
        wilson(sum(map(bool, failed)), len(failed)) if len(units) == len(failed) else bootstrap_mean(units)
    )
    kinds = Counter(kind for found in failed for kind in found)
    note = ", ".join(f"{kinds[kind]} {kind}" for kind in FAILURES if kinds[kind])
    return Figure("catastrophic failures", share, shown(ears.words), False, 0, note)


def _unusable(scored: Sequence[Scored], role: str) -> int:
    return sum(not one.scores[role]["usable"] for one in scored)


def _grouped(scored: Sequence[Scored], values: Sequence[float]) -> Mapping[str, list[float]]:
    groups: dict[str, list[float]] = {}
    for one, value in zip(scored, values, strict=True):
        groups.setdefault(one.utterance.unit, []).append(value)
    return groups


def _means(scored: Sequence[Scored], values: Sequence[float]) -> list[float]:
    return [sum(group) / len(group) for group in _grouped(scored, values).values()]


def _sums(scored: Sequence[Scored], values: Sequence[int]) -> list[int]:
    return [int(sum(group)) for group in _grouped(scored, values).values()]
