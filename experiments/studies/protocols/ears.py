"""Which verifiers score: the protocol's own where they can be had, or those that the caller gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.studies.protocols.protocol import VARIANTS, Protocol, Utterance
from llasa_core.errors import LlasaError, UserError, nearest
from llasa_core.text import base_language
from search.roles import here, weights
from verifiers import registry
from verifiers.models.wavlm_large import FILE
from verifiers.shared.recogniser import Recogniser
from verifiers.spec import Spec

NONE = "none"
"""In place of a spec: that measure is left out."""
ONE_FILE = ("wavlm-large-sv",)
"""Kinds of which one file of weights was released, under whatever name it is kept."""
TAKEN = {"normalizer", "unit"}
"""Options of a recogniser that the protocol and its variant decide."""
MEASURES = ("measure", "reference", "hub", "window")
"""Options that change what is measured, or by which weights."""
INSTEAD = {
    "--ear": ("whisper:large-v3", "whisper:base", "hubert-ctc:nano"),
    "--sim": ("wavlm-sv:microsoft/wavlm-base-plus-sv", "ge2e", "wavlm-sv:nano"),
    "--emo": ("emotion2vec:iic/emotion2vec_plus_large", "emotion2vec:nano"),
}
"""What an error suggests: the first that is on this machine."""
NEEDS = {
    "--ear": (("text",), "transcribes"),
    "--sim": (("reference",), "compares voices"),
    "--emo": (("emotion_reference",), "judges emotion"),
}


@dataclass(frozen=True, slots=True)
class EarOptions:
    """Specs in place of the protocol's, NONE, or None for its own. variant: the normalisation of words."""

    ear: str | None = None
    sim: str | None = None
    emo: str | None = None
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Ears:
    """Specs, "" for a measure that is left out. replaced: `ge2e in place of wavlm-large-sv:...` for each that
    is not the protocol's."""

    words: str
    sim: str
    emotion: str
    variant: str
    replaced: tuple[str, ...] = ()

    @property
    def specs(self) -> tuple[str, ...]:
        return tuple(spec for spec in (self.words, self.sim, self.emotion) if spec)

    @property
    def labels(self) -> bool:
        """Whether emotion is judged as right or wrong, and not by similarity."""
        return bool(self.emotion) and Spec.parse(self.emotion).options.get("measure") == "label"

    def searched(self, verifiers: Sequence[str]) -> tuple[str, ...]:
        """Those that have the weights of a verifier that searched."""
        own = {weights(spec) for spec in verifiers}
        return tuple(spec for spec in self.specs if weights(spec) in own)


def choose_ears(
    protocol: Protocol, given: EarOptions, utterances: Sequence[Utterance], data: Path | None
) -> Ears:
    """Loads nothing. Raises UserError that names what to give for an ear that cannot be had."""
    scoring = protocol.scoring
    variant = given.variant or scoring.variant
    if variant not in VARIANTS:
        raise UserError(f"--variant {variant!r}{nearest(variant, VARIANTS)}")
    if variant == "whisper" and base_language(utterances[0].language) != "en":
        raise UserError("--variant whisper normalises English only: leave it out")
    beside = (f"wavlm-large-sv:{data}",) if data is not None and (data / FILE).is_file() else ()
    words, word_note = _pick(protocol, "--ear", given.ear, scoring.ear)
    sim, sim_note = _pick(protocol, "--sim", given.sim, (*beside, *scoring.sim))
    emotion, emotion_note = "", ""
    if scoring.emotion:
        emotion, emotion_note = _pick(protocol, "--emo", given.emo, scoring.emotion)
    elif given.emo not in (None, NONE):
        raise UserError(f"--emo {given.emo}: the list of {protocol.name} has no emotions: leave it out")
    notes = tuple(filter(None, (word_note, sim_note, emotion_note)))
    if words:
        words = _with_variant(words, variant, characters=scoring.characters)
    if not (words or sim or emotion):
        raise UserError("there is nothing left to score by: give --ear, --sim or --emo other than none")
    return Ears(words, sim, emotion, variant, notes)


def _pick(protocol: Protocol, option: str, given: str | None, own: Sequence[str]) -> tuple[str, str]:
    """The spec, and a note if it is none of the protocol's first kind: what stands behind that in `own` is
    for those who lack it."""
    if given == NONE:
        return "", ""
    first = [one for one in own if Spec.parse(one).kind == Spec.parse(own[0]).kind]
    if given is not None:
        registry.check(given)
        _check_kind(option, given)
        return given, "" if any(_same(given, one) for one in first) else f"{given} in place of {first[-1]}"
    reason = ""
    for spec in own:
        try:
            registry.check(spec)
        except LlasaError as error:
            reason = reason or str(error)
            continue
        return spec, "" if any(_same(spec, one) for one in first) else f"{spec} in place of {first[-1]}"
    instead = next((f" {option} {spec}" for spec in INSTEAD[option] if here(spec)), f" {option} SPEC")
    raise UserError(
        f"{protocol.name} is scored by {own[-1]}, which cannot be had here ({reason}): give another, such as"
        f"{instead}, or leave that measure out with {option} {NONE}; the table says what was used"
    )


def _same(spec: str, own: str) -> bool:
    """Whether a spec means the protocol's weights, by name: a file or folder of them may lie anywhere."""
    given, wanted = Spec.parse(spec), Spec.parse(own)
    if given.kind != wanted.kind:
        return False
    if any(given.options.get(name) != wanted.options.get(name) for name in MEASURES):
        return False
    return given.kind in ONE_FILE or Path(given.source).stem == Path(wanted.source).stem


def _check_kind(option: str, spec: str) -> None:
    """Raises UserError for a verifier that measures something else than the option is for."""
    needed, does = NEEDS[option]
    needs = registry.needs(spec)
    kind = registry.built_in(Spec.parse(spec).kind)
    fits = needs == needed or (option == "--emo" and needs == ("emotion",))
    if fits and option == "--ear" and kind is not None:
        fits = issubclass(kind, Recogniser)
    if not fits:
        raise UserError(f"{option} {spec}: give a verifier that {does}, such as {INSTEAD[option][0]}")


def shown(spec: str) -> str:
    """The spec without the normalisation, which the variant names."""
    parsed = Spec.parse(spec)
    options = {name: value for name, value in parsed.options.items() if name not in TAKEN}
    return str(replace(parsed, options=options)) if TAKEN & parsed.options.keys() else spec


def _with_variant(spec: str, variant: str, *, characters: bool) -> str:
    """The spec of a recogniser with the normalisation. Raises UserError if it has one of its own."""
    parsed = Spec.parse(spec)
    if taken := TAKEN & parsed.options.keys():
        raise UserError(f"--ear {spec}: {min(taken)} is the protocol's, or --variant's: leave it out")
    unit = {"unit": "character"} if characters else {}
    options = {**parsed.options, "normalizer": variant, **unit}
    return str(registry.check(str(replace(parsed, options=options))))
