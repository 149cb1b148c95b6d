"""A pronunciation lexicon: words or patterns, and how they are spelled for the model to say them right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import regex
from pydantic import Field

from experiments.documents import Schema, checked, read_lines, read_yaml
from llasa_core.errors import UserError
from llasa_core.paths import shown

SLOWEST = 1.0
"""Seconds that a pattern may take for one chunk: a pattern that takes more would never end on some text."""
_FLAGS = {"case", "part"}


class _Line(Schema):
    """An entry in a YAML file, which is a list of them."""

    word: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    pattern: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    say: Annotated[str, Field(max_length=500)]
    case: bool = False
    whole: bool = True


class _File(Schema):
    entries: list[_Line]


@dataclass(frozen=True)
class Entry:
    """What is respelled: `word` as it stands, or as a regular expression if `pattern`. say: the
    respelling, where \\1 is the pattern's first group. case: whether capitals make a difference. whole:
    not within a longer word.
    place: where the entry stands, for errors."""

    word: str
    say: str
    pattern: bool = False
    case: bool = False
    whole: bool = True
    place: str = ""

    @property
    def key(self) -> str:
        """All that the entry does, on one line."""
        kind = "/" if self.pattern else ""
        flags = "".join(flag for flag, given in ((" case", self.case), (" part", not self.whole)) if given)
        return f"{kind}{self.word}{kind} -> {self.say}{flags}"

    @cached_property
    def compiled(self) -> regex.Pattern[str]:
        """Raises UserError for a pattern that is none, or matches nothing at all."""
        body = self.word if self.pattern else _literal(self.word)
        if self.whole:
            body = _bounded(body, self.word, self.pattern)
        try:
            found = regex.compile(body, regex.V1 if self.case else regex.V1 | regex.IGNORECASE)
            empty = found.search("", timeout=SLOWEST) is not None
            if self.pattern:
                regex.compile(f"(?:{body})|", regex.V1).sub(self.say, "")  # a group that the pattern lacks
        except (regex.error, IndexError) as error:
            raise UserError(f"{self.place}: the pattern {self.word!r} is none ({error}): repair it") from None
        if empty:
            raise UserError(f"{self.place}: the pattern {self.word!r} matches the empty text: make it longer")
        return found


def read_lexicon(path: Path, option: str = "--lexicon") -> tuple[Entry, ...]:
    """Entries of a YAML file, or of lines `word TAB respelling [TAB flags]`: /pattern/, flags `case` and
    `part`.

    Raises UserError for an entry that is none, a bad pattern, a word that is there twice, and for entries
    that loop.
    """
    yaml = path.suffix.lower() in (".yaml", ".yml")
    entries = tuple(_yaml(path, option) if yaml else _tsv(path, option))
    seen: dict[tuple[str, bool, bool], Entry] = {}
    for entry in entries:
        entry.compiled  # noqa: B018 (raises)
        if entry.word == entry.say:
            raise UserError(f"{entry.place}: {entry.word!r} is respelled as itself: leave the entry out")
        name = (entry.word if entry.case else entry.word.casefold(), entry.case, entry.pattern)
        if name in seen:
            raise UserError(
                f"{entry.place}: {entry.word!r} is there twice, in {seen[name].place} too: leave one out"
            )
        seen[name] = entry
    _check_loops(entries)
    return entries


def _yaml(path: Path, option: str) -> Iterator[Entry]:
    place = f"{option} {shown(path)}"
    lines = checked(_File, {"entries": read_yaml(path, option)}, place).entries
    for number, line in enumerate(lines, 1):
        here = f"{place}, entry {number}"
        if (line.word is None) == (line.pattern is None):
            raise UserError(f"{here}: give either word or pattern, and say")
        pattern = line.pattern is not None
        word = (line.pattern or line.word or "").strip()
        yield Entry(word, line.say.strip(), pattern, line.case, line.whole and not pattern, here)


def _tsv(path: Path, option: str) -> Iterator[Entry]:
    for number, line in read_lines(path, option):
        if not line.strip() or line.startswith("#"):
            continue
        here = f"{option} {shown(path)}, line {number}"
        word, *rest = (cell.strip() for cell in line.split("\t"))
        flags = set(rest[1].split()) if len(rest) == 2 else set()
        if not word or not 1 <= len(rest) <= 2 or flags - _FLAGS:
            raise UserError(f"{here}: write word TAB respelling, and TAB case or part if need be")
        pattern = len(word) > 2 and word.startswith("/") and word.endswith("/")
        word = word[1:-1] if pattern else word
        yield Entry(word, rest[0], pattern, "case" in flags, "part" not in flags and not pattern, here)


def _literal(word: str) -> str:
    """The word in any of its typographic forms: quotes of either kind, any white space."""
    parts = (regex.escape(part).replace("'", "['’]").replace("’", "['’]") for part in word.split())
    return r"\s+".join(parts)


def _bounded(body: str, word: str, pattern: bool) -> str:
    """Not within a longer word: no letter or digit beside it, but for Chinese, which has no spaces."""
    beside = r"[[\p{L}\p{N}\p{M}_]--\p{Han}]"
    before = "" if not pattern and regex.match(r"\p{Han}", word) else f"(?<!{beside})"
    after = "" if not pattern and regex.search(r"\p{Han}$", word) else f"(?!{beside})"
    return f"{before}(?:{body}){after}"


def _check_loops(entries: Sequence[Entry]) -> None:
    """Raises UserError if one entry's respelling is another's word, and so on back to the first: which of
    them is said would be chance. Entries are applied once, so that a respelling may hold its own word."""
    leads = {
        entry: [other for other in entries if other is not entry and other.compiled.search(entry.say)]
        for entry in entries
    }
    done: set[Entry] = set()
    for entry in entries:
        stack = [(entry, iter(leads[entry]))]
        path = [entry]
        while stack and entry not in done:
            following = next(stack[-1][1], None)
            if following is None:
                done.add(stack.pop()[0])
                path.pop()
            elif following in path:
                loop = [*path[path.index(following) :], following]
                named = " -> ".join(one.word for one in loop)
                raise UserError(f"{following.place}: entries loop ({named}): keep one of them")
            elif following not in done:
                stack.append((following, iter(leads[following])))
                path.append(following)


def respelled(text: str, entries: Sequence[Entry]) -> tuple[str, tuple[Entry, ...]]:
    """The text as the entries have it, and those that touched it, in their order.

    Each place is respelled once: by the entry that begins first, of several there by the first of the
    list. Raises UserError for a pattern that takes too long.
    """
    spans: list[tuple[int, int, int, str]] = []
    for order, entry in enumerate(entries):
        try:
            for found in entry.compiled.finditer(text, timeout=SLOWEST):
                if found.end() > found.start():
                    say = found.expand(entry.say) if entry.pattern else entry.say
                    spans.append((found.start(), order, found.end(), say))
        except TimeoutError:
            raise UserError(
                f"{entry.place}: the pattern {entry.word!r} takes too long on {text[:30]!r}: make it simpler"
            ) from None
    parts, at, touched = [], 0, set()
    for start, order, end, say in sorted(spans):
        if start >= at:
            parts += [text[at:start], say]
            at = end
            touched.add(order)
    return "".join((*parts, text[at:])), tuple(entries[order] for order in sorted(touched))
