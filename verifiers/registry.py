"""The verifiers that there are, by kind. Nothing is imported before it is asked for.

Another package adds a kind through an entry point of the group `llasa_search.verifiers`, whose value is
`module:Class`; the class is a `verifiers.BaseVerifier`, or keeps the Protocol `VerifierClass` in another way.
"""

from collections.abc import Mapping
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Protocol, cast

from llasa_core.errors import LlasaError, nearest, one_line
from verifiers.base import About, Verifier
from verifiers.errors import VerifierError
from verifiers.plugins import Plugin
from verifiers.spec import Spec

if TYPE_CHECKING:
    from verifiers.shared.verifier import BaseVerifier

ENTRY_POINTS = "llasa_search.verifiers"
BUILT_IN: Mapping[str, str] = {
    "artefacts": "verifiers.models.artefacts:Artefacts",
    "dimensional": "verifiers.models.dimensional:DimensionalEmotion",
    "dnsmos": "verifiers.models.dnsmos:DNSMOS",
    "ecapa": "verifiers.models.ecapa:EcapaSpeaker",
    "emotion2vec": "verifiers.models.emotion2vec:Emotion2vec",
    "ge2e": "verifiers.models.ge2e:GE2ESpeaker",
    "hubert-ctc": "verifiers.models.hubert_ctc:HubertCTC",
    "length": "verifiers.models.length:SpokenLength",
    "likelihood": "verifiers.models.likelihood:GeneratorLikelihood",
    "loops": "verifiers.models.loops:TokenLoops",
    "paraformer": "verifiers.models.paraformer:Paraformer",
    "prosody": "verifiers.models.prosody:ProsodyEmotion",
    "signal": "verifiers.models.signal:SignalChecks",
    "sphinx": "verifiers.models.sphinx:SphinxASR",
    "utmos": "verifiers.models.utmos:UTMOS",
    "wavlm-large-sv": "verifiers.models.wavlm_large:WavLMLargeSpeaker",
    "wavlm-sv": "verifiers.models.wavlm_sv:WavLMSpeaker",
    "whisper": "verifiers.models.whisper:WhisperASR",
}


class VerifierClass(Protocol):
    """What a kind's class has to offer. Its module should import model libraries only when needed."""

    @property
    def about(self) -> About: ...

    def check_spec(self, spec: Spec) -> None:
        """Raises VerifierError for bad options or a source that is not there. Loads no model."""
        ...

    def metric(self, spec: Spec) -> tuple[str, bool]:
        """(name, higher_is_better) of the verifier that the spec would build. Loads no model."""
        ...

    def needs_of(self, spec: Spec) -> tuple[str, ...]:
        """`needs` of the verifier that the spec would build. Loads no model."""
        ...

    def from_spec(self, spec: Spec, device: str) -> Verifier:
        """Loads the model. Raises VerifierError if any weight is missing, left over or of another shape."""
        ...


def kinds() -> dict[str, str]:
    """All kinds and their `module:Class` targets. A built-in kind cannot be replaced from outside."""
    added = {point.name: point.value for point in metadata.entry_points(group=ENTRY_POINTS)}
    return dict(sorted({**added, **BUILT_IN}.items()))


def check(spec: str) -> Spec:
    """The spec, read and checked without loading a model: kind, options, and that the source is there.

    Raises VerifierError; an unknown kind is answered with the nearest one.
    """
    parsed = Spec.parse(spec)
    find(parsed.kind).check_spec(parsed)
    return parsed


def directions(*specs: str) -> dict[str, bool]:
    """`higher_is_better` by the metric names of the specs, for `parse_selection`, without loading a model."""
    parsed = [Spec.parse(spec) for spec in specs]
    return dict(find(spec.kind).metric(spec) for spec in parsed)


def needs(spec: str) -> tuple[str, ...]:
    """The fields of `Target` that the spec's verifier judges against, and `verifiers.base.TOKENS` if it
    judges speech tokens, without loading a model."""
    parsed = Spec.parse(spec)
    return find(parsed.kind).needs_of(parsed)


def load(spec: str, device: str = "cpu") -> Verifier:
    """Builds the verifier of a spec such as `whisper`, `whisper:large-v3` or `wavlm-sv:folder?batch=8`.

    Raises VerifierError for an unknown kind, option, source or device, and for weights that do not fit.
    """
    parsed = check(spec)
    return find(parsed.kind).from_spec(parsed, device)


def find(kind: str) -> VerifierClass:
    """The class of a kind, imported now. Raises VerifierError for an unknown kind (the nearest is named) and
    for whatever goes wrong when the package of a plugin is imported."""
    targets = kinds()
    if kind not in targets:
        raise VerifierError(f"unknown verifier {kind!r}{nearest(kind, targets)}")
    module, _, name = targets[kind].partition(":")
    try:
        found = getattr(import_module(module), name)
    except LlasaError:
        raise
    except (Exception, SystemExit) as error:
        raise VerifierError(
            f"cannot import the verifier {kind!r} from {targets[kind]}: {one_line(error)}"
        ) from error
    return cast(VerifierClass, found) if kind in BUILT_IN else Plugin(kind, targets[kind], found)


def built_in(kind: str) -> "type[BaseVerifier] | None":
    """The class of a kind of this package, or None for that of another one."""
    return cast("type[BaseVerifier]", find(kind)) if kind in BUILT_IN else None
