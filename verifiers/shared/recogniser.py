"""The base of the recognisers: transcribe, compare with the text, and score with the evidence."""

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, ClassVar

from llasa_core.audio import Waveform
from llasa_core.text import base_language
from llasa_core.text import compare as acceptance
from verifiers.base import Score, Target
from verifiers.errors import VerifierError
from verifiers.shared.isolation import isolated
from verifiers.shared.verifier import BaseVerifier
from verifiers.shared.wer import (
    NORMALIZERS,
    Normalizer,
    align,
    by_character,
    is_chinese,
    prefix_error_rate,
    seed_tts_eval,
    simplified,
    whisper_english,
    word_errors,
)
from verifiers.shared.windows import equal_lengths, in_batches
from verifiers.spec import Readers, Spec, one_of, positive_int

MIN_SECONDS = 0.2
"""Shorter audio holds no word that a recogniser could be trusted on."""
WORST_WER = 1.0
"""The value of audio that cannot be judged: all words are missing."""
LOWEST_LOGP = -100.0
"""In place of minus infinity, which JSON does not have."""
DEFAULT_BATCH = 16
SPOKEN = "spoken"
"""The comparison that searches use, by which a reading is accepted or not."""


@dataclass(frozen=True, slots=True)
class Transcribed:
    """A batch as a recogniser heard it.

    transcripts: one for each candidate. evidence: of each, beside the alignment. state: whatever the
    recogniser needs to tell how likely a text is (log-probabilities, features).
    """

    transcripts: Sequence[str]
    evidence: Sequence[Mapping[str, Any]]
    state: Any


class Recogniser(BaseVerifier):
    """A verifier that transcribes. Metric "wer" ("cer" with `unit=character`): the share of wrong words.

    normalizer: "spoken", by which a transcript is right if it says what the text says, however it is written
    (`llasa_core.text.compare`); "seed-tts-eval", the benchmark's; "f5", the same without apostrophes;
    "whisper". pinyin: whether characters that are pronounced the same are equal in Chinese ("spoken" only).

    Evidence: the alignment (`verifiers.shared.wer`), the equivalences that were used (`equivalent`), what the
    recogniser adds, and logp: how likely the text is given the audio, per unit of the recogniser.
    """

    higher_is_better = False
    worst = WORST_WER
    options: ClassVar[Readers] = {
        "batch": positive_int,
        "normalizer": one_of(SPOKEN, *NORMALIZERS),
        "pinyin": one_of("no", "yes"),
        "unit": one_of("word", "character"),
    }

    def __init__(
        self,
        *,
        spec: str,
        name: str = "wer",
        normalizer: str = SPOKEN,
        pinyin: str = "no",
        unit: str = "word",
        batch: int = DEFAULT_BATCH,
    ) -> None:
        super().__init__(spec=spec, name=name)
        if pinyin == "yes" and normalizer != SPOKEN:
            raise VerifierError(
                f"pinyin=yes goes with normalizer={SPOKEN}: leave normalizer={normalizer} out"
            )
        self._normalize = NORMALIZERS.get(normalizer)
        self._pinyin = pinyin == "yes"
        self._unit = unit
        self._batch = batch

    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        """(name, higher_is_better): another unit or normaliser measures something else."""
        default = "cer" if spec.options.get("unit") == "character" else "wer"
        if (normalizer := spec.options.get("normalizer", SPOKEN)) != SPOKEN:
            default += f"-{normalizer}"
        if spec.options.get("pinyin") == "yes":
            default += "-pinyin"
        return spec.options.get("name", default), False

    @property
    @abstractmethod
    def languages(self) -> Collection[str]:
        """ISO 639-1 codes of the languages that it transcribes."""

    @abstractmethod
    def transcribe(self, waveforms: list[Waveform], target: Target) -> Transcribed:
        """A batch of `batches`, without gradients and with the caller's state put aside."""

    @abstractmethod
    def likelihoods(
        self, heard: Transcribed, target: Target, reached: Sequence[int | None]
    ) -> Sequence[float]:
        """The mean log-likelihood of each candidate's text: of its first `reached` words, or the whole
        text."""

    def batches(self, waveforms: list[Waveform]) -> Iterator[list[int]]:
        """Indices of waveforms that are transcribed together."""
        return equal_lengths(waveforms, self._batch)

    def check_target(self, target: Target) -> None:
        check_text(target, self._normalize)
        if self._pinyin and not is_chinese(target.language):
            raise VerifierError(f"{self.spec}: pinyin=yes is for Chinese: leave it out for other languages")
        if base_language(target.language) not in self.languages:
            known = f"knows {min(self.languages)!r} only" if len(self.languages) == 1 else "does not know it"
            raise VerifierError(
                f"{self.spec} {known}: use a verifier for {target.language!r}, such as whisper:large-v3"
            )

    def score_all(self, waveforms: list[Waveform], target: Target, partial: bool) -> list[Score]:
        """value: WER, of the best prefix of the text if `partial`."""
        import torch

        def judge(some: list[Waveform]) -> Iterator[Score]:
            return self._score_batch(some, target, partial)

        with isolated(), torch.inference_mode():
            return in_batches(self.batches(waveforms), waveforms, judge)

    def _score_batch(self, waveforms: list[Waveform], target: Target, partial: bool) -> Iterator[Score]:
        heard = self.transcribe(waveforms, target)
        compared = [
            compare(transcript, target, partial, self._normalize, self._unit, self._pinyin)
            for transcript in heard.transcripts
        ]
        reached = [one.position if partial else None for one in compared]
        logps = self.likelihoods(heard, target, reached)
        for one, evidence, logp in zip(compared, heard.evidence, logps, strict=True):
            yield Score(one.value, {**one.evidence, **evidence, "logp": logp})


