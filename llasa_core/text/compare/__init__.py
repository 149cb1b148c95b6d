"""Acceptance: does a transcript say what the text says, however a recogniser writes it?

Both sides are brought to spoken form. Numbers in figures or words, British and American spelling, compounds
apart or together, contractions, abbreviations, accents, case and punctuation make no difference; words of the
text that are names or rare may be heard as what sounds like them. Each equivalence that was used is named.
The benchmark's normalisation (seed-tts-eval) is another thing: it lives with the verifiers, and a published
figure uses only it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from llasa_core.text.chinese import same_pinyin, simplified
from llasa_core.text.compare.alignment import Match, Step, align, best_prefix
from llasa_core.text.compare.contractions import expansions, is_short
from llasa_core.text.compare.sounds import sound_alike
from llasa_core.text.compare.words import Word, Words, key_of, words_of
from llasa_core.text.language import base_language, language
from llasa_core.text.vocabulary import common_words

_MAX_JOINED = 4
_HE_SHE_IT = frozenset("他她它")
"""All are tā: no recogniser can tell them apart."""
_APART = frozenset("nowhere notable together manslaughter therapist legend target island mustache".split())
"""Words that are other words when they are written apart: "now here", "no table", "to get her"."""


@dataclass(frozen=True)
class Comparison:
    """A transcript against the text: the words that were compared, and the steps of their alignment."""

    reference: tuple[str, ...]
    hypothesis: tuple[str, ...]
    steps: tuple[Step, ...]

    @cached_property
    def hits(self) -> int:
        return sum(len(step.expected) for step in self.steps if step.kind == "hit")

    @cached_property
    def substitutions(self) -> int:
        return sum(step.kind == "substitution" for step in self.steps)

    @cached_property
    def deletions(self) -> int:
        return sum(step.kind == "deletion" for step in self.steps)

    @cached_property
    def insertions(self) -> int:
        return sum(step.kind == "insertion" for step in self.steps)

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def equal(self) -> bool:
        return self.errors == 0

    @property
    def rate(self) -> float:
        """Errors for each word of the text; of a text without words, the number of words heard."""
        return self.errors / max(len(self.reference), 1)

    @cached_property
    def equivalences(self) -> tuple[str, ...]:
        """The names of what was taken as equal though it is written differently, each once, in order."""
        return tuple(dict.fromkeys(step.equivalence for step in self.steps if step.equivalence))

    def evidence(self) -> dict[str, Any]:
        """Plain JSON values: counts, errors by position in the reference, equivalences that were used."""

        def both(step: Step) -> list[Any]:
            return [step.position, " ".join(step.expected), " ".join(step.heard)]

        return {
            "reference": " ".join(self.reference),
            "heard": " ".join(self.hypothesis),
            "words": len(self.reference),
            "substitutions": self.substitutions,
            "deletions": self.deletions,
            "insertions": self.insertions,
            "missed": [[s.position, " ".join(s.expected)] for s in self.steps if s.kind == "deletion"],
            "added": [[s.position, " ".join(s.heard)] for s in self.steps if s.kind == "insertion"],
            "changed": [both(step) for step in self.steps if step.kind == "substitution"],
            "equivalent": [[*both(step), step.equivalence] for step in self.steps if step.equivalence],
        }


@dataclass(frozen=True)
class PrefixComparison:
    """The beginning of an utterance against the beginning of the text.

    position: the words of the text that have been reached, of `words` in all. cut_word: the last word heard,
    if it is the beginning of the next word of the text and so no error.
    """

    comparison: Comparison
    position: int
    words: int
    cut_word: str = ""

    @property
    def errors(self) -> int:
        return self.comparison.errors

    @property
    def rate(self) -> float:
        """Errors for each word reached: 0 where nothing has been said yet."""
        return self.errors / max(self.position, 1)


def compare(
    reference: str, hypothesis: str, code: str = "en", names: Collection[str] = (), *, pinyin: bool = False
) -> Comparison:
    """The errors of a transcript by the acceptance rule.

    `code`: a language code. `names`: words of the text that may be heard as what sounds like them, beside the
    capitalised and rare ones that are found in it. Chinese is compared by character; with `pinyin`, any of
    them may be heard as one that is pronounced the same.

    >>> compare("Dr. Stephens paid $21.", "doctor Stevens paid 21 dollars").equal
    True
    """
    locale = language(code)
    expected, heard = words_of(reference, locale), words_of(hypothesis, locale)
    found = _Equivalences(expected, heard, locale, names, pinyin)
    return _comparison(expected, heard, tuple(align(expected, heard, found.at)))


def compare_prefix(
    reference: str, partial: str, code: str = "en", names: Collection[str] = (), *, pinyin: bool = False
) -> PrefixComparison:
    """The errors of a transcript that breaks off, against the best prefix of the text.

    Audio cut in the middle of a word is often heard as the beginning of that word. That is no error.
    """
    locale = language(code)
    expected, heard = words_of(reference, locale), words_of(partial, locale)

    def prefix(heard: Words) -> tuple[int, list[Step]]:
        return best_prefix(expected, heard, _Equivalences(expected, heard, locale, names, pinyin).at)

    position, steps = prefix(heard)
    cut_word = ""
    if heard.words and _errors(steps):
        last = heard.words[-1]
        spans = {start: span for start, span in heard.spans.items() if start + span.length < len(heard.words)}
        shorter = Words(heard.words[:-1], spans)
        end, other = prefix(shorter)
        goes_on = expected.words[end].key if end < len(expected.words) else ""
        if _errors(other) < _errors(steps) and goes_on.startswith(last.key):
            position, steps, cut_word, heard = end, other, last.text, shorter
    return PrefixComparison(
        _comparison(Words(expected.words[:position]), heard, tuple(steps)),
        position,
        len(expected.words),
        cut_word,
    )


def _errors(steps: list[Step]) -> int:
    return sum(step.kind != "hit" for step in steps)


def _comparison(expected: Words, heard: Words, steps: tuple[Step, ...]) -> Comparison:
    return Comparison(
        tuple(word.text for word in expected.words), tuple(word.text for word in heard.words), steps
    )


class _Equivalences:
    """What may stand for what, from one word of the reference and one of the hypothesis on."""

    def __init__(
        self, reference: Words, hypothesis: Words, locale: str, names: Collection[str], pinyin: bool
    ) -> None:
        self.reference, self.hypothesis = reference, hypothesis
        self.expected, self.heard = reference.keys, hypothesis.keys
        base = base_language(locale)
        self.english, self.chinese, self.pinyin = base == "en", base == "zh", pinyin
        split = (part for name in names for part in (simplified(name) if self.chinese else name.split()))
        self.names = frozenset(key_of(part, self.chinese) for part in split)
        capitals = sum(word.raw[:1].isupper() for word in reference.words if not word.first)
        self.headline = 2 * capitals > len(reference.words) > 3
        self.may_sound = [self.english and self._may_sound(word) for word in reference.words]
        self.long_expected = [_expanded(word) for word in reference.words]
        self.long_heard = [_expanded(word) for word in hypothesis.words]

    def at(self, i: int, j: int) -> list[Match]:
        found = self._spans(i, j)
        if self.expected[i] != self.heard[j] and self.english:
            found += self._joined(i, j)
            if self.long_expected[i] or self.long_heard[j]:
                found += self._contracted(i, j)
            if self.may_sound[i]:
                found += self._sounding(i, j)
        elif self.expected[i] != self.heard[j] and self.chinese:
            found += self._same_pinyin(i, j)
            if self.expected[i].isascii():
                found += self._joined(i, j)
        return found

    def _spans(self, i: int, j: int) -> list[Match]:
        mine, other = self.reference.spans.get(i), self.hypothesis.spans.get(j)
        found: list[Match] = []
        if not (mine or other):
            return found
        if mine:
            found += [
                (mine.length, len(one), mine.kind)
                for one in mine.readings
                if one == tuple(self.heard[j : j + len(one)])
            ]
        if other:
            found += [
                (len(one), other.length, other.kind)
                for one in other.loose
                if one == tuple(self.expected[i : i + len(one)])
            ]
        if mine and other and mine.readings & other.loose:
            found.append((mine.length, other.length, mine.kind))
        return found

    def _joined(self, i: int, j: int) -> list[Match]:
        """Compounds: walk both sides letter by letter until both end a word."""
        left, right = self.expected[i], self.heard[j]
        a = b = 1
        while left != right and a <= _MAX_JOINED and b <= _MAX_JOINED:
            if right.startswith(left) and i + a < len(self.expected):
                left, a = left + self.expected[i + a], a + 1
            elif left.startswith(right) and j + b < len(self.heard):
                right, b = right + self.heard[j + b], b + 1
            else:
                return []
        if left != right or left in _APART:
            return []
        kinds = {
            word.kind for word in (*self.reference.words[i : i + a], *self.hypothesis.words[j : j + b])
        } - {""}
        return [(a, b, min(kinds, default="compound"))]

    def _contracted(self, i: int, j: int) -> list[Match]:
        found: list[Match] = []
        for keys in self.long_expected[i]:
            if keys == self.heard[j : j + len(keys)]:
                found.append((1, len(keys), _why(self.reference.words[i])))
        for keys in self.long_heard[j]:
            if keys == self.expected[i : i + len(keys)]:
                found.append((len(keys), 1, _why(self.hypothesis.words[j])))
        return found

    def _same_pinyin(self, i: int, j: int) -> list[Match]:
        expected, heard = self.expected[i], self.heard[j]
        may = self.pinyin or expected in self.names or {expected, heard} <= _HE_SHE_IT
        return [(1, 1, "pinyin")] if may and same_pinyin(expected, heard) else []

    def _sounding(self, i: int, j: int) -> list[Match]:
        word = self.reference.words[i]
        found: list[Match] = []
        if sound_alike(word.key, self.heard[j]):
            found.append((1, 1, "homophone"))
        elif (
            j + 1 < len(self.heard)
            and len(word.key) > 5
            and word.key not in self.heard[j : j + 2]
            and sound_alike(word.key, self.heard[j] + self.heard[j + 1])
        ):
            found.append((1, 2, "homophone"))
        return found

    def _may_sound(self, word: Word) -> bool:
        if len(word.key) < 2 or word.kind or ("'" in word.text and not word.text.endswith("'s")):
            return False
        if word.key in self.names:
            return True
        if word.raw[:1].isupper() and not word.first and not self.headline:
            return True
        return word.text not in common_words() and word.key not in common_words()


def _expanded(word: Word) -> list[list[str]]:
    """The keys of what a contraction stands for."""
    return [[key_of(one) for one in words] for words in expansions(word.text)]


def _why(word: Word) -> str:
    return "abbreviation" if is_short(word.text) else "contraction"
