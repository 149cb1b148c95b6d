"""The figures of the model cards."""

import numpy as np
import pytest

from experiments.nano.evaluate import verifiers as ev
from experiments.nano.train.listening import NONSPEECH
from verifiers.base import Score


def test_equal_error_rate_of_known_scores() -> None:
    apart = ev.equal_error_rate(np.array([0.8, 0.9]), np.array([0.1, 0.2, 0.3]))
    assert apart == 0.0
    mixed = ev.equal_error_rate(np.array([0.4, 0.6, 0.7, 0.9]), np.array([0.1, 0.2, 0.3, 0.65]))
    assert mixed == pytest.approx(0.25)


def test_speakers_that_are_apart_have_no_errors_and_chance_is_one_half() -> None:
    generator = np.random.default_rng(0)
    names = [f"v{k % 4}" for k in range(40)]
    voices = np.eye(4)[[k % 4 for k in range(40)]] + 0.05 * generator.standard_normal((40, 4))
    found = ev.speaker_figure(voices, voices, names, seed=0)
    assert found["eer"] == 0 and found["interval"][1] == 0 and found["voices"] == 4
    noise = generator.standard_normal((40, 16))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    found = ev.speaker_figure(noise, noise, names, seed=0)
    assert 0.4 < found["eer"] < 0.6
    assert found["interval"][0] <= found["eer"] <= found["interval"][1]


class Parrot:
    """Writes the same words whatever it hears."""

    def score(self, candidates, target):  # type: ignore[no-untyped-def]
        return [Score(0.5, {"transcript": " Two words."}) for _ in candidates]


def test_words_are_counted_without_punctuation() -> None:
    found = ev.words_in(Parrot(), [np.zeros(16_000, np.float32)] * 3)
    assert found == {"sounds": 3, "with words": 3, "mean words": 2.0, "most words": 2, "longest": "two words"}


def test_word_errors_carry_their_interval() -> None:
    found = ev.word_errors(Parrot(), [("a b", np.zeros(9, np.float32))] * 5, seed=0)
    assert found["wer"] == 0.5 and found["interval"] == [0.5, 0.5] and found["utterances"] == 5
    assert set(NONSPEECH) == {
        "silence",
        "coloured noise",
        "backwards",
        "shuffled",
        "speech-shaped noise",
        "hum",
    }
