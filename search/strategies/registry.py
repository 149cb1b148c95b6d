"""Strategies by name, with their options: `partial-prm?beams=4&n=4&prm=sim&select=wer<=0,sim`.

The same as a mapping, as recipes in YAML and manifests have it: `{"name": "partial-prm", "beams": 4, "n": 4, ...}`.
Defaults are those of the dataclasses; `prm` and `select` depend on what the loaded verifiers measure.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from llasa_core.errors import UserError
from search.asks import Strategy
from search.strategies.adaptive import Adaptive
from search.strategies.beam import BeamSearch
from search.strategies.best_of_n import BestOfN
from search.strategies.dvts import DVTS
from search.strategies.partial_prm import PartialPRM
from search.strategies.particle import ParticleFilter
from search.strategies.repair import Repair
from verifiers.errors import VerifierError
from verifiers.selection.parse import parse_selection
from verifiers.spec import Spec, nearest

Directions: TypeAlias = Mapping[str, bool]
"""The metrics that the loaded verifiers measure, and whether higher is better."""


@dataclass(frozen=True, slots=True)
class Option:
    """read: from text, or ValueError. doc: one line. default: as text, if the dataclass has none."""

    read: Callable[[str], Any]
    doc: str
    default: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A strategy that can be asked for by name. Its options are fields of `make`, but for `select`."""

    make: Callable[..., Strategy]
    summary: str
    options: Mapping[str, Option]

    def default(self, option: str) -> str:
        """As text; "" if it depends on the verifiers, or if there is none."""
        fields = {field.name: field for field in dataclasses.fields(self.make)}  # type: ignore[arg-type]
        found = fields[option].default if option in fields else dataclasses.MISSING
        if found is dataclasses.MISSING or found is None:
            return self.options[option].default
        return f"{found:g}" if isinstance(found, float) else str(found)


def whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("has to be a whole number") from None


def decimal(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("has to be a number") from None


def names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))


_STEP = Option(whole, "tokens between prunings, 50 a second")
_PRM = Option(str, "how partial utterances are ranked", "sim")
_CHOICE = {
    "select": Option(str, "how complete utterances are ranked", "wer<=0,sim"),
    "verifiers": Option(names, "what complete utterances are measured by", "all that are loaded"),
}
_TREE = {
    "beams": Option(whole, "beams that survive each pruning"),
    "n": Option(whole, "continuations of each"),
    "step": _STEP,
    "prm": _PRM,
}

KINDS: Mapping[str, Kind] = {
    "best-of-n": Kind(
        BestOfN,
        "complete candidates, the best is kept (the paper's ORM)",
        {"n": Option(whole, "candidates", "16"), **_CHOICE},
    ),
    "beam": Kind(BeamSearch, "a verifier prunes while beams grow (the paper's PRM)", {**_TREE, **_CHOICE}),
    "partial-prm": Kind(
        PartialPRM,
        "beam search for the first seconds, then free to the end, then the best (the paper's best)",
        {**_TREE, "seconds": Option(decimal, "how long beams are pruned; inf: to the end"), **_CHOICE},
    ),
    "dvts": Kind(
        DVTS,
        "beams as independent sub-trees, so that they stay different",
        {**_TREE, "beams": Option(whole, "sub-trees, each with one beam"), **_CHOICE},
    ),
    "particle": Kind(
        ParticleFilter,
        "particles survive in proportion to their reward",
        {
            "particles": Option(whole, "utterances that grow together"),
            "step": Option(whole, "tokens between resamplings, 50 a second"),
            "temperature": Option(decimal, "of the reward, in its unit: lower is greedier"),
            "resample_below": Option(decimal, "share of effective particles below which they are resampled"),
            "seed": Option(whole, "of the resampling"),
            "prm": Option(str, "the one metric that partial utterances are weighted by", "sim"),
            **_CHOICE,
        },
    ),
    "adaptive": Kind(
        Adaptive,
        "candidates are drawn until one meets the constraints",
        {
            "n": Option(whole, "most candidates"),
            "first": Option(whole, "candidates of the first round, doubled in each"),
            **_CHOICE,
        },
    ),
    "repair": Kind(
        Repair,
        "the winner is rolled back to its first wrong word and continued from there",
        {
            "first": Option(str, "where the winner comes from: candidates, or a strategy", "4"),
            "n": Option(whole, "continuations of each round"),
            "rounds": Option(whole, "most rounds"),
            "budget": Option(whole, "tokens after which no round begins", "none"),
            "step": Option(whole, "tokens between the places it can be rolled back to, 50 a second"),
            "margin": Option(whole, "steps that it goes back further"),
            "content": Option(str, "the verifier that finds wrong words"),
            "sound": Option(str, "longest: a beginning heard without errors clears all shorter ones"),
            **_CHOICE,
        },
    ),
}


