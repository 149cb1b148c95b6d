"""What all strategies share: options as documented fields, their description for manifests, and how they
end."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from typing import (
    Any,
    ClassVar,
    Literal,
    TypeVar,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from llasa_core.errors import UserError
from llasa_core.prompt import CONTEXT_TOKENS
from search.asks import Beams, Choice, Work
from search.bounds import MOST_CANDIDATES, check_candidates, check_range, shown
from search.strategies.candidates import judged
from verifiers.selection.parse import Cascade, ConstraintFirst, Rule, Selection

S = TypeVar("S", bound="type[Strategy]")
EMOTION = ("emo", "emo-sim", "emo-dim", "emo-dim-sim")
"""The metrics of verifiers of emotions."""
BEFORE_EMOTION = {"wer": "wer<=0", "sim": "sim>=0.86"}
"""What a candidate has to keep before its emotion counts: every word, and the voice. 0.86 is the threshold of
same and other speaker on the model card of microsoft/wavlm-base-plus-sv. The nano family's verifier of voices
gives more to every voice, so that there the bound leaves nobody out."""
WIDE = "times n candidates where one or two words are wrong in all n (1: never)"
"""The option `wide` of strategies that count candidates (`search.strategies.candidates.widened`)."""


def option(
    help: str,
    *,
    default: Any = MISSING,
    unless_given: str | Callable[[Sequence[str]], str] | None = None,
    least: float | None = None,
    most: float | None = None,
) -> Any:
    """A field of a strategy that can be set on the command line, in recipes and in Python.

    help: one line. unless_given: what a default that depends on the loaded verifiers is read from, as text
    or as a function of the metrics that they measure. least, most: bounds of a number, both allowed.
    """
    found = {"help": help, "unless_given": unless_given, "least": least, "most": most}
    return field(
        default=default, metadata={name: value for name, value in found.items() if value is not None}
    )


def count(help: str, *, default: int, most: int = MOST_CANDIDATES) -> Any:
    """An option that counts candidates or what they are made of: a whole number of at least 1."""
    return option(help, default=default, least=1, most=most)


def tokens(help: str, *, default: int = 25) -> Any:
    """An option that is a length, 25 tokens (0.5 s) as in the paper; no candidate is longer than the
    context."""
    return count(f"tokens {help}, 50 a second", default=default, most=CONTEXT_TOKENS)


@dataclass(frozen=True, kw_only=True)
class Strategy(ABC):
    """A search algorithm. One object can plan any number of requests, also at the same time.

    A new strategy is one file in this folder (or in another package, by an entry point of the group
    `llasa_search.strategies`): a subclass under the decorator `strategy`, with options as fields and a
    `plan`.

        @strategy("best-of-n")
        class BestOfN(Strategy):
            \"""Complete candidates, the best is kept.\"""

            n: int = count("candidates", default=16)

            def plan(self) -> Work[Choice]:
                root = yield from start()
                beams = yield from branch((root,), self.n)
                beams = yield from extend(beams)
                return (yield from self.conclude(beams))

    verifiers: the names of those that measure the complete candidates. selection: ranks them.

    Raises UserError for an option out of range, more candidates than one request can hold, or if the
    selection looks at a metric that none of the verifiers measures.
    """

    name: ClassVar[str] = ""
    verifiers: tuple[str, ...]
    selection: Selection

    def __post_init__(self) -> None:
        for one in fields(self):
            self._check(one, getattr(self, one.name))
        check_candidates(self.name, self.most_candidates)
        if missing := [metric for metric in self.selection.metrics if metric not in self.verifiers]:
            raise UserError(
                f"nothing measures {', '.join(missing)}, which {self.selection.spec!r} selects by: "
                "add a verifier"
            )

    @property
    def bounds(self) -> tuple[str, ...]:
        """The constraints of the selection, such as "wer<=0"."""
        return tuple(map(str, self.selection.constraints))

    @property
    def most_candidates(self) -> int:
        """How many utterances a request is to have; 0 where that is not known before it runs. Beams that end
        early are kept while the others go on at full width, so that a tree may end with up to twice as
        many."""
        return 0

    @abstractmethod
    def plan(self) -> Work[Choice]:
        """A new generator: yields asks, is sent answers, returns the choice."""

    def conclude(self, beams: Beams) -> Work[Choice]:
        """Measures and ranks complete beams: the end of a plan, and of one that was broken off.

        Raises UserError if there are none.
        """
        return judged(beams, self.verifiers, self.selection)

    def describe(self) -> dict[str, Any]:
        """The settings that `registry.build` makes an equal strategy from, as plain JSON values."""
        own = {one.name: _described(getattr(self, one.name)) for one in own_fields(type(self))}
        return {
            "name": self.name,
            **own,
            "select": self.selection.spec,
            "verifiers": list(self.verifiers),
        }

    def _check(self, one: Field[Any], value: Any) -> None:
        kind = field_types(type(self))[one.name]
        where = f"{one.name}={shown(value)} of {self.name}"
        if get_origin(kind) is Literal and value not in get_args(kind):
            raise UserError(f"{where}: has to be one of {', '.join(get_args(kind))}")
        if value is not None and kind in (int, float, int | None, float | None):
            whole = kind in (int, int | None)
            check_range(where, value, one.metadata.get("least"), one.metadata.get("most"), whole=whole)


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(field, option, count, tokens)
)
def strategy(name: str) -> Callable[[S], S]:
    """Decorator: makes a frozen dataclass of a subclass of `Strategy` that goes by this name."""

    def decorate(cls: S) -> S:
        made = dataclass(frozen=True, kw_only=True)(cls)
        made.name = name
        return cast(S, made)

    return decorate


