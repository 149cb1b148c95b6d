"""Rules that turn what is written into words, and the record of what they did.

A rule is a pattern and a function that gives the right readings of a match, the best one first, or None to
leave it. A reading that begins with "~" is loose: what a recogniser may have meant by writing this, though
nobody would be asked to say it ("three nine" for 3-9). A match that has been read is set aside behind one
private-use character, so that no later rule can read it again.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Readings: TypeAlias = Sequence[str] | str | None
Reader: TypeAlias = Callable[[re.Match[str]], Readings]

FIRST_MARK, MARKS = 0xF0000, 65_000
_MARK = re.compile("[\U000f0000-\U000ffffd]")


@dataclass(frozen=True, slots=True)
class Rule:
    """kind: what is written ("year", "money"). needs: a character set of which the text has to hold one."""

    kind: str
    pattern: re.Pattern[str]
    read: Reader
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not spoken as it is written.

    readings: all right ones, the spoken one first. loose: what a recogniser may have meant by it, too.
    """

    kind: str
    written: str
    readings: tuple[str, ...]
    loose: tuple[str, ...] = ()

    @property
    def spoken(self) -> str:
        return self.readings[0]

    def __str__(self) -> str:
        return f"written: {self.written}, spoken: {self.spoken or 'nothing'}"


def pairs(table: str) -> dict[str, str]:
    """A table written as `key|value key|value`; "_" in a value is a space."""
    found = (entry.split("|") for entry in table.split())
    return {key: value.replace("_", " ") for key, value in found}


def rule(kind: str, pattern: str, read: Reader, needs: str = "", flags: int = 0) -> Rule:
    return Rule(kind, re.compile(pattern, flags), read, frozenset(needs))


def apply(rules: Sequence[Rule], text: str, changes: list[Change]) -> str:
    """The text with a mark for each thing that was read; the mark's number is its index in `changes`."""

    def mark(match: re.Match[str], kind: str, read: Reader) -> str:
        readings = read(match)
        if readings is None or len(changes) >= MARKS:
            return match.group()
        found = (readings,) if isinstance(readings, str) else tuple(dict.fromkeys(readings))
        right = tuple(one for one in found if not one.startswith("~"))
        loose = tuple(one[1:] for one in found if one.startswith("~"))
        changes.append(Change(kind, restore(match.group(), changes).strip(), right, loose))
        return chr(FIRST_MARK + len(changes) - 1)

    characters = set(text)
    for one in rules:
        if one.needs and not one.needs & characters:
            continue
        text = one.pattern.sub(lambda match, one=one: mark(match, one.kind, one.read), text)  # type: ignore[misc]
    return text


def restore(text: str, changes: Sequence[Change]) -> str:
    """Marks inside the text, as they were written."""
    return _MARK.sub(lambda match: changes[ord(match.group()) - FIRST_MARK].written, text)


def split_marks(text: str) -> list[str | int]:
    """The stretches between marks, and the index of each mark."""
    parts: list[str | int] = []
    end = 0
    for match in _MARK.finditer(text):
        if match.start() > end:
            parts.append(text[end : match.start()])
        parts.append(ord(match.group()) - FIRST_MARK)
        end = match.end()
    if end < len(text):
        parts.append(text[end:])
    return parts


def is_mark(character: str) -> bool:
    return FIRST_MARK <= ord(character) < FIRST_MARK + MARKS
