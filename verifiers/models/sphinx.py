"""Word error rate by pocketsphinx: Gaussian mixtures and hidden Markov models, kin to no neural recogniser.

Alone it is a poor recogniser. Here it knows the text and is asked whether it was said, as segments of
recordings are checked for training (a language model biased to the text: Braunschweiler et al. 2010,
"Lightly supervised recognition for automatic alignment of large coherent speech recordings"): a bigram model
of the text, mixed with common English words in case another was said.
"""

import math
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from llasa_core.audio import Waveform
from llasa_core.text.letters import without_marks
from llasa_core.text.vocabulary import common_words
from verifiers.base import About, Target
from verifiers.errors import VerifierError
from verifiers.shared.isolation import isolated
from verifiers.shared.pronunciation import pronunciations
from verifiers.shared.recogniser import LOWEST_LOGP, MIN_SECONDS, Recogniser, Transcribed, text_of
from verifiers.spec import Readers, Spec, number_between

MODEL = "en-us"
DICTIONARY = "cmudict-en-us.dict"
LANGUAGE_WEIGHT = 6.5
"""That of pocketsphinx's own defaults, on the logarithm of the language model."""
BIAS = 0.9
"""Share of the text's own bigram; the rest is for other words."""
PAD = 3200
"""Samples around the audio: the recogniser wants to see the silence that words stand in."""
NOISE = 1e-4
"""Of the faint noise that is added (digital silence has no features), the same each time."""
FRAMES_A_SECOND = 100
_WORD = re.compile(r"[a-z']*[a-z][a-z']*")


