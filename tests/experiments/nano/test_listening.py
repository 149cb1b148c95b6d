"""What the recognisers are trained to hear."""

from pathlib import Path

import numpy as np
import pytest

from experiments.nano.data.documents import IGNORE
from experiments.nano.train.listening import NONSPEECH, SORTED_TOGETHER, ClipBatches, loudness
from llasa_core.codec.features import HOP
from tests.experiments.nano.small_corpus import STATES, TEXTS, build_corpus


def test_a_step_draws_the_same_clips_after_any_other(tmp_path: Path) -> None:
    corpus = build_corpus(tmp_path / "corpus")
    first, second = (ClipBatches([(corpus, 1.0)], 4, seed=3) for _ in range(2))
    second.draw(SORTED_TOGETHER + 5)
    for expected, found in zip(first.draw(7), second.draw(7), strict=True):
        assert expected.text == found.text
        np.testing.assert_array_equal(expected.wave, found.wave)


def test_clips_are_similar_in_length_and_some_hold_no_words(tmp_path: Path) -> None:
    corpus = build_corpus(tmp_path / "corpus")
    batches = ClipBatches([(corpus, 1.0)], 6, seed=0, joined=0.3, nonspeech=0.2)
    clips = [batches.draw(step) for step in range(SORTED_TOGETHER)]
    lengths = [len(clip.wave) for batch in clips for clip in batch]
    spread = np.mean([np.ptp([len(clip.wave) for clip in batch]) for batch in clips])
    assert spread < 0.4 * np.ptp(lengths)
    texts = [clip.text for batch in clips for clip in batch]
    assert 0.1 < np.mean([text == "" for text in texts]) < 0.3
    assert any(text and text not in TEXTS for text in texts), "some recordings are joined"


def test_the_states_of_a_clip_are_those_spoken_in_the_middle_of_its_frames(tmp_path: Path) -> None:
    corpus = build_corpus(tmp_path / "corpus")
    ramp = np.concatenate([np.arange(u.length) // HOP % STATES for u in corpus.utterances]) + 1
    corpus.audio = (2000 * ramp).astype(np.int16)  # a recording whose samples say which state is spoken
    batches = ClipBatches([(corpus, 1.0)], 6, seed=0, joined=0.4, nonspeech=0.2)
    clips = [clip for step in range(SORTED_TOGETHER) for clip in batches.draw(step)]
    seen = 0
    for clip in clips:
        known = np.flatnonzero(clip.states != IGNORE)
        if clip.text == "":
            assert len(known) == 0
            continue
        wave = clip.wave / np.abs(clip.wave).max()
        # noise and gain were drawn for each clip, so the value of a state is compared within it
        middles = wave[known * HOP + HOP // 2]
        correlation = np.corrcoef(middles, clip.states[known])[0, 1]
        assert correlation > 0.9
        seen += len(known)
    assert seen > 1000


@pytest.mark.parametrize("kind", list(NONSPEECH))
def test_sounds_keep_the_length_and_are_no_louder_than_speech(kind: str) -> None:
    generator = np.random.default_rng(0)
    speech = 0.1 * generator.standard_normal(15_001, dtype=np.float32)
    sound = NONSPEECH[kind](speech, generator)
    assert sound.shape == speech.shape and sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert loudness(sound) < 1.1 * loudness(speech)
    assert not np.array_equal(sound, speech)
