"""CMU pocketsphinx as a held-out recogniser: an acoustic model that this recipe did not train and no search
uses.

It decodes with a dictionary of the vocabulary and a bigram language model of the training texts, so that it
is strict about which word was said and fair about how it was spelled.
"""

from __future__ import annotations

import collections
import math
import re
import tempfile
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from experiments.nano.data import lexicon
from experiments.nano.data.cmudict import model_folder, pronunciations
from experiments.nano.data.texts import HARD

LANGUAGE_WEIGHT = 6.5


def bigram_model(texts: Iterable[str], words: list[str], path: Path, discount: float = 0.7) -> None:
    """Write an ARPA bigram model with absolute discounting; every word of ``words`` keeps some
    probability.
    """
    unigrams: collections.Counter[str] = collections.Counter()
    bigrams: collections.Counter[tuple[str, str]] = collections.Counter()
    contexts: collections.Counter[str] = collections.Counter()
    for text in texts:
        tokens = ["<s>", *text.split(), "</s>"]
        unigrams.update(tokens[1:])
        for left, right in pairwise(tokens):
            bigrams[left, right] += 1
            contexts[left] += 1
    total, floor = sum(unigrams.values()), 5
    p = {w: (unigrams[w] + floor) / (total + floor * (len(words) + 1)) for w in [*words, "</s>"]}
    following: dict[str, list[tuple[str, int]]] = collections.defaultdict(list)
    for (left, right), count in bigrams.items():
        following[left].append((right, count))
    backoff, rows = {}, []
    for left in ["<s>", *words]:
        seen = following.get(left, [])
        if not seen:
            backoff[left] = 1.0
            continue
        weight = discount * len(seen) / contexts[left]
        mass = 0.0
        for right, count in seen:
            probability = (count - discount) / contexts[left] + weight * p[right]
            rows.append((left, right, probability))
            mass += probability
        backoff[left] = max((1 - mass) / max(1 - sum(p[right] for right, _ in seen), 1e-6), 1e-6)
    with path.open("w") as out:
        out.write(f"\\data\\\nngram 1={len(words) + 2}\nngram 2={len(rows)}\n\n\\1-grams:\n")
        out.write(f"-99 <s> {math.log10(backoff['<s>']):.4f}\n{math.log10(p['</s>']):.4f} </s>\n")
        out.writelines(f"{math.log10(p[w]):.4f} {w} {math.log10(backoff[w]):.4f}\n" for w in words)
        out.write("\n\\2-grams:\n")
        out.writelines(f"{math.log10(q):.4f} {left} {right}\n" for left, right, q in sorted(rows))
        out.write("\n\\end\\\n")


class Sphinx:
    """pocketsphinx over a closed list of words."""

    def __init__(self, texts: Iterable[str], words: Iterable[str]) -> None:
        """``texts`` train the language model; ``words`` are all that may be heard, each in the CMU
        dictionary.

        Raises ValueError for a word without a pronunciation, UserError where pocketsphinx is not installed.
        """
        folder, entries = model_folder(), pronunciations()
        import pocketsphinx

        known = sorted(set(words))
        missing = [word for word in known if word not in entries]
        if missing:
            raise ValueError(f"no pronunciation for {missing[:5]}")
        with tempfile.TemporaryDirectory() as scratch:
            lm, dictionary = Path(scratch) / "lm.arpa", Path(scratch) / "words.dict"
            bigram_model(texts, known, lm)
            lines = [
                f"{word}{f'({k + 1})' if k else ''} {phonemes}"
                for word in known
                for k, phonemes in enumerate(entries[word])
            ]
            dictionary.write_text("\n".join(lines) + "\n")
            self._decoder = pocketsphinx.Decoder(
                hmm=str(folder / "en-us"),
                lm=str(lm),
                dict=str(dictionary),
                loglevel="FATAL",
                lw=LANGUAGE_WEIGHT,
            )

    @classmethod
    def of_vocabulary(cls, texts: Iterable[str]) -> Self:
        """Over the recipe's vocabulary and the words of the harder list: what all figures are measured with.

        The language model is trained on those of ``texts`` that use nothing else.
        """
        words = {*lexicon.vocabulary(), *(word for text in HARD for word in text.split())}
        return cls([text for text in texts if words.issuperset(text.split())], words)

    def transcribe(self, speech: NDArray[np.float32]) -> str:
        """The words heard in a 16 kHz waveform; 0.2 s of faint noise is put around it (fixed seed)."""
        padded = np.concatenate([np.zeros(3200), speech, np.zeros(3200)])
        padded = padded + np.random.default_rng(0).standard_normal(len(padded)) * 1e-4
        self._decoder.reinit_feat()  # or its noise estimate would carry over from the utterance before
        self._decoder.start_utt()
        self._decoder.process_raw((np.clip(padded, -1, 1) * 32767).astype(np.int16).tobytes(), full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return re.sub(r"\(\d\)", "", hypothesis.hypstr) if hypothesis else ""
