"""What a sweep's table measures: scores of the search, held-out judges, catastrophic failures, with direction
and unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.studies.table import parts
from llasa_core.errors import LlasaError, UserError, nearest
from verifiers import registry
from verifiers.errors import VerifierError
from verifiers.selection.parse import parse_selection
from verifiers.spec import Spec
from verifiers.stats import Interval, bootstrap_mean, wilson

if TYPE_CHECKING:
    import pandas

SPOKEN = {"wer": "WER", "cer": "CER", "sim": "similarity", "ge2e": "similarity"}
"""Metrics as a figure names them; the others have their own name."""
UNITS = {"wer": "errors per word", "cer": "errors per character", "sim": "cosine", "ge2e": "cosine"}
WORDS, VOICE = "words", "voice"
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Measure:
    """One column as a quality. metric: what is measured; by: who measured it, a metric of the search or the
    spec of a judge. kind: WORDS, VOICE, or else the metric; values of WORDS compare between models, of the
    others each model has a scale of its own. held_out: the search did not use it. failures: the share of
    catastrophic failures by a recogniser, whose column holds their names."""

    column: str
    metric: str
    by: str
    kind: str
    higher: bool
    held_out: bool = False
    failures: bool = False

    @property
    def title(self) -> str:
        """`WER by the judge whisper:base`."""
        who = f"the judge {brief(self.by)}" if self.held_out else "the search"
        if self.failures:
            return f"catastrophic failures by {who}"
        return f"{SPOKEN.get(self.metric, self.metric)} by {who}"

    @property
    def axis(self) -> str:
        """The title with unit and direction, for an axis."""
        unit = "share of utterances" if self.failures else UNITS.get(self.metric, "")
        better = "higher is better" if self.higher else "lower is better"
        return f"{self.title} ({f'{unit}, ' if unit else ''}{better})"

    @property
    def words(self) -> str:
        """The column that says how many words, or characters, the errors are counted of."""
        return f"words:{self.by}"

    @property
    def unit(self) -> str:
        """What differences are in; "its own unit" where there is no name for it."""
        return "share of utterances" if self.failures else UNITS.get(self.metric, "its own unit")

    @property
    def name(self) -> str:
        """Of files: letters, digits and hyphens."""
        kind = "failures" if self.failures else "judge" if self.held_out else "search"
        return "-".join("".join(c if c.isalnum() else " " for c in f"{kind} {self.by}").split())

    def of(self, frame: pandas.DataFrame) -> NDArray[np.float64]:
        """The values, float64 [rows]; NaN where the verifier or judge was not asked."""
        column = frame[self.column]
        if self.failures:
            return np.where(column.isna(), np.nan, column.fillna("") != "").astype(np.float64)
        values: NDArray[np.float64] = column.to_numpy(np.float64)
        if f"unusable:{self.by}" in frame.columns:
            values = np.where(frame[f"unusable:{self.by}"].to_numpy() == "dropped", np.nan, values)
        return values

    def gain(self, before: Any, after: Any) -> Any:
        """How much better `after` is; positive is better, in the measure's unit."""
        return after - before if self.higher else before - after

    def interval(self, values: Sequence[float] | NDArray[np.float64]) -> Interval:
        """The mean of one value an utterance with its 95 % interval: by bootstrap, or for a share of failures
        Wilson's over utterances, which is sound where none has failed."""
        if self.failures:
            return wilson(float(np.sum(values)), len(values))
        return bootstrap_mean(values, resamples=RESAMPLES)


def brief(spec: str) -> str:
    """A spec without its options."""
    return spec.split("?")[0]


def measures(frame: pandas.DataFrame) -> list[Measure]:
    """All qualities of a table, those of the search first; `frame.attrs["directions"]` says of each metric
    and judge whether higher is better. Raises UserError if there are none."""
    directions: Mapping[str, bool] = frame.attrs["directions"]
    judges = parts(frame, "judge")
    found = [
        Measure(
            f"score:{name}", name, name, _kind(frame, name, known_needs().get(name, ())), directions[name]
        )
        for name in parts(frame, "score")
    ]
    for spec in judges:
        metric, needs = _judge(spec)
        kind = _kind(frame, spec, needs)
        found.append(Measure(f"judge:{spec}", metric, spec, kind, directions[spec], held_out=True))
    for name in parts(frame, "failures"):
        if f"words:{name}" not in frame.columns:
            continue  # silence that another verifier could not judge: the recognisers tell of it
        column = f"failures:{name}"
        found.append(Measure(column, "failures", name, "failures", False, name in judges, failures=True))
    found = [one for one in found if not frame[one.column].isna().all()]
    if not found:
        raise UserError("the table has no scores: it holds no search that was judged")
    return sorted(found, key=lambda one: (one.failures, one.held_out, one.kind != WORDS, one.by))


@cache
def known_needs() -> Mapping[str, tuple[str, ...]]:
    """What the installed verifiers judge against, by the names that they give their metrics."""
    found: dict[str, tuple[str, ...]] = {}
    for kind in registry.kinds():
        with suppress(LlasaError):  # a plugin that cannot be imported
            found[registry.find(kind).metric(Spec.parse(kind))[0]] = registry.needs(kind)
    return found


def _judge(spec: str) -> tuple[str, tuple[str, ...]]:
    """The metric of a judge and what it judges against; its own name and nothing if it is not installed."""
    try:
        return next(iter(registry.directions(spec))), registry.needs(spec)
    except LlasaError:
        return brief(spec), ()


def _kind(frame: pandas.DataFrame, name: str, needs: Sequence[str]) -> str:
    if f"words:{name}" in frame.columns:
        return WORDS
    return VOICE if "reference" in needs else brief(name).partition(":")[0]


def find(frame: pandas.DataFrame, name: str) -> Measure:
    """The measure of that column, or of that metric or judge. Raises UserError with the nearest name."""
    found = measures(frame)
    for one in found:
        if name == one.column or (name == one.by and not one.failures):
            return one
    names = [one.column if one.failures else one.by for one in found]
    raise UserError(f"the table has no measure {name!r}{nearest(name, names)}")


def searched_by(frame: pandas.DataFrame, spec: str) -> Measure | None:
    """The metric that a strategy's selection goes by first, such as WER of `select=wer,sim` or of
    `select=wer<=0,sim`; None if the spec does not say."""
    own = {one.metric: one for one in measures(frame) if not one.held_out and not one.failures}
    try:
        selection = parse_selection(
            options(spec).get("select", ""), {name: one.higher for name, one in own.items()}
        )
    except VerifierError:
        return None
    return own[[*(bound.metric for bound in selection.constraints), *selection.metrics][0]]


def options(spec: str) -> dict[str, str]:
    """`beam?beams=2&n=4` -> {"beams": "2", "n": "4"}."""
    _, _, rest = spec.partition("?")
    pairs = (part.partition("=") for part in rest.split("&") if part)
    return {key: value for key, _, value in pairs}
