"""From what is written to what is spoken, with a record of every change."""

from dataclasses import dataclass, replace
from functools import lru_cache

from llasa_core.text import chinese, english
from llasa_core.text.characters import clean
from llasa_core.text.english.symbols import tidy
from llasa_core.text.language import base_language, is_british, language
from llasa_core.text.rules import Change, restore, split_marks

_PASSES = 4
_PIECE = 20_000
"""Longer texts are read in pieces, cut at white space."""


@dataclass(frozen=True, slots=True)
class SpokenText:
    """written: as given. spoken: the words to say. changes: what is not spoken as it is written, in order."""

    written: str
    spoken: str
    changes: tuple[Change, ...] = ()

    @property
    def readings(self) -> tuple[Change, ...]:
        """The changes that a listener hears, each once: not those of case, quotes, dashes and spaces."""
        heard = {
            (one.written, one.spoken): one
            for one in self.changes
            if _letters(one.written) != _letters(one.spoken)
        }
        return tuple(heard.values())


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of spoken text. change: what it was read from, None for words spoken as they are written."""

    text: str
    change: Change | None = None


def as_written(text: str) -> SpokenText:
    """The text with nothing changed but its white space."""
    return SpokenText(text, " ".join(text.split()))


def spoken_form(text: str, code: str = "en") -> SpokenText:
    """What is said when the text is read aloud: no digits, signs or abbreviations in English and Chinese.

    Clean characters come first, for every language. `code`: a language code, which decides dates: 3/4/2024 is
    the third of April in `en-GB`. The spoken form of a spoken form is itself. Raises UserError for
    what is no language code; no text is refused.

    >>> spoken_form("Dr. Smith paid $2.50 in 1984.").spoken
    'Doctor Smith paid two dollars fifty in nineteen eighty four.'
    """
    locale = language(code)
    parts, changes = [], []
    for piece in _pieces(text):
        found, spoken = stable_segments(piece, locale)
        changes += [one.change for one in found if one.change]
        parts.append(spoken)
    return SpokenText(text, " ".join(part for part in parts if part), tuple(changes))


@lru_cache(maxsize=1024)
def stable_segments(text: str, locale: str) -> tuple[tuple[Segment, ...], str]:
    """The segments, and the spoken text that they make, read again while that still changes it.

    `locale` as `language` gives it. Twice is rarely needed: "nights2^10Dr." is.
    """
    for _ in range(_PASSES):
        found = segments(text, locale)
        spoken = _joined(found, locale)
        again = _joined(segments(spoken, locale), locale)
        if again == spoken:
            break
        text = spoken
    return found, spoken


def _joined(found: tuple[Segment, ...], locale: str) -> str:
    if base_language(locale) == "zh":
        return chinese.tidy("".join(one.text for one in found))
    text = "".join(f" {one.text} " if one.change else one.text for one in found)
    return tidy(_attach(text)) if base_language(locale) == "en" else " ".join(text.split())


def _attach(text: str) -> str:
    """Possessives and hyphens that stood behind a number or abbreviation: "1984 's" -> "1984's"."""
    return text.replace(" 's ", "'s ").replace("  ", " ")


def segments(text: str, locale: str) -> tuple[Segment, ...]:
    """The spoken text in order, with the readings of what was read; `locale` as `language` gives it."""
    base = base_language(locale)
    cleaned, dropped = clean(text, chinese=base == "zh")
    changes: list[Change] = []
    if base == "en":
        marked = english.read(cleaned, is_british(locale), changes)
    elif base == "zh":
        marked = chinese.read(cleaned, changes)
    else:
        marked = cleaned
    changes = [_expanded(change, changes) for change in changes]
    found = [
        Segment(changes[part].spoken, changes[part]) if isinstance(part, int) else Segment(part)
        for part in split_marks(marked)
    ]
    return (*(Segment("", Change("character", one, ("",))) for one in dropped), *found)


def _expanded(change: Change, changes: list[Change]) -> Change:
    """A reading may hold the mark of a thing that was read before it."""
    for _ in range(_PASSES):
        readings = tuple(
            "".join(
                f" {changes[part].spoken} " if isinstance(part, int) else part
                for part in split_marks(reading)
            )
            for reading in change.readings
        )
        if readings == change.readings:
            break
        change = replace(change, readings=readings)
    return change


def _pieces(text: str) -> list[str]:
    pieces = []
    while len(text) > _PIECE:
        cut = text.rfind(" ", 0, _PIECE)
        cut = cut if cut > 0 else _PIECE
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text]


__all__ = ["Change", "Segment", "SpokenText", "as_written", "restore", "segments", "spoken_form"]
