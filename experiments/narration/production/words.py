"""Words in time: those that are spoken, and those that are written, which a caption shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import regex

from experiments.narration.book import letters

_TOKEN = regex.compile(r"[^\p{L}\p{N}\s]*\p{Han}[^\p{L}\p{N}\s]*|(?:(?!\p{Han})\S)+")


@dataclass(frozen=True, slots=True)
class Timed:
    """A word with the marks beside it. begins, ends: seconds."""

    text: str
    begins: float
    ends: float

    def later(self, seconds: float) -> Timed:
        return Timed(self.text, self.begins + seconds, self.ends + seconds)


def tokens(text: str) -> list[str]:
    """Words with the marks beside them, each Chinese character one; what has no letter or digit belongs to
    the word before, or behind it at the begin. Together they are the text without white space.

    >>> tokens("He left — at 5."), tokens("“他来了。”")
    (['He', 'left—', 'at', '5.'], ['“他', '来', '了。”'])
    """
    found: list[str] = []
    waiting = ""
    for token in _TOKEN.findall(text):
        if letters(token):
            found.append(waiting + token)
            waiting = ""
        elif found:
            found[-1] += token
        else:
            waiting += token
    return found


def spread(words: Sequence[str], begins: float, ends: float) -> list[Timed]:
    """The words one behind the other from `begins` to `ends`, each as long as it has letters."""
    sizes = [max(1, len(letters(word))) for word in words]
    total, done, found = sum(sizes), 0, []
    for word, size in zip(words, sizes, strict=True):
        start = begins + (ends - begins) * done / total
        done += size
        found.append(Timed(word, start, begins + (ends - begins) * done / total))
    return found


def as_written(written: str, spoken: Sequence[Timed]) -> list[Timed]:
    """The words of the written text at the times of those that are said for them.

    Where "$2.50" is said as "two dollars fifty", it lasts as long as these. Words are matched by their
    letters; a run that is said otherwise shares the time of the words between its neighbours.
    """
    words = tokens(written)
    left, right = ([letters(one).casefold() for one in side] for side in (words, [s.text for s in spoken]))
    found: list[Timed] = []
    for kind, first, last, start, end in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        own = spoken[start:end]
        if kind == "equal":
            pairs = zip(words[first:last], own, strict=True)
            found += [Timed(word, one.begins, one.ends) for word, one in pairs]
        elif own and first == last:  # said, and not written: "Chapter" before a number
            if found:
                found[-1] = Timed(found[-1].text, found[-1].begins, own[-1].ends)
        else:
            before = found[-1].ends if found else (spoken[0].begins if spoken else 0.0)
            begins, ends = (own[0].begins, own[-1].ends) if own else (before, before)
            found += spread(words[first:last], begins, ends)
    return found
