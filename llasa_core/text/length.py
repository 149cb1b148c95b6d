"""How long a text takes to say, before it is said."""

import re
from dataclasses import dataclass

from llasa_core.text.language import base_language
from llasa_core.text.spoken import spoken_form

_HAN = re.compile(r"[\u3007\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[^\W\d_\u3007\u3400-\u9fff\uf900-\ufaff]+(?:'[^\W\d_]+)?")
_VOWELS = re.compile(r"[aeiouy]+")
_SILENT = re.compile(r"(?:[^aeiouyl]e|[^aeioutd]ed|[^aeiouyszxcgh]es)$")
_APART = re.compile(r"i[aou](?!n\b)|[aeiouy]ing|eo|ua(?!r)|uou")
_LONG_PAUSE, _SHORT_PAUSE = re.compile(r"[.!?。！？…]+(?=\s|$|[\u4e00-\u9fff])"), re.compile(r"[,;:，；：、]")


@dataclass(frozen=True, slots=True)
class Pace:
    """How a model speaks: syllables (or Chinese characters) a second, seconds of pauses and around."""

    syllables: float = 4.2
    clause: float = 0.15
    sentence: float = 0.35
    around: float = 0.3


PACES = {"llasa": Pace(), "nano": Pace(syllables=4.4, clause=0.0, sentence=0.0, around=0.15)}
"""llasa: read speech, such as that of LibriTTS, runs at 4 to 5 syllables a second with pauses; not measured.

nano: measured on the packaged prompts; its tokenizer drops punctuation, so it makes no pauses.
"""


def syllables(text: str) -> int:
    """Syllables of words in Latin letters, by their groups of vowels, and Chinese characters."""
    return len(_HAN.findall(text)) + sum(_of_word(word) for word in _WORD.findall(text))


def predict_seconds(text: str, code: str = "en", pace: Pace | str = "llasa") -> float:
    """Seconds of speech that the text will take, from the syllables and pauses of its spoken form.

    `pace`: a name of PACES or a Pace. A tenth to a quarter off for single sentences. Raises KeyError for an
    unknown name.
    """
    speed = PACES[pace] if isinstance(pace, str) else pace
    spoken = spoken_form(text, code).spoken if base_language(code) in ("en", "zh") else text
    count = syllables(spoken)
    if not count:
        return 0.0
    sentences = max(len(_LONG_PAUSE.findall(spoken.rstrip(" .!?。！？…"))), 0)
    clauses = len(_SHORT_PAUSE.findall(spoken))
    return count / speed.syllables + sentences * speed.sentence + clauses * speed.clause + speed.around


def _of_word(word: str) -> int:
    plain = word.lower().replace("'", "")
    if len(word) > 1 and word.isupper() and not _VOWELS.search(plain):
        return len(word)
    count = len(_VOWELS.findall(plain)) + len(_APART.findall(plain))
    if count > 1 and _SILENT.search(plain):
        count -= 1
    return max(count, 1)
