"""From corpus and codes to the generator's aligned pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.nano.alignment import LetterAligner, Phonemes, align_codes
from experiments.nano.corpus import Corpus
from experiments.nano.documents import DocumentBuilder, Piece
from experiments.nano.encode import load_codes
from experiments.nano.judge import pronunciations

N_CODES = 1024


def words_of(corpus: Corpus) -> dict[str, list[str]]:
    """Every word of the corpus with the first pronunciation of the CMU dictionary."""
    entries = pronunciations()
    return {
        word: entries[word][0].split()
        for word in sorted({w for u in corpus.utterances for w in u.text.split()})
    }


def prepare(corpus: Corpus, codes_path: Path, paths_path: Path) -> tuple[DocumentBuilder, list[Piece]]:
    """Align everything (cached in ``paths_path``) and return the document builder and a piece for each utterance."""
    words = words_of(corpus)
    phonemes, letters = Phonemes(words), LetterAligner(words)
    codes = load_codes(codes_path)
    offsets = np.cumsum([0, *map(len, codes)])
    if not paths_path.exists():
        aligned = align_codes([u.text for u in corpus.utterances], codes, phonemes, N_CODES)
        np.save(paths_path, np.concatenate(aligned))
    flat = np.load(paths_path).astype(np.int64)
    builder = DocumentBuilder(letters, phonemes, N_CODES)
    pieces = [
        builder.piece(u, c, flat[a:b])
        for u, c, a, b in zip(corpus.utterances, codes, offsets, offsets[1:], strict=False)
    ]
    return builder, pieces
