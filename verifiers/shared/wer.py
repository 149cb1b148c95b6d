"""Word errors as seed-tts-eval counts them, on whole utterances and on the beginnings of them.

The normalisation is that of BytedanceSpeech/seed-tts-eval `run_wer.py`: every character of
`zhon.hanzi.punctuation + string.punctuation` but the apostrophe is deleted, one pass turns two spaces into
one, Chinese becomes one character a word, anything else lower case. Numbers stay as they are: spell them
before. The figure of a test set is the mean of `WordErrors.rate` over utterances (`average`).
"""

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any, TypeAlias

from llasa_core.text import base_language
from verifiers.errors import VerifierError
from verifiers.stats import Interval, bootstrap_mean

Normalizer: TypeAlias = Callable[[str, str], str]
"""(text, language) -> words with single spaces between them."""


def seed_tts_eval(text: str, language: str = "en") -> str:
    """The normalisation of seed-tts-eval. Text that has double spaces left keeps them, as there."""
    text = text.translate(_deleted_punctuation()).replace("  ", " ")
    return " ".join(text) if is_chinese(language) else text.lower()


def f5(text: str, language: str = "en") -> str:
    """As F5-TTS evaluates (SWivid/F5-TTS `src/f5_tts/eval/utils_eval.py`): that of seed-tts-eval without
    apostrophes, so that "don't" is "dont"."""
    return seed_tts_eval(text.replace("'", ""), language)


def whisper_english(text: str, language: str = "en") -> str:
    """Whisper's EnglishTextNormalizer (spelling, numbers, contractions): another metric."""
    return str(_whisper_normalizer()(text))


NORMALIZERS: dict[str, Normalizer] = {
    "seed-tts-eval": seed_tts_eval,
    "f5": f5,
    "whisper": whisper_english,
}


def by_character(normalize: Normalizer) -> Normalizer:
    """The normaliser with every character as a word, as seed-tts-eval counts Chinese: what is counted is then
    a character error rate. Spaces between words do not count (in jiwer's `cer` they do)."""
    return lambda text, language: " ".join("".join(normalize(text, language).split()))


def is_chinese(language: str) -> bool:
    return base_language(language) == "zh"


def simplified(text: str) -> str:
    """Chinese in simplified characters, as seed-tts-eval compares transcripts.

    Raises VerifierError without zhconv.
    """
    try:
        convert = import_module("zhconv").convert
    except ImportError:
        raise VerifierError(
            "transcripts of Chinese are compared in simplified characters by zhconv, which is not installed "
            "(it is under the GPL): pip install 'llasa-search[zh]'"
        ) from None
    return str(convert(text, "zh-cn"))


@dataclass(frozen=True, slots=True)
class Difference:
    """A stretch where the words differ. position: index of its first word in the reference."""

    position: int
    expected: str
    heard: str


@dataclass(frozen=True, slots=True)
class WordErrors:
    """reference, hypothesis: normalised. words: the count that seed-tts-eval divides the three counts by."""

    reference: str
    hypothesis: str
    rate: float
    substitutions: int
    deletions: int
    insertions: int
    words: int
    differences: tuple[Difference, ...]

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rates(self) -> dict[str, float]:
        """Substitutions, deletions and insertions for each word of the reference."""
        counts = {
            "substitutions": self.substitutions,
            "deletions": self.deletions,
            "insertions": self.insertions,
        }
        return {name: count / self.words for name, count in counts.items()}

    def evidence(self) -> dict[str, Any]:
        """Plain JSON values; missed, added and changed words by position in the reference."""
        return {
            "reference": self.reference,
            "heard": self.hypothesis,
            "words": self.words,
            "substitutions": self.substitutions,
            "deletions": self.deletions,
            "insertions": self.insertions,
            "missed": [[d.position, d.expected] for d in self.differences if not d.heard],
            "added": [[d.position, d.heard] for d in self.differences if not d.expected],
            "changed": [
                [d.position, d.expected, d.heard] for d in self.differences if d.expected and d.heard
            ],
        }


def word_errors(
    reference: str, hypothesis: str, language: str = "en", normalize: Normalizer = seed_tts_eval
) -> WordErrors:
    """Errors of a transcript against the text. Raises VerifierError if the text has no words."""
    return align(_words_of(reference, language, normalize), normalize(hypothesis, language))


