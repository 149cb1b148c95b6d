"""Settings of models that somebody else wrote, as plain values: tags, interpolations and expressions are
refused."""

import ast
import re
from pathlib import Path
from typing import Any

from llasa_core.errors import one_line
from verifiers.errors import VerifierError

LAYERS = ("feature_encoder_spec", "conv_feature_layers")
"""Settings that funasr evaluates: lists of (channels, kernel, stride)."""
_MOST_SETTINGS, _MOST_LAYERS, _MOST_BYTES = 2_000, 64, 1 << 20
_WORD = re.compile(r"[\w.<>/ -]*")


class Refused(Exception):
    """A setting that is no plain value."""


def read_plain_yaml(file: Path) -> dict[str, Any]:
    """A YAML file of plain values. Raises VerifierError, and names a tag, an interpolation or an
    expression."""
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """Also reads 1e-5 as a number, as funasr does."""

    number = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+0123456789"))
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise VerifierError(f"{file} is too long for settings: give a complete model folder")
        settings = yaml.load(file.read_text("utf-8"), Loader)
        if not isinstance(settings, dict):
            raise VerifierError(f"{file} is no mapping: give a complete model folder")
        return dict(_plain(settings, "settings", [0]))
    except VerifierError:
        raise
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise VerifierError(f"cannot read {file} ({one_line(error)}): give a complete model folder") from None
    except Refused as error:
        raise VerifierError(
            f"{file}: {error}, which is never run: give a model with plain settings"
        ) from None


def _plain(value: Any, name: str, count: list[int]) -> Any:
    """The value if it is plain, with lists of layers as funasr may evaluate them. Raises Refused."""
    count[0] += 1
    if count[0] > _MOST_SETTINGS:
        raise Refused(f"more than {_MOST_SETTINGS} settings")
    if isinstance(value, dict):
        return {str(key): _plain(part, str(key), count) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part, name, count) for part in value]
    if name in LAYERS:
        return repr(layers(str(value)))
    if isinstance(value, str) and not _WORD.fullmatch(value):
        raise Refused(f"{name} is an expression ({_short(value)})")
    return value


def layers(text: str) -> list[tuple[int, ...]]:
    """The list that a sum of lists of whole numbers stands for: `[(512, 10, 5)] + [(512, 3, 2)] * 4`.

    Released models write it so. Raises Refused for any other expression.
    """

    def read(node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and type(node.value) is int and 0 <= node.value <= 1 << 16:
            return node.value
        if isinstance(node, ast.Tuple) and len(node.elts) <= 8:
            return tuple(read(part) for part in node.elts)
        if isinstance(node, ast.List):
            return [read(part) for part in node.elts]
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mult)):
            left, right = read(node.left), read(node.right)
            if isinstance(node.op, ast.Add) and isinstance(left, list) and isinstance(right, list):
                return left + right
            if isinstance(node.op, ast.Mult) and isinstance(left, list) and isinstance(right, int):
                return left * min(right, _MOST_LAYERS + 1)
        raise Refused(f"the list of layers is an expression ({_short(text)})")

    try:
        found = read(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        found = None
    whole = isinstance(found, list) and all(
        isinstance(layer, tuple) and len(layer) == 3 and all(type(size) is int for size in layer)
        for layer in found
    )
    if not whole or not 0 < len(found) <= _MOST_LAYERS:
        raise Refused(f"the list of layers is no list of (channels, kernel, stride) ({_short(text)})")
    return found  # type: ignore[no-any-return]


def _short(text: str) -> str:
    return " ".join(text.split())[:80]
