"""From corpora to aligned ones, and from those and the codes to the generator's pieces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.nano.data.alignment import LetterAligner, Phonemes, align_codes
from experiments.nano.data.cmudict import pronunciations
from experiments.nano.data.corpus import Corpus, store_alignment
from experiments.nano.data.documents import DocumentBuilder, Piece
from experiments.nano.data.units import N_UNITS, acoustic_units

N_CODES = 1024


def words_of(corpora: Sequence[Corpus]) -> dict[str, list[str]]:
    """Every word of the corpora with the first pronunciation of the CMU dictionary."""
    entries = pronunciations()
    words = {word for corpus in corpora for u in corpus.utterances for word in u.text.split()}
    return {word: entries[word][0].split() for word in sorted(words)}


def align(corpora: Sequence[Corpus], seed: int) -> None:
    """Align the sounds of every text with its recording; does nothing if that is done.

    It needs no codec and no trained model: the frames' clusters stand for the codes.
    """
    if all(corpus.alignment.exists() for corpus in corpora):
        return
    phonemes = Phonemes(words_of(corpora))
    units = acoustic_units(corpora, seed)
    texts = [u.text for corpus in corpora for u in corpus.utterances]
    paths = align_codes(texts, [row for rows in units for row in rows], phonemes, N_UNITS)
    states = [phonemes.states(text).state[path] for text, path in zip(texts, paths, strict=True)]
    for corpus in corpora:
        store_alignment(corpus.alignment, paths[: len(corpus)], states[: len(corpus)])
        paths, states = paths[len(corpus) :], states[len(corpus) :]


def prepare(
    corpus: Corpus, codes: list[NDArray[np.int64]], n_codes: int = N_CODES
) -> tuple[DocumentBuilder, list[Piece]]:
    """The document builder, and a piece for each utterance of an aligned corpus."""
    words = words_of([corpus])
    builder = DocumentBuilder(LetterAligner(words), Phonemes(words), n_codes)
    return builder, [builder.piece(u, codes[i], corpus.path(i)) for i, u in enumerate(corpus.utterances)]