@dataclass(frozen=True, slots=True)
class Compared:
    """A transcript against its target. value: (prefix) error rate; position: whole words of the text
    reached."""

    value: float
    position: int
    evidence: Mapping[str, Any]


def compare(
    transcript: str,
    target: Target,
    partial: bool,
    normalize: Normalizer | None = None,
    unit: str = "word",
    pinyin: bool = False,
) -> Compared:
    """The error rate of a transcript, of the best prefix of the text if the audio is partial.

    normalize: of a benchmark; None for acceptance, in which all right ways to write the text are equal.
    unit: "character" counts characters in place of words, and positions in the evidence are of characters.
    """
    if normalize is None:
        return _accepted(transcript, target, partial, unit, pinyin)
    spoken, language = text_of(target), target.language
    # Beginnings are those of what the model was given to say.
    text = spoken if partial else _benchmark_text(target)
    words = normalize(text, language).split()
    hypothesis = simplified(transcript) if is_chinese(language) else transcript
    units = by_character(normalize) if unit == "character" else normalize
    if partial:
        prefix = prefix_error_rate(text, hypothesis, language, units)
        position = whole_words(words, prefix.position) if unit == "character" else prefix.position
        return Compared(prefix.rate, position, {"transcript": transcript, **prefix.evidence()})
    errors = word_errors(text, hypothesis, language, units)
    return Compared(errors.rate, len(words), {"transcript": transcript, **errors.evidence()})


def _accepted(transcript: str, target: Target, partial: bool, unit: str, pinyin: bool) -> Compared:
    """By `llasa_core.text.compare`, against the text as it is written where that is known."""
    spoken, language = text_of(target), target.language
    written = target.written or spoken
    words = seed_tts_eval(spoken, language).split()
    if not partial:
        whole = acceptance.compare(written, transcript, language, pinyin=pinyin)
        evidence = {"transcript": transcript, **_in_units(whole, unit)}
        return Compared(_errors(evidence) / evidence["words"], len(words), evidence)
    prefix = acceptance.compare_prefix(written, transcript, language, pinyin=pinyin)
    letters = len(_letters(prefix.comparison.reference))
    position = whole_words([_letters([word]) for word in words], letters)
    reached, in_all = prefix.position, prefix.words
    if unit == "character":
        reached, in_all = letters, len(_letters(acceptance.compare(written, "", language).reference))
    evidence = {"transcript": transcript, **(_in_units(prefix.comparison, unit) if reached else {})}
    told = {"position": reached, "words": in_all, "cut_word": prefix.cut_word}
    errors = _errors(evidence) if reached else prefix.errors
    return Compared(errors / max(reached, 1), position, {**evidence, **told})


def _in_units(compared: acceptance.Comparison, unit: str) -> dict[str, Any]:
    """The evidence, of characters if those are counted; words that were taken as equal are equal in them."""
    evidence = compared.evidence()
    if unit == "word" or not compared.reference:
        return evidence
    heard = [
        word for step in compared.steps for word in (step.expected if step.kind == "hit" else step.heard)
    ]
    characters = align(" ".join("".join(compared.reference)), " ".join("".join(heard)))
    return {**characters.evidence(), "equivalent": evidence["equivalent"]}


def _errors(evidence: Mapping[str, Any]) -> int:
    return int(evidence["substitutions"] + evidence["deletions"] + evidence["insertions"])


def _letters(words: Sequence[str]) -> str:
    return "".join(filter(str.isalnum, "".join(words)))


def whole_words(words: Sequence[str], characters: int) -> int:
    """How many of the words are whole in the first characters of all."""
    ends = accumulate(len(word) for word in words)
    return sum(end <= characters for end in ends)


def text_of(target: Target) -> str:
    """Raises VerifierError if the target has no text."""
    if target.text is None:
        raise VerifierError("word errors need the text that should be spoken: give the target a text")
    return target.text


def _benchmark_text(target: Target) -> str:
    """The text as it is written, where that is known: a benchmark has its own way with numbers."""
    return target.written or text_of(target)


def check_text(target: Target, normalize: Normalizer | None) -> None:
    """Raises VerifierError if there are no words to compare with, or if Chinese cannot be compared here."""
    word_errors(text_of(target), "", target.language, normalize or seed_tts_eval)
    if normalize is None:
        return
    word_errors(_benchmark_text(target), "", target.language, normalize)
    if is_chinese(target.language):
        simplified("")
    if normalize is whisper_english and base_language(target.language) != "en":
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
