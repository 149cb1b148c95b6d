"""Verifiers of other packages: whatever goes wrong in their code becomes one line that names plugin and
cause."""

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

from llasa_core.audio import Waveform
from llasa_core.errors import LlasaError, one_line
from verifiers.base import TOKENS, About, Codes, Likelihood, Score, Target, Verifier, Wrapper
from verifiers.errors import VerifierError
from verifiers.spec import Spec

T = TypeVar("T")
_METHODS = ("check_spec", "metric", "from_spec")
_ATTRIBUTES: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "spec": (str,),
    "higher_is_better": (bool,),
    "min_seconds": (int, float),
}
_NEEDS = (*(field.name for field in fields(Target)), TOKENS)


class Plugin:
    """The class that an entry point names, as a `verifiers.registry.VerifierClass` that raises only
    VerifierError.

    A class without `needs_of` needs what it is about.
    """

    def __init__(self, kind: str, target: str, found: Any) -> None:
        """Raises VerifierError for a class that lacks something."""
        self._found = found
        self._origin = f"the verifier plugin {kind!r} ({target})"
        if not isinstance(getattr(found, "about", None), About):
            raise VerifierError(f"{self._origin} has no `about` of the class verifiers.About")
        lacks = [name for name in _METHODS if not callable(getattr(found, name, None))]
        if lacks:
            raise VerifierError(f"{self._origin} lacks {', '.join(lacks)}: subclass verifiers.BaseVerifier")
        self.about: About = found.about

    def check_spec(self, spec: Spec) -> None:
        self._call("check_spec", spec)

    def metric(self, spec: Spec) -> tuple[str, bool]:
        metric = self._call("metric", spec)
        if not (isinstance(metric, tuple) and [type(part) for part in metric] == [str, bool]):
            raise VerifierError(f"{self._origin}: metric gave {_short(metric)}, not (name, higher_is_better)")
        return metric[0], metric[1]

    def needs_of(self, spec: Spec) -> tuple[str, ...]:
        own = getattr(self._found, "needs_of", None)
        needs = self.about.needs if own is None else self._call("needs_of", spec)
        if not isinstance(needs, tuple) or not set(needs) <= set(_NEEDS):
            raise VerifierError(
                f"{self._origin} needs {_short(needs)}, not a tuple of fields of Target ({', '.join(_NEEDS)})"
            )
        return needs

    def from_spec(self, spec: Spec, device: str) -> Verifier:
        verifier = self._call("from_spec", spec, device)
        for name, kind in _ATTRIBUTES.items():
            value = self._attribute(verifier, name)
            if not isinstance(value, kind):
                raise VerifierError(f"{self._origin}: {name} is {_short(value)}, of the type {_type(value)}")
        needs = self.needs_of(spec)
        for method in ("score", "score_tokens") if TOKENS in needs else ("score",):
            if not callable(getattr(verifier, method, None)):
                raise VerifierError(f"{self._origin} lacks {method}: subclass verifiers.BaseVerifier")
        return _Guarded(verifier, self._origin, needs)

    def _attribute(self, verifier: Any, name: str) -> Any:
        return _call(self._origin, name, lambda: getattr(verifier, name))

    def _call(self, name: str, *arguments: Any) -> Any:
        return _call(self._origin, name, lambda: getattr(self._found, name)(*arguments))


class _Guarded(Wrapper):
    """A plugin's verifier whose scores are checked."""

    def __init__(self, verifier: Verifier, origin: str, needs: tuple[str, ...]) -> None:
        super().__init__(verifier)
        self.needs = needs
        self._origin = origin

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        """As `verifiers.base.Verifier.score`. Raises VerifierError for anything but a good score for each."""
        judge: Callable[..., Any] = self.verifier.score
        return self._checked("score", len(candidates), lambda: judge(candidates, target, partial))

    def score_tokens(
        self, candidates: Sequence[Codes], target: Target, likelihood: Likelihood, partial: bool = False
    ) -> list[Score]:
        """As `verifiers.base.TokenVerifier.score_tokens`, with the checks of `score`."""
        judge: Callable[..., Any] = self.__getattr__("score_tokens")
        work = lambda: judge(candidates, target, likelihood, partial)
        return self._checked("score_tokens", len(candidates), work)

    def _checked(self, step: str, count: int, judge: Callable[[], Any]) -> list[Score]:
        scores = _call(self._origin, step, judge)
        if not isinstance(scores, (list, tuple)) or len(scores) != count:
            raise VerifierError(
                f"{self._origin}: {step} gave {_short(scores)} for {count} candidates, not one Score each"
            )
        for score in scores:
            if reason := _fault(score):
                raise VerifierError(f"{self._origin}: {step} gave {reason}")
        return list(scores)


def _fault(score: Any) -> str:
    """What is wrong with a score, or ""."""
    if not isinstance(score, Score):
        return f"{_short(score)}, of the type {_type(score)}, not a Score"
    value: Any = score.value
    usable: Any = score.usable
    if not isinstance(value, (int, float)) or not np.isfinite(value):
        return f"the value {_short(value)}, of the type {_type(value)}, not a finite float"
    if not isinstance(usable, bool):
        return f"a Score with `usable` {_short(usable)}, not a bool"
    try:
        json.dumps(dict(score.evidence), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return f"evidence that is no plain JSON ({one_line(error)})"
    return ""


def _call(origin: str, step: str, call: Callable[[], T]) -> T:
    """Errors that a user can act on pass; any other says whose it is."""
    try:
        return call()
    except LlasaError:
        raise
    except (Exception, SystemExit) as error:
        raise VerifierError(
            f"{origin} failed in {step}: {type(error).__name__}: {one_line(error)}"
        ) from error


def _short(value: Any) -> str:
    try:
        text = " ".join(repr(value).split())
    except Exception as error:  # noqa: BLE001 (the code of another package)
        text = f"something whose repr fails with {type(error).__name__}"
    return text if len(text) <= 60 else f"{text[:60]}..."


def _type(value: Any) -> str:
    return type(value).__name__
