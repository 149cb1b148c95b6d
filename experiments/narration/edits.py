"""What an edited text differs in from its source, down to single words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from experiments.narration.book import Chapter, LeftOut, Reason, join, words


@dataclass(frozen=True, slots=True)
class Edit:
    """A run of sentences that stands otherwise in the text than in the source. before, after: as they are
    written, "" where there is nothing. dropped, added: the words that the other side does not have there."""

    chapter: str
    before: str
    after: str
    dropped: tuple[str, ...]
    added: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Edits:
    """All edits in order, each with at least one word."""

    found: tuple[Edit, ...]

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The words of the source that the text does not have, by edit."""
        return tuple(LeftOut(Reason.EDITED, " ".join(one.dropped)) for one in self.found if one.dropped)

    @property
    def added(self) -> int:
        """Words that only the text has."""
        return sum(len(one.added) for one in self.found)


def compared(before: Sequence[Chapter], after: Sequence[Chapter]) -> Edits:
    """The edits that lead from the chapters of the source to those of the text; white space and marks
    aside."""
    old, new = list(_sentences(before)), list(_sentences(after))
    matcher = SequenceMatcher(
        None, [_key(one) for _, one in old], [_key(one) for _, one in new], autojunk=False
    )
    return Edits(tuple(_edits(matcher, old, new)))


def _sentences(chapters: Iterable[Chapter]) -> Iterator[tuple[str, str]]:
    """The sentences of all chapters, with the title of their chapter."""
    for chapter in chapters:
        for paragraph in chapter.paragraphs:
            yield from ((chapter.title, sentence) for sentence in paragraph.sentences)


def _key(sentence: str) -> tuple[str, ...]:
    return tuple(words(sentence))


def _edits(
    matcher: SequenceMatcher[tuple[str, ...]], old: Sequence[tuple[str, str]], new: Sequence[tuple[str, str]]
) -> Iterator[Edit]:
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind == "equal":
            continue
        before, after = ([one for _, one in side] for side in (old[first:last], new[start:end]))
        own, other = words(join(before)), words(join(after))
        dropped: list[str] = []
        added: list[str] = []
        for change, a, b, c, d in SequenceMatcher(None, own, other, autojunk=False).get_opcodes():
            if change != "equal":
                dropped += own[a:b]
                added += other[c:d]
        if dropped or added:
            place = old[first][0] if first < last else new[start][0]
            yield Edit(place, join(before), join(after), tuple(dropped), tuple(added))
