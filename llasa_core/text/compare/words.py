"""A text as the words that are compared, with other right readings of numbers and abbreviations."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from llasa_core.text.chinese import simplified
from llasa_core.text.compare.spelling import is_abbreviation, same_spelling
from llasa_core.text.language import base_language
from llasa_core.text.letters import without_marks
from llasa_core.text.rules import Change
from llasa_core.text.spoken import stable_segments

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*(?:(?<=in)'(?!\w))?")
_SPECIAL_TOKEN = re.compile(r"<\|[^<>|]*\|>")
"""Of a recogniser: `<|notimestamps|>`."""
_CHARACTER = re.compile(
    r"[\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|"
    r"[^\W\d_\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+(?:'[A-Za-z]+)?"
)
_CONFUSED = frozenset("well were shell hell ill id wed shed".split())
"""Words that a contraction would become without its apostrophe."""
_ABBREVIATIONS = frozenset("abbreviation initials slang handle sign letter label url e-mail".split())
_LARGE = frozenset("hundred thousand million billion trillion".split())
_SMALL = frozenset(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen "
    "nineteen twenty thirty forty fifty sixty seventy eighty ninety".split()
)
_SAME_CHARACTER = str.maketrans("两幺〇壹贰叁肆伍陆柒捌玖拾妳", "二一零一二三四五六七八九十你")
_MAX_READINGS = 96


@dataclass(frozen=True, slots=True)
class Word:
    """text: in lower case. key: the same for every spelling. raw: as spoken. first: begins a sentence.

    kind: "number" or "abbreviation" for what was not written as this word.
    """

    text: str
    key: str
    raw: str = ""
    first: bool = False
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """`length` words that were written in another way.

    readings: keys of all right ones. loose: of these and of what a recogniser may have meant by it.
    """

    length: int
    kind: str
    readings: frozenset[tuple[str, ...]]
    loose: frozenset[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text; spans by the index of their first word."""

    words: tuple[Word, ...]
    spans: dict[int, Span] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        return [word.key for word in self.words]


def words_of(text: str, locale: str) -> Words:
    """The words of the spoken form; Chinese by character in simplified script, Latin words there as words."""
    chinese = base_language(locale) == "zh"
    found: list[Word] = []
    spans: dict[int, Span] = {}
    ended = True
    for segment in stable_segments(_SPECIAL_TOKEN.sub(" ", text), locale)[0]:
        start, kind = len(found), _kind(segment.change)
        for word, ends in _split(segment.text, chinese):
            found.append(Word(word.casefold(), key_of(word, chinese), word, ended, kind))
            ended = ends
        if segment.change and len(found) > start:
            right = _keys_of(segment.change.readings, chinese)
            loose = right | _keys_of(segment.change.loose, chinese)
            spans[start] = Span(len(found) - start, kind, right, loose)
    if not chinese:
        spans = {**_written_numbers(found, spans), **spans}
    return Words(tuple(found), spans)


def _split(text: str, chinese: bool) -> list[tuple[str, bool]]:
    """Words, and whether a sentence ends behind each."""
    text = unicodedata.normalize("NFC", text)
    if chinese:
        return [(one, False) for one in _CHARACTER.findall(simplified(text))]
    text = "".join(c for c in text if unicodedata.category(c) != "Mn") if not text.isascii() else text
    return [
        (match.group(), text[match.end() : match.end() + 1] in (".", "!", "?", ":", "\n"))
        for match in _WORD.finditer(text)
    ]


@lru_cache(maxsize=16384)
def key_of(word: str, chinese: bool = False) -> str:
    """What all spellings of a word share."""
    plain = word.casefold()
    if not plain.isascii():
        if chinese:
            return plain.translate(_SAME_CHARACTER)
        plain = without_marks(plain)
    if "'" in plain:
        joined = plain.replace("'", "")
        return plain if joined in _CONFUSED else same_spelling(joined)
    return same_spelling(plain)


def _kind(change: Change | None) -> str:
    if change is None:
        return ""
    return "abbreviation" if change.kind in _ABBREVIATIONS else "number"


def _keys_of(written: Sequence[str], chinese: bool) -> frozenset[tuple[str, ...]]:
    readings: dict[tuple[str, ...], None] = {}
    for reading in written:
        keys = tuple(key_of(word, chinese) for word, _ in _split(reading, chinese))
        for variant in [keys] if chinese else variants(keys):
            readings[variant] = None
        if len(readings) > _MAX_READINGS:
            break
    return frozenset(readings)


def variants(keys: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Number words with and without "and" and with "a" for one: `one hundred five`, `a hundred and five`."""
    plain = tuple(
        key
        for index, key in enumerate(keys)
        if not (
            key == "and"
            and 0 < index < len(keys) - 1
            and keys[index - 1] in _LARGE
            and keys[index + 1] in _SMALL
        )
    )
    full: list[str] = []
    for index, key in enumerate(plain):
        if (
            index
            and plain[index - 1] in _LARGE
            and key in _SMALL
            and not _LARGE & set(plain[index + 1 : index + 3])
        ):
            full.append("and")
        full.append(key)
    found = dict.fromkeys((keys, plain, tuple(full)))
    for one in list(found):
        for position, key in enumerate(one[:-1]):
            if key in ("one", "a") and one[position + 1] in (*_LARGE, "half", "quarter", "third"):
                other = "a" if key == "one" else "one"
                found[(*one[:position], other, *one[position + 1 :])] = None
                break
    return list(found)


def _written_numbers(words: Sequence[Word], taken: dict[int, Span]) -> dict[int, Span]:
    """Spans of number words with a hundred or more, which are said with "and" or without."""
    covered = {index for start, span in taken.items() for index in range(start, start + span.length)}
    spans = {}
    index = 0
    while index < len(words):
        end = index
        while (
            end < len(words)
            and end not in covered
            and (
                words[end].key in _LARGE
                or words[end].key in _SMALL
                or (
                    words[end].key in ("and", "a")
                    and end + 1 < len(words)
                    and words[end + 1].key in _LARGE | _SMALL
                )
            )
        ):
            end += 1
        keys = tuple(word.key for word in words[index:end])
        if len(keys) > 1 and _LARGE & set(keys):
            while keys[0] == "and" or (keys[0] == "a" and keys[1] not in _LARGE):
                keys, index = keys[1:], index + 1
            if len(keys) > 1:
                found = frozenset(variants(keys))
                spans[index] = Span(len(keys), "number", found, found)
        index = max(end, index + 1)
    return spans


def difference(first: Word, second: Word) -> str:
    """The name of what differs in the writing of two words with one key; empty for case and punctuation."""
    one, other = (word.text.replace("'", "") for word in (first, second))
    if one == other:
        return "" if first.kind == second.kind else first.kind or second.kind
    if one.translate(_SAME_CHARACTER) == other.translate(_SAME_CHARACTER):
        return "number"
    if without_marks(one) == without_marks(other):
        return "accent"
    return "abbreviation" if is_abbreviation(one) or is_abbreviation(other) else "spelling"
