"""What the verifiers are trained on besides the corpus."""

from pathlib import Path

import numpy as np
import pytest

from experiments.nano.data import extra, voices
from experiments.nano.data.corpus import Corpus
from experiments.nano.train.codec import build
from llasa_core.codec.codec import Codec
from llasa_core.codec.features import HOP
from tests.experiments.nano.small_corpus import build_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return build_corpus(tmp_path_factory.mktemp("corpus") / "corpus")


def test_resynthesis_says_what_the_codes_say_under_the_names_of_the_originals(
    corpus: Corpus, tmp_path: Path
) -> None:
    codec = Codec(build(seed=0).eval())
    codes = [np.array(codec.encode(corpus.samples(i))) for i in range(len(corpus))]
    extra.build_resynthesis(tmp_path / "again", corpus, codes, codec, count=5, seed=0)
    again = Corpus(tmp_path / "again")
    assert len(again.split("train")) == 5 and len(again.split("test")) == len(corpus.split("test"))
    originals = {(u.text, u.voice, u.length): i for i, u in enumerate(corpus.utterances)}
    for i, u in enumerate(again.utterances):
        source = originals[u.text, u.voice, u.length]
        (expected,) = codec.decode([codes[source].tolist()])
        np.testing.assert_allclose(again.samples(i), expected[: u.length].clip(-1, 1), atol=1e-3)
        np.testing.assert_array_equal(again.states(i), corpus.states(source))


def test_extra_voices_speak_nothing_that_is_held_out(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken: list[tuple[str, voices.Voice, str]] = []

    def speak(jobs: list[tuple[str, voices.Voice, str]]) -> list[np.ndarray]:
        spoken.extend(jobs)
        return [np.full(HOP * (1 + k % 7), k, np.int16) for k in range(len(jobs))]

    monkeypatch.setattr(extra, "speak", speak)  # the synthesizers are not installed everywhere
    extra.build_extra_voices(tmp_path / "extra", corpus, hours=0.1, seed=0)
    made = Corpus(tmp_path / "extra")
    held_out = {u.text for u in corpus.utterances if u.split != "train"}
    assert len(made) == len(spoken) > 100
    assert not held_out & {u.text for u in made.utterances}
    assert {u.voice for u in made.utterances} == {v.name for v in voices.EXTRA_VOICES}
    assert 0 < len(made.split("test")) < 0.15 * len(made)
    for i, (u, (text, voice, style)) in enumerate(zip(made.utterances, spoken, strict=True)):
        assert (u.text, u.voice, u.style) == (text, voice.name, style)
        assert (made.audio[u.start : u.start + u.length] == i).all()