def build(spec: str | Mapping[str, Any], directions: Directions) -> Strategy:
    """The strategy of a spec string or a mapping; what is not given, or None, has its default.

    `describe()` of a strategy is a mapping that builds an equal one. `first` of repair is a number of candidates, or
    a strategy in either form, which has the verifiers and the selection of the repair unless it names its own.

    Raises UserError for an unknown name or option (the nearest is named), a value that cannot be read or is out of
    range; VerifierError for a selection that cannot be read.
    """
    name, given = read(spec)
    if name not in KINDS:
        raise UserError(f"there is no strategy {name!r}{nearest(name, KINDS)}")
    kind = KINDS[name]
    texts: dict[str, str] = {}
    for option, value in given.items():
        if option not in kind.options:
            raise UserError(f"{name} has no option {option!r}{nearest(option, kind.options)}")
        if value is not None and not (name == "repair" and option == "first"):
            texts[option] = _text(name, option, value)
    if "n" in kind.options:
        texts.setdefault("n", kind.default("n"))
    values = {
        option: _value(name, option, kind.options[option].read, text)
        for option, text in texts.items()
        if option not in ("prm", "select")
    }
    verifiers = values.setdefault("verifiers", tuple(directions))
    for verifier in verifiers:
        if verifier not in directions:
            raise UserError(f"{name} asks for the verifier {verifier!r}{nearest(verifier, directions)}")
    rule = texts.get("select") or default_selection(verifiers)
    values["selection"] = parse_selection(rule, directions)
    if "prm" in kind.options:
        values["prm"] = parse_selection(texts.get("prm") or default_prm(tuple(directions)), directions)
    if name == "repair":
        first = given.get("first")
        values["first"] = _first(first, {"select": rule, "verifiers": list(verifiers)}, directions)
    return kind.make(**values)


def default_selection(metrics: Sequence[str]) -> str:
    """No word wrong, then the most similar; with one metric, the best by it. Raises UserError for any others."""
    if set(metrics) == {"wer", "sim"}:
        return "wer<=0,sim"
    if len(metrics) == 1:
        return metrics[0]
    raise UserError(
        f"say how {', '.join(metrics) or 'nothing'} chooses, such as --select {_example(metrics)} "
        f"(or select={_example(metrics)} in the strategy)"
    )


def default_prm(metrics: Sequence[str]) -> str:
    """The similarity; with one metric, this. Raises UserError for any others."""
    if "sim" in metrics:
        return "sim"
    if len(metrics) == 1:
        return metrics[0]
    raise UserError(f"say which of {', '.join(metrics)} prunes beams, such as prm={_example(metrics)}")


def explain() -> str:
    """All strategies with their options and defaults, for people."""
    lines = []
    for name, kind in KINDS.items():
        lines.append(f"{name}: {kind.summary}")
        for option, about in kind.options.items():
            lines.append(f"  {f'{option}={kind.default(option)}':<30} {about.doc}")
    return "\n".join(lines)


def read(spec: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and options as they were given."""
    if isinstance(spec, str):
        try:
            parsed = Spec.parse(spec)
        except VerifierError:
            parsed = None
        if parsed is None or parsed.source != "nano":
            raise UserError(
                f"cannot read the strategy {spec!r}: write name?option=value&option=value, each option once, "
                "as in 'beam?beams=4&n=4'"
            )
        return parsed.kind, dict(parsed.options)
    given = dict(spec)
    name = given.pop("name", None)
    if not isinstance(name, str):
        raise UserError(f"the strategy {dict(spec)!r} has no name: give one{nearest('', KINDS)}")
    return name, given


def _text(name: str, option: str, value: Any) -> str:
    """Recipes have numbers and lists."""
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return ",".join(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UserError(f"{option}={value!r} of {name}: give a number or text")
    return str(value)


def _value(name: str, option: str, read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise UserError(f"{option}={text} of {name}: {error}") from None


def _first(given: Any, inherited: Mapping[str, Any], directions: Directions) -> Strategy:
    """What repair begins with: so many candidates, or a strategy."""
    if given is None:
        given = KINDS["repair"].options["first"].default
    if isinstance(given, Mapping):
        name, options = read(given)
    elif _is_count(given):
        name, options = "best-of-n", {"n": given}
    else:
        name, options = read(_text("repair", "first", given))
    return build({"name": name, **inherited, **options}, directions)


def _is_count(given: Any) -> bool:
    return str(given).lstrip("-").isdigit()


def _example(metrics: Sequence[str]) -> str:
    return metrics[0] if metrics else "sim"
