"""Which characters of a text a model cannot read."""

import unicodedata
from dataclasses import dataclass

_SCRIPTS = {
    "CJK": "Han",
    "IDEOGRAPHIC": "Han",
    "HALFWIDTH": "Katakana",
    "FULLWIDTH": "Latin",
    "MODIFIER": "Latin",
}


@dataclass(frozen=True, slots=True)
class Alphabet:
    """What a model reads: whole scripts ("Latin", "Han"), or single letters, with accents or without."""

    scripts: frozenset[str] = frozenset()
    letters: frozenset[str] = frozenset()

    def reads(self, character: str) -> bool:
        if not character.isalpha() or character in self.letters or script(character) in self.scripts:
            return True
        plain = unicodedata.normalize("NFKD", character).casefold()
        return plain != character and all(not one.isalpha() or one in self.letters for one in plain)


LLASA = Alphabet(scripts=frozenset({"Latin", "Han"}))
"""Llasa speaks English and Chinese."""
NANO = Alphabet(letters=frozenset("abcdefghijklmnopqrstuvwxyz"))
"""The nano model's tokenizer knows the letters a to z, in either case and with accents."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Characters of one script that the model cannot read, each once, in the order of the text."""

    script: str
    characters: str

    def __str__(self) -> str:
        shown = " ".join(self.characters[:8]) + (" ..." if len(self.characters) > 8 else "")
        return f"{self.script} ({shown})"


def unreadable(text: str, alphabet: Alphabet) -> tuple[Unreadable, ...]:
    """What of the text the model cannot read, by script; empty if it can read all of it.

    >>> [str(one) for one in unreadable("Søren sagt: привет", NANO)]
    ['Latin (ø)', 'Cyrillic (п р и в е т)']
    """
    found: dict[str, dict[str, None]] = {}
    for character in unicodedata.normalize("NFC", text):
        if not alphabet.reads(character):
            found.setdefault(script(character), {})[character] = None
    return tuple(Unreadable(name, "".join(characters)) for name, characters in found.items())


def script(character: str) -> str:
    """The script of a letter by its Unicode name: "Latin", "Han", "Hiragana", "Cyrillic"."""
    name = unicodedata.name(character, "unknown").split()[0]
    name = name.split("-")[0]
    return _SCRIPTS.get(name, name.capitalize())
