"""What an emotion adds to a search: the verifier that searches by it, and the judges that are held out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from llasa_core.emotion import Emotion
from llasa_core.errors import UserError
from llasa_core.presets import DIMENSIONAL
from search.roles import here
from verifiers import registry
from verifiers.shared.emotions import canonical
from verifiers.spec import Spec

SEARCHING: Mapping[str, str] = {
    "emotion": "emotion2vec?measure=label",
    "emotion_reference": "emotion2vec",
    "dimensions": "dimensional",
}
"""By the field of a verifier's target: what searches by it, with the source of the preset."""


HELD_OUT: Mapping[str, tuple[str, ...]] = {
    "emotion": ("prosody",),
    "emotion_reference": (f"{DIMENSIONAL}?measure=reference", "ge2e?reference=emotion"),
    "dimensions": (),
}
"""By the field: what judges it, of another family than what searches, and for the leak check the likeness to
the speaker of a recording of the emotion."""
EMOTION_FIELDS = frozenset(SEARCHING)


class Asked(Protocol):
    """A `Request`, or a row of a list with recordings not read yet."""

    @property
    def emotion(self) -> str | None: ...
    @property
    def emotion_audio(self) -> object | None: ...


def emotion_of(wanted: Emotion | None) -> dict[str, Any]:
    """The fields of a verifier's target that an emotion gives; None for what it does not say."""
    if wanted is None:
        return dict.fromkeys(("emotion", "strength", "mix", "dimensions"))
    return {
        "emotion": wanted.label or None,
        "strength": wanted.strength,
        "mix": dict(wanted.weights) if wanted.is_mix else None,
        "dimensions": wanted.dimensions,
    }


def fields_of(request: Asked) -> dict[str, tuple[str, bool]]:
    """By the field of a verifier's target about emotions, the option that gives it and whether it does."""
    wanted = None if request.emotion is None else Emotion.parse(request.emotion)
    found = emotion_of(wanted)
    return {
        "emotion": ("--emotion LABEL", found["emotion"] is not None),
        "dimensions": ("--emotion arousal=0.8,valence=0.3", found["dimensions"] is not None),
        "emotion_reference": ("--emotion-audio WAV", request.emotion_audio is not None),
    }


def searching(request: Asked) -> tuple[str, ...]:
    """Specs of what searches by the emotion that is asked for, without sources."""
    return tuple(SEARCHING[field] for field, (_, given) in fields_of(request).items() if given)


def judging(request: Asked, verifiers: Iterable[str]) -> tuple[str, ...]:
    """Specs of the judges of the emotion that is asked for, and of the leak check, that are on this machine;
    none where no verifier searches by an emotion."""
    if not any(map(judges_emotion, verifiers)):
        return ()
    given = [field for field, (_, is_given) in fields_of(request).items() if is_given]
    found = (spec for field in given for spec in HELD_OUT[field] if here(spec))
    return tuple(spec for spec in found if not unknown_labels(spec, request))


def role_of_voice(spec: str) -> str:
    """The field of the target with whose speaker the spec's verifier compares; "" if it judges no voice."""
    if Spec.parse(spec).options.get("reference") == "emotion":
        return "emotion_reference"
    needs = registry.needs(spec)
    voices = (field for field in ("reference", "resynthesis") if field in needs)
    return "" if EMOTION_FIELDS & set(needs) else next(voices, "")


def judges_emotion(spec: str) -> bool:
    """Whether the spec's verifier judges an emotion, not only the voice of its recording."""
    return bool(EMOTION_FIELDS & set(registry.needs(spec))) and not role_of_voice(spec)


def check_emotion(specs: Iterable[str], request: Asked) -> None:
    """Raises UserError for a verifier that lacks its emotion, for an emotion that nothing judges, and for a
    label that a verifier does not know, as far as that is known without loading it."""
    specs = tuple(specs)
    needed = {field: spec for spec in specs for field in registry.needs(spec)}
    for field, (option, given) in fields_of(request).items():
        if not given and field in needed:
            raise UserError(f"{needed[field]} judges the emotion: give {option}")
        if given and field not in needed:
            raise UserError(
                f"{option.split()[0]} is given and no verifier judges by it: "
                f"add --verifier '{SEARCHING[field]}'"
            )
    for spec in specs:
        if error := unknown_labels(spec, request):
            raise error


def unknown_labels(spec: str, request: Asked) -> UserError | None:
    """The error about a label that the spec's verifier does not know, as far as that is known without loading
    it; None without one."""
    kind = registry.built_in(Spec.parse(spec).kind)
    known = kind.emotions_of(Spec.parse(spec)) if kind is not None and request.emotion else ()
    try:
        for label in Emotion.parse(request.emotion or "").weights if known else ():
            canonical(label, known)
    except UserError as error:
        return error
    return None