class SphinxASR(Recogniser):
    """What pocketsphinx hears, expecting the text of the target: an ear of another family than any network.

    bias: how much of the language model is the text's own; 0 hears common words in any order.

    Its American English acoustic model and dictionary come with the package pocketsphinx. Words that the
    dictionary lacks are pronounced by their letters. Evidence beside the alignment
    (`verifiers.shared.wer`): heard_at, [word, start, end] in seconds; guessed, the words whose pronunciation
    is a guess; and logp: the log-likelihood of the audio given what was heard,
    against the best of all sounds, for each frame of 10 ms.
    """

    about = About(
        measures="word error rate of what pocketsphinx hears, expecting the text",
        needs=("text",),
        released={"sphinx": "BSD-2-Clause (CMU Sphinx)"},
        min_seconds=MIN_SECONDS,
        extra="ears",
        modules=("pocketsphinx",),
    )
    options: ClassVar[Readers] = {**Recogniser.options, "bias": number_between(0.0, 0.999)}

    def __init__(self, *, spec: str = "sphinx", bias: float = BIAS, **settings: Any) -> None:
        """settings: of `Recogniser`."""
        super().__init__(spec=spec, **settings)
        import pocketsphinx

        folder = model_folder()
        self._bias = bias
        self._known = read_dictionary(folder / DICTIONARY)
        self._words = sorted(word for word in common_words() if word in self._known)
        self._added: set[str] = set()
        with isolated():
            self._decoder = pocketsphinx.Decoder(
                hmm=str(folder / MODEL),
                lm=None,
                dict=str(folder / DICTIONARY),
                loglevel="FATAL",
                lw=LANGUAGE_WEIGHT,
            )

    @classmethod
    def locate(cls, spec: Spec) -> Path:
        if spec.source not in ("", "nano"):
            raise VerifierError(f"sphinx has no source {spec.source!r}: write {replace(spec, source='')}")
        return model_folder()

    @classmethod
    def origin(cls, spec: Spec) -> str:
        cls.locate(spec)
        return f"pocketsphinx {metadata.version('pocketsphinx')}"

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "SphinxASR":
        """`sphinx?bias=&batch=&name=&normalizer=&unit=`. It runs on the processor, whatever the device."""
        cls.locate(spec)
        return cls(spec=str(replace(spec, source="")), **cls.read(spec))

    @property
    def languages(self) -> Collection[str]:
        return ("en",)

    def transcribe(self, waveforms: list[Waveform], target: Target) -> Transcribed:
        words = plain_words(text_of(target))
        guessed = sorted({word for word in words if not self._knows(word)})
        self._expect(words)
        heard = [self._hear(waveform) for waveform in waveforms]
        return Transcribed(
            [" ".join(word for word, _, _ in found) for found, _ in heard],
            [{"heard_at": [list(one) for one in found], "guessed": guessed} for found, _ in heard],
            [logp for _, logp in heard],
        )

    def likelihoods(
        self, heard: Transcribed, target: Target, reached: Sequence[int | None]
    ) -> Sequence[float]:
        found: Sequence[float] = heard.state
        return found

    def _knows(self, word: str) -> bool:
        return word in self._known or word.removesuffix("'s") in self._known

    def _expect(self, words: Sequence[str]) -> None:
        """Sets the language model, and adds what of the text the dictionary lacks."""
        for word in dict.fromkeys(words):
            if word not in self._known and word not in self._added:
                for number, phones in enumerate(pronunciations(word, self._known), start=1):
                    self._decoder.add_word(word if number == 1 else f"{word}({number})", phones, True)
                self._added.add(word)
        with tempfile.NamedTemporaryFile("w", suffix=".arpa") as file:
            file.write(biased_bigrams(words, self._words, self._bias))
            file.flush()
            self._decoder.add_lm_file("text", file.name)  # with the weight that the decoder was made with
        self._decoder.activate_search("text")

    def _hear(self, waveform: Waveform) -> tuple[list[tuple[str, float, float]], float]:
        """(word, start, end) in seconds of the audio, and the log-likelihood for each frame."""
        silence = np.zeros(PAD)
        padded = np.concatenate([silence, waveform, silence])
        padded += np.random.default_rng(0).standard_normal(len(padded)) * NOISE
        samples = (np.clip(padded, -1, 1) * 32767).astype(np.int16).tobytes()
        decoder = self._decoder
        decoder.reinit_feat()  # or its estimate of the noise would carry over from what was heard before
        decoder.start_utt()
        decoder.process_raw(samples, full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        if hypothesis is None:
            return [], LOWEST_LOGP
        before, longest = PAD / 16_000, len(waveform) / 16_000

        def second(frame: int) -> float:
            return round(min(max(frame / FRAMES_A_SECOND - before, 0.0), longest), 3)

        segments = list(decoder.seg())
        found = [
            (re.sub(r"\(\d+\)$", "", one.word), second(one.start_frame), second(one.end_frame + 1))
            for one in segments
            if one.word[0] not in "<["
        ]
        logs = [math.log(max(one.ascore, sys.float_info.min)) for one in segments]
        return found, max(sum(logs) / max(decoder.n_frames(), 1), LOWEST_LOGP)


def model_folder() -> Path:
    """The acoustic model and the dictionary of the package. Raises VerifierError if they are not there."""
    try:
        package = metadata.distribution("pocketsphinx")
    except metadata.PackageNotFoundError:
        raise VerifierError(
            "sphinx needs pocketsphinx, not installed here: pip install 'llasa-search[ears]'"
        ) from None
    folder = Path(str(package.locate_file(f"pocketsphinx/model/{MODEL}")))
    if not (folder / DICTIONARY).is_file():
        raise VerifierError(
            f"{folder} has no {DICTIONARY}: pip install --force-reinstall 'llasa-search[ears]'"
        )
    return folder


def read_dictionary(file: Path) -> Mapping[str, Sequence[str]]:
    """Word -> its pronunciations, phones with spaces between them."""
    entries: dict[str, list[str]] = {}
    for line in file.read_text("utf-8").splitlines():
        word, _, phones = line.strip().partition(" ")
        entries.setdefault(re.sub(r"\(\d+\)$", "", word), []).append(phones.strip())
    return entries


def plain_words(text: str) -> list[str]:
    """The words of a spoken form in the letters a to z and apostrophes."""
    plain = without_marks(text.replace("\u2019", "'")).lower()
    return [word.strip("'") for word in _WORD.findall(plain)]


def biased_bigrams(words: Sequence[str], others: Iterable[str], bias: float) -> str:
    """A bigram model in ARPA format: with the weight `bias` the text's own bigrams, else its single words and
    the others in equal parts, all of them in any order."""
    sequence = ["<s>", *words, "</s>"]
    counts = Counter(sequence[1:])
    vocabulary = sorted({*others, *words})
    single = {
        word: 0.5 * counts[word] / counts.total() + 0.5 / (len(vocabulary) + 1)
        for word in (*vocabulary, "</s>")
    }
    following: dict[str, Counter[str]] = defaultdict(Counter)
    for left, right in pairwise(sequence):
        following[left][right] += 1
    rows, backoff = [], {}
    for left, found in following.items():
        shares = {
            right: bias * count / found.total() + (1 - bias) * single[right] for right, count in found.items()
        }
        rows += [(left, right, share) for right, share in shares.items()]
        rest = 1 - sum(single[right] for right in found)
        backoff[left] = max(1 - sum(shares.values()), 1e-6) / max(rest, 1e-6)
    log = math.log10
    lines = ["\\data\\", f"ngram 1={len(vocabulary) + 2}", f"ngram 2={len(rows)}", "", "\\1-grams:"]
    lines += [f"-99 <s> {log(backoff['<s>']):.5f}", f"{log(single['</s>']):.5f} </s>"]
    lines += [f"{log(single[word]):.5f} {word} {log(backoff.get(word, 1.0)):.5f}" for word in vocabulary]
    lines += ["", "\\2-grams:"]
    lines += [f"{log(share):.5f} {left} {right}" for left, right, share in sorted(rows)]
    return "\n".join([*lines, "", "\\end\\", ""])
