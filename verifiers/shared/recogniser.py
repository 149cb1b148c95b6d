"""What the recognisers have in common: from transcript and target to a word error rate with its evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from verifiers.base import Score, Target
from verifiers.errors import VerifierError
from verifiers.shared.wer import (
    NORMALIZERS,
    Normalizer,
    base_language,
    by_character,
    is_chinese,
    prefix_error_rate,
    seed_tts_eval,
    simplified,
    word_errors,
)
from verifiers.spec import Spec, one_of, positive_int, word

MIN_SECONDS = 0.2
"""Shorter audio holds no word that a recogniser could be trusted on."""
WORST_WER = 1.0
"""The value of audio that cannot be judged: all words are missing."""
LOWEST_LOGP = -100.0
"""In place of minus infinity, which JSON does not have."""
DEFAULT_BATCH = 16

OPTIONS = {
    "batch": positive_int,
    "name": word,
    "normalizer": one_of(*NORMALIZERS),
    "revision": word,
    "unit": one_of("word", "character"),
}


def metric_of(spec: Spec) -> tuple[str, bool]:
    """The metric of a recogniser's spec: another unit or normaliser measures something else."""
    default = "cer" if spec.options.get("unit") == "character" else "wer"
    if spec.options.get("normalizer", "seed-tts-eval") != "seed-tts-eval":
        default += "-whisper"
    return spec.options.get("name", default), False


@dataclass(frozen=True, slots=True)
class Heard:
    """A transcript against its target. value: (prefix) error rate; position: whole words of the text reached."""

    value: float
    position: int
    evidence: Mapping[str, Any]


def compare(
    transcript: str, target: Target, partial: bool, normalize: Normalizer, unit: str = "word"
) -> Heard:
    """The error rate of a transcript, of the best prefix of the text if the audio is partial.

    unit: "character" counts characters in place of words, and positions in the evidence are of characters.
    """
    text, language = text_of(target), target.language
    words = normalize(text, language).split()
    hypothesis = simplified(transcript) if is_chinese(language) else transcript
    units = by_character(normalize) if unit == "character" else normalize
    if partial:
        prefix = prefix_error_rate(text, hypothesis, language, units)
        position = whole_words(words, prefix.position) if unit == "character" else prefix.position
        return Heard(prefix.rate, position, {"transcript": transcript, **prefix.evidence()})
    errors = word_errors(text, hypothesis, language, units)
    return Heard(errors.rate, len(words), {"transcript": transcript, **errors.evidence()})


def whole_words(words: Sequence[str], characters: int) -> int:
    """How many of the words are whole in the first characters of all."""
    ends = accumulate(len(word) for word in words)
    return sum(end <= characters for end in ends)


def text_of(target: Target) -> str:
    """Raises VerifierError if the target has no text."""
    if target.text is None:
        raise VerifierError("word errors need the text that should be spoken: give the target a text")
    return target.text


def check_text(target: Target, normalize: Normalizer) -> None:
    """Raises VerifierError if there are no words to compare with, or if Chinese cannot be compared here."""
    word_errors(text_of(target), "", target.language, normalize)
    if is_chinese(target.language):
        simplified("")
    if normalize is not seed_tts_eval and base_language(target.language) != "en":
        raise VerifierError(
            "the normaliser 'whisper' is for English: leave the option out for other languages"
        )


def text_between(text: str, language: str, first: int, last: int) -> str:
    """The part of the text that holds its normalised words first..last-1, as it is written."""
    chinese = is_chinese(language)
    pieces = list(text) if chinese else text.split()
    taken, position = [], 0
    for piece in pieces:
        if first <= position < last:
            taken.append(piece)
        position += len(seed_tts_eval(piece, language).split())
    return ("" if chinese else " ").join(taken)


def boundaries(reference: Sequence[str], parts: Sequence[Sequence[str]]) -> list[int]:
    """How many words of the reference belong to the parts up to each, all parts together aligned to it.

    The last part takes what is left.
    """
    import jiwer

    heard = [word for part in parts for word in part]
    if not heard or not reference:
        return [0] * (len(parts) - 1) + [len(reference)]
    reached = [0] * (len(heard) + 1)
    for chunk in jiwer.process_words(" ".join(reference), " ".join(heard)).alignments[0]:
        for step, index in enumerate(range(chunk.hyp_start_idx, chunk.hyp_end_idx), start=1):
            reached[index + 1] = min(chunk.ref_start_idx + step, chunk.ref_end_idx)
    ends, count = [], 0
    for part in parts:
        count += len(part)
        ends.append(reached[count])
    ends[-1] = len(reference)
    return ends


def scored(heard: Heard, extra: Mapping[str, Any]) -> Score:
    return Score(heard.value, {**heard.evidence, **extra})
