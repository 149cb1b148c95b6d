"""hyperparams.yaml of speechbrain's ECAPA models, read as data.

speechbrain reads such a file by HyperPyYAML, whose tags build any object of any package and call any function
(`!new:`, `!name:`, `!apply:`), read other files (`!include:`) and evaluate expressions (`!ref`). Here a tag
`!new:` is allowed for the classes of a released model only, and `!ref` for a plain name. Nothing is built:
the caller gets the arguments of the three parts that embed.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llasa_core.errors import one_line
from verifiers.errors import VerifierError

FEATURES, NORM, EMBEDDING = "compute_features", "mean_var_norm", "embedding_model"
_CLASSES = {
    FEATURES: "speechbrain.lobes.features.Fbank",
    NORM: "speechbrain.processing.features.InputNormalization",
    EMBEDDING: "speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN",
}
_UNUSED = (
    "speechbrain.lobes.models.ECAPA_TDNN.Classifier",
    "speechbrain.dataio.encoder.CategoricalEncoder",
    "speechbrain.utils.parameter_transfer.Pretrainer",
)
"""Classes that a released file names and that embedding does without."""
_REF = re.compile(r"<(\w+)>(/[\w.-]+)*")
_MOST_BYTES = 1 << 16
_CURE = "give the hyperparams.yaml of a released ECAPA model"


@dataclass(frozen=True, slots=True)
class _New:
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Ref:
    name: str


def read_hyperparams(file: Path) -> dict[str, dict[str, Any]]:
    """The arguments of FEATURES, NORM and EMBEDDING: numbers, words, and lists of numbers.

    Raises VerifierError for any other file, and names the tag or the expression that it does not allow.
    """
    import yaml

    try:
        if file.stat().st_size > _MOST_BYTES:
            raise VerifierError(f"{file} is too long for settings: {_CURE}")
        settings = yaml.load(file.read_text("utf-8"), _loader(file))
    except VerifierError:
        raise
    except (OSError, ValueError, RecursionError, TypeError, yaml.YAMLError) as error:
        raise VerifierError(f"cannot load {file} ({one_line(error)}): {_CURE}") from None
    if not isinstance(settings, dict):
        raise VerifierError(f"cannot load {file} (it is no mapping): {_CURE}")
    found = {}
    for part, wanted in _CLASSES.items():
        new = settings.get(part)
        if not isinstance(new, _New) or new.name != wanted:
            raise VerifierError(f"cannot load {file} ({part} is no !new:{wanted}): {_CURE}")
        found[part] = {name: _literal(value, settings, name, file) for name, value in new.arguments.items()}
    return found


def _loader(file: Path) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """A safe loader that knows `!new:` of a few classes and `!ref`, and builds neither."""

    def new(loader: Any, name: str, node: Any) -> _New:
        if name not in (*_CLASSES.values(), *_UNUSED):
            raise VerifierError(f"{file} asks for !new:{name[:80]}, which is never built: {_CURE}")
        arguments = loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else {}
        return _New(name, arguments)

    def ref(loader: Any, node: Any) -> _Ref:
        text = node.value if isinstance(node, yaml.ScalarNode) else ""
        if not _REF.fullmatch(text):
            raise VerifierError(
                f"{file} has the expression !ref {text[:80]}, which is never evaluated: {_CURE}"
            )
        return _Ref(text)

    def other(loader: Any, suffix: str, node: Any) -> None:
        raise VerifierError(f"{file} has the tag {node.tag[:80]}, which is never run: {_CURE}")

    Loader.add_multi_constructor("!new:", new)
    Loader.add_constructor("!ref", ref)
    Loader.add_multi_constructor("", other)
    return Loader


def _literal(value: Any, settings: dict[str, Any], name: str, file: Path) -> Any:
    """A number, a word or a list of numbers, which may stand elsewhere in the file under a name."""
    if isinstance(value, _Ref):
        value = settings.get(value.name[1:-1])
    numbers = value if isinstance(value, list) else [value]
    if all(part is None or isinstance(part, (bool, int, float)) for part in numbers):
        return value
    if isinstance(value, str) and value.isidentifier():
        return value
    raise VerifierError(f"cannot load {file} ({name} is no number, word or list of numbers): {_CURE}")
