"""Texts are aligned with their recordings before any model exists."""

from pathlib import Path

import numpy as np
import pytest

from experiments.nano.data import prepare
from experiments.nano.data.corpus import ALIGNMENT, Corpus
from experiments.nano.data.units import acoustic_units, cepstra
from llasa_core.codec.features import HOP
from tests.experiments.nano.small_corpus import build_corpus


def hops(corpus: Corpus) -> list[int]:
    return [-(-(u.length + 1) // HOP) for u in corpus.utterances]


def test_frames_that_sound_alike_share_a_unit() -> None:
    time = np.arange(16_000) / 16_000
    low, high = (np.sin(2 * np.pi * f * time).astype(np.float32) * 0.3 for f in (300, 3000))
    frames = cepstra(np.concatenate([low, high, low]))
    inner = [slice(10, 40), slice(60, 90), slice(110, 140)]
    first, other, again = (frames[part].mean(0) for part in inner)
    assert np.linalg.norm(first - again) < 0.1 * np.linalg.norm(first - other)


def test_every_hop_gets_a_unit_and_a_corpus_its_own(tmp_path: Path) -> None:
    corpora = [build_corpus(tmp_path / str(k), count=6 + k, seed=k) for k in range(2)]
    found = acoustic_units(corpora, seed=0, units=8)
    for corpus, rows in zip(corpora, found, strict=True):
        assert [len(row) for row in rows] == hops(corpus)
        assert all(row.min() >= 0 and row.max() < 8 for row in rows)
    again = acoustic_units(corpora, seed=0, units=8)
    np.testing.assert_array_equal(found[1][-1], again[1][-1])


def test_alignments_lead_through_each_text_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "N_UNITS", 8)
    monkeypatch.setattr(
        prepare, "acoustic_units", lambda corpora, seed: acoustic_units(corpora, seed, units=8)
    )
    corpora = [build_corpus(tmp_path / str(k), count=6 + k, seed=k) for k in range(2)]
    for corpus in corpora:
        (corpus.folder / ALIGNMENT).unlink()
    prepare.align(corpora, seed=0)
    for folder in (tmp_path / "0", tmp_path / "1"):
        corpus = Corpus(folder)
        phonemes = prepare.Phonemes(prepare.words_of(corpora))
        for i, u in enumerate(corpus.utterances):
            path, states = corpus.path(i), phonemes.states(u.text)
            assert len(path) == hops(corpus)[i]
            assert (np.diff(path) >= 0).all() and path[-1] >= len(states.state) - 2
            np.testing.assert_array_equal(corpus.states(i), states.state[path])
    _, pieces = prepare.prepare(Corpus(tmp_path / "0"), [np.zeros(n, np.int64) for n in hops(corpora[0])])
    assert [p.text for p in pieces] == [u.text for u in corpora[0].utterances]
