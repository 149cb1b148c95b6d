"""English text to Kokoro's phonemes: espeak-ng's, respelled as the package misaki (MIT) respells them."""

from __future__ import annotations

import re
import subprocess

from llasa_core.errors import UserError

_RESPELLED = {
    "ʔˌn\u0329": "tᵊn",
    "ʔn\u0329": "tᵊn",
    "ʔn": "tᵊn",
    "ʔ": "t",
    "a^ɪ": "I",
    "a^ʊ": "W",
    "d^ʒ": "ʤ",
    "e^ɪ": "A",
    "e": "A",
    "t^ʃ": "ʧ",
    "ɔ^ɪ": "Y",
    "ə^l": "ᵊl",
    "ʲo": "jo",
    "ʲə": "jə",
    "ʲ": "",
    "ɚ": "əɹ",
    "r": "ɹ",
    "x": "k",
    "ç": "k",
    "ɐ": "ə",
    "ɬ": "l",
    "\u0303": "",
}
_AMERICAN = {"o^ʊ": "O", "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɪə": "iə", "ː": ""}
_BRITISH = {"e^ə": "ɛː", "iə": "ɪə", "ə^ʊ": "Q"}
_PAUSES = re.compile(r"([;:,.!?]+)")


def phonemes(text: str, british: bool) -> str:
    """The phonemes of a text, with its punctuation. Raises UserError without espeak-ng."""
    table = (_BRITISH if british else _AMERICAN) | _RESPELLED
    found = ""
    for part in _PAUSES.split(text):
        if _PAUSES.fullmatch(part):
            found = f"{found.rstrip()}{part} "
        elif re.search(r"\w", part):
            said = _espeak(part.strip(), "en-gb" if british else "en-us")
            for old, new in table.items():
                said = said.replace(old, new)
            said = re.sub(r"(\S)\u0329", r"ᵊ\1", said).replace("\u0329", "")
            found += said.replace("^", "") + " "
    return found.strip()


def _espeak(text: str, voice: str) -> str:
    command = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", voice, text]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise UserError("espeak-ng is missing: apt-get install espeak-ng") from None
    return " ".join(done.stdout.split()).replace("\u0361", "^")
