"""Model files of CTranslate2 (`model.bin`, version 6) as arrays. Every byte of a file is accounted for."""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifiers.errors import VerifierError

VERSION = 6
TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_MOST_VARIABLES, _MOST_AXES, _MOST_VALUES = 10_000, 4, 1 << 31


@dataclass(frozen=True, slots=True)
class Contents:
    """spec: the kind of model. aliases: further names of variables."""

    spec: str
    revision: int
    variables: dict[str, NDArray[Any]]
    aliases: Mapping[str, str]


def read(content: bytes, where: str) -> Contents:
    """The variables of a model file (CTranslate2, python/ctranslate2/specs/model_spec.py, `_serialize`).

    where: names the file in errors. Raises VerifierError for anything but a whole file of known types and
    plausible sizes.
    """
    try:
        return _read(_Reader(content))
    except _Refused as error:
        raise VerifierError(
            f"{where} is no model.bin of CTranslate2 version {VERSION} ({error}): copy the file again"
        ) from None


class _Refused(Exception):
    """What is wrong with the file."""


class _Reader:
    """Little-endian values, one after the other."""

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)
        self._at = 0

    def take(self, size: int) -> memoryview:
        if size > self.left:
            raise _Refused("it is cut off")
        self._at += size
        return self._content[self._at - size : self._at]

    def number(self, code: str) -> int:
        value: int = struct.unpack(f"<{code}", self.take(struct.calcsize(code)))[0]
        return value

    def text(self) -> str:
        """A string with a final zero byte, counted in its length."""
        raw = bytes(self.take(self.number("H")))
        if not raw.endswith(b"\0") or not raw.isascii():
            raise _Refused("a name is no text")
        return raw[:-1].decode()

    @property
    def left(self) -> int:
        return len(self._content) - self._at


def _read(reader: _Reader) -> Contents:
    if (version := reader.number("I")) != VERSION:
        raise _Refused(f"its version is {version}")
    spec, revision = reader.text(), reader.number("I")
    variables: dict[str, NDArray[Any]] = {}
    for _ in range(_count(reader)):
        name = reader.text()
        if name in variables:
            raise _Refused(f"{name} is there twice")
        variables[name] = _variable(reader, name)
    aliases = {}
    for _ in range(_count(reader)):
        alias, name = reader.text(), reader.text()
        if alias in variables or alias in aliases or name not in variables:
            raise _Refused(f"{alias} cannot be another name of {name}")
        aliases[alias] = name
    if reader.left:
        raise _Refused(f"{reader.left} bytes are left over")
    return Contents(spec, revision, variables, aliases)


def _count(reader: _Reader) -> int:
    count = reader.number("I")
    if count > _MOST_VARIABLES:
        raise _Refused(f"{count} variables")
    return count


def _variable(reader: _Reader, name: str) -> NDArray[Any]:
    axes = reader.number("B")
    if axes > _MOST_AXES:
        raise _Refused(f"{name} has {axes} axes")
    shape = [reader.number("I") for _ in range(axes)]
    code, size = reader.number("B"), reader.number("I")
    if code not in TYPES:
        raise _Refused(f"{name} is of the unknown type {code}")
    kind = np.dtype(TYPES[code]).newbyteorder("<")
    values = math.prod(shape)
    if values > _MOST_VALUES or values * kind.itemsize != size:
        raise _Refused(f"{name} has {size} bytes for the shape {tuple(shape)}")
    # A copy, for torch warns of arrays that may not be written to.
    return np.frombuffer(reader.take(size), kind).astype(TYPES[code]).reshape(shape)
