"""Spec strings: `kind:source?option=value&option=value`, such as `wavlm-sv:microsoft/wavlm-base-plus-sv`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode

from llasa_core.errors import first_line
from llasa_core.errors import nearest as nearest  # noqa: PLC0414 (callers of old)
from verifiers.errors import VerifierError

Readers: TypeAlias = Mapping[str, Callable[[str], Any]]
"""How each option is read from text; ValueError says what is wrong with it."""
_SPEC = re.compile(r"(?P<kind>[A-Za-z][\w.-]*)(?::(?P<source>[^?]*))?(?:\?(?P<options>.*))?")


@dataclass(frozen=True, slots=True)
class Spec:
    """kind: name in the registry. source: "nano" (packaged), a folder or file, or a name on the hub; "" as
    the canonical form of a kind that has no sources."""

    kind: str
    source: str = "nano"
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "Spec":
        """Raises VerifierError if the text is no spec."""
        match = _SPEC.fullmatch(text.strip())
        if match is None:
            raise VerifierError(
                f"cannot read the verifier {text!r}: write kind:source?option=value, as in 'whisper:nano'"
            )
        try:
            pairs = parse_qsl(
                match["options"] or "", keep_blank_values=True, strict_parsing=bool(match["options"])
            )
        except ValueError:
            raise VerifierError(
                f"cannot read the options of {text!r}: write them as ?option=value&option=value"
            ) from None
        if len(dict(pairs)) != len(pairs):
            raise VerifierError(f"an option of {text!r} is given twice: leave one out")
        return cls(match["kind"], match["source"] or "nano", dict(pairs))

    def __str__(self) -> str:
        options = urlencode(sorted(self.options.items()), safe="/:")
        source = f":{self.source}" if self.source else ""
        return f"{self.kind}{source}" + (f"?{options}" if options else "")

    def values(self, readers: Readers) -> dict[str, Any]:
        """The options as values. Raises VerifierError for one that is not in `readers` or cannot be read."""
        values = {}
        for option, text in self.options.items():
            if option not in readers:
                raise VerifierError(f"{self.kind} has no option {option!r}{nearest(option, readers)}")
            try:
                values[option] = readers[option](text)
            except ValueError as error:
                raise VerifierError(f"{option}={text[:40]} of {self.kind}: {first_line(error)}") from None
        return values


BATCH_ON_GPU = 64
"""The option `batch` of verifiers on a GPU; on a CPU each kind has its own."""


def positive_int(text: str) -> int:
    """An option that counts something."""
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise ValueError("has to be a whole number of at least 1 and at most 9 digits")
    return int(text)


def number_between(least: float, most: float) -> Callable[[str], float]:
    """An option that is a number within bounds."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise ValueError(f"has to be a number from {least:g} to {most:g}")
        return value

    return read


def word(text: str) -> str:
    """An option that is a name."""
    if not re.fullmatch(r"[A-Za-z0-9][\w./-]*", text):
        raise ValueError("has to be a name of letters, digits, '-', '_', '.' and '/'")
    return text


def one_of(*choices: str) -> Callable[[str], str]:
    """An option that is one of a few words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"has to be one of {', '.join(choices)}")
        return text

    return read