def align(reference: str, hypothesis: str) -> WordErrors:
    """Errors of normalised text, aligned by the smallest edit distance (jiwer). The reference has words."""
    import jiwer

    found = jiwer.process_words(reference, hypothesis)
    expected, heard = found.references[0], found.hypotheses[0]
    differences = tuple(
        Difference(
            chunk.ref_start_idx,
            " ".join(expected[chunk.ref_start_idx : chunk.ref_end_idx]),
            " ".join(heard[chunk.hyp_start_idx : chunk.hyp_end_idx]),
        )
        for chunk in found.alignments[0]
        if chunk.type != "equal"
    )
    return WordErrors(
        reference,
        hypothesis,
        float(found.wer),
        int(found.substitutions),
        int(found.deletions),
        int(found.insertions),
        len(reference.split(" ")),
        differences,
    )


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """Of a test set, as average_wer.py has them: means over utterances, each of equal weight however long.

    rate: with its bootstrap interval. substitutions, deletions, insertions: means of `WordErrors.rates`.
    """

    rate: Interval
    substitutions: float
    deletions: float
    insertions: float


def average(errors: Sequence[WordErrors], *, seed: int = 0) -> ErrorRates:
    """The figures of a test set. Raises VerifierError for no utterances."""
    rate = bootstrap_mean([found.rate for found in errors], seed=seed)
    counts = [found.rates for found in errors]
    means = {name: sum(one[name] for one in counts) / len(counts) for name in counts[0]}
    return ErrorRates(rate, **means)


@dataclass(frozen=True, slots=True)
class PrefixErrors:
    """How the beginning of an utterance compares with the beginning of the text.

    position: the words of the text that have been reached; words: of the whole text.
    rate: errors / max(position, 1): 0 for audio in which nothing has been said yet.
    cut_word: the last word heard, if it is the beginning of the next word of the text and so no error.
    """

    rate: float
    errors: int
    position: int
    words: int
    cut_word: str
    alignment: WordErrors | None

    def evidence(self) -> dict[str, Any]:
        """Plain JSON values: those of the alignment with the prefix, and where it ends."""
        found = {} if self.alignment is None else self.alignment.evidence()
        return {**found, "position": self.position, "words": self.words, "cut_word": self.cut_word}


def prefix_error_rate(
    reference: str, hypothesis: str, language: str = "en", normalize: Normalizer = seed_tts_eval
) -> PrefixErrors:
    """Errors of a transcript that breaks off, against the best prefix of the text.

    Audio cut in the middle of a word is often heard as the beginning of that word. That is no error.
    Raises VerifierError if the text has no words.
    """
    expected = _words_of(reference, language, normalize).split()
    heard = normalize(hypothesis, language).split()
    errors, position = best_prefix(expected, heard)
    cut_word = ""
    if errors and heard:
        whole_errors, whole_position = best_prefix(expected, heard[:-1])
        going_on = expected[whole_position] if whole_position < len(expected) else ""
        if whole_errors < errors and going_on.startswith(heard[-1]):
            errors, position, cut_word, heard = whole_errors, whole_position, heard[-1], heard[:-1]
    alignment = align(" ".join(expected[:position]), " ".join(heard)) if position else None
    return PrefixErrors(errors / max(position, 1), errors, position, len(expected), cut_word, alignment)


def best_prefix(expected: Sequence[str], heard: Sequence[str]) -> tuple[int, int]:
    """(edit distance, length) of the prefix of `expected` nearest to `heard`; of equal ones the longest."""
    row = list(range(len(expected) + 1))
    for count, word in enumerate(heard, start=1):
        diagonal, row[0] = row[0], count
        for j, other in enumerate(expected, start=1):
            diagonal, row[j] = row[j], min(diagonal + (word != other), row[j] + 1, row[j - 1] + 1)
    errors = min(row)
    return errors, max(j for j, cost in enumerate(row) if cost == errors)


def _words_of(reference: str, language: str, normalize: Normalizer) -> str:
    normalized = normalize(reference, language)
    if not normalized.strip():
        raise VerifierError(
            f"the text {reference!r} has no words to compare speech with: give at least one word"
        )
    return normalized


@lru_cache(maxsize=1)
def _deleted_punctuation() -> dict[int, None]:
    from zhon.hanzi import punctuation

    return {ord(mark): None for mark in punctuation + string.punctuation if mark != "'"}


@lru_cache(maxsize=1)
def _whisper_normalizer() -> Callable[[str], str]:
    from whisper.normalizers import EnglishTextNormalizer

    normalizer: Callable[[str], str] = EnglishTextNormalizer()
    return normalizer