def own_fields(kind: type[Strategy]) -> list[Field[Any]]:
    """The options of a strategy but for `select` and `verifiers`, which all have."""
    shared = {one.name for one in fields(Strategy)}
    return [one for one in fields(kind) if one.name not in shared]


@cache
def field_types(kind: type[Strategy]) -> dict[str, Any]:
    """The types of all fields."""
    return get_type_hints(kind)


def default_selection(metrics: Sequence[str]) -> str:
    """No word wrong, then the most similar; where an emotion is searched by, no word wrong, the same voice,
    then the emotion; with one metric, the best by it. Raises UserError for any others."""
    if set(metrics) == {"wer", "sim"}:
        return "wer<=0,sim"
    if len(metrics) == 1:
        return metrics[0]
    felt = [metric for metric in metrics if metric in EMOTION]
    if felt and set(metrics) <= {*felt, *BEFORE_EMOTION}:
        best = felt[0] if len(felt) == 1 else f"ranks({','.join(felt)})"
        return ",".join([*(bound for metric, bound in BEFORE_EMOTION.items() if metric in metrics), best])
    raise UserError(
        f"say how {', '.join(metrics) or 'nothing'} chooses, such as --select {_example(metrics)} "
        f"(or select={_example(metrics)} in the strategy)"
    )


def default_prm(metrics: Sequence[str]) -> str:
    """The emotion, where one is searched by, as the paper does (4.2), else the similarity; with one metric,
    this. Raises UserError for any others."""
    if len(felt := [metric for metric in metrics if metric in EMOTION]) == 1:
        return felt[0]
    if "sim" in metrics:
        return "sim"
    if len(metrics) == 1:
        return metrics[0]
    raise UserError(f"say which of {', '.join(metrics)} prunes beams, such as prm={_example(metrics)}")


def _example(metrics: Sequence[str]) -> str:
    return metrics[0] if metrics else "sim"


def _described(value: Any) -> Any:
    if isinstance(value, Strategy):
        return value.describe()
    if isinstance(value, Rule | ConstraintFirst | Cascade):
        return value.spec
    if isinstance(value, tuple):
        return list(value)
    # JSON has no infinity.
    return str(value) if isinstance(value, float) and math.isinf(value) else value
