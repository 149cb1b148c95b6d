"""The shipped emotion2vec: its files, and that it tells the acted styles of the shipped voice prompts apart.

The prompts say sentences that it was not trained on.
"""

from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import pytest
import torch

import verifiers
from llasa_core.audio import read_audio
from llasa_core.voices import shipped_voices
from verifiers.base import Target
from verifiers.shared.loading import NANO

pytestmark = pytest.mark.skipif(find_spec("funasr") is None, reason="funasr is not installed")
FOLDER = NANO / "emotion2vec"
VOICES = shipped_voices()
STYLES = np.array([voice.style for voice in VOICES])


@pytest.fixture(scope="module")
def waves() -> Iterator[list[np.ndarray]]:
    yield [read_audio(voice.path) for voice in VOICES]


def test_the_folder_is_small_and_as_released() -> None:
    names = {path.name for path in FOLDER.iterdir()}
    assert names == {"README.md", "config.yaml", "configuration.json", "model.pt", "tokens.txt"}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 4_000_000
    state = torch.load(FOLDER / "model.pt", weights_only=True)
    assert state.keys() == {"model"}


def test_it_names_the_style_of_most_prompts(waves: list[np.ndarray]) -> None:
    """Chance is a quarter; the bound lies below the card's figure, as the sample is small."""
    judge = verifiers.load("emotion2vec?measure=label")
    heard = [score.evidence["label"] for score in judge.score(waves, Target(emotion="happy"))]
    assert np.mean([a == b for a, b in zip(heard, STYLES, strict=True)]) >= 0.85, heard


def test_prompts_of_one_style_are_more_alike_than_others(waves: list[np.ndarray]) -> None:
    judge = verifiers.load("emotion2vec")
    cosines = np.array([[s.value for s in judge.score(waves, Target(emotion_reference=w))] for w in waves])
    np.testing.assert_allclose(np.diag(cosines), 1, atol=1e-5)
    alike = STYLES[:, None] == STYLES
    apart = ~np.eye(len(waves), dtype=bool)
    assert cosines[alike & apart].mean() > cosines[~alike].mean() + 0.5


def test_an_emotion_goes_by_both_names_and_others_are_answered_with_the_nearest() -> None:
    judge = verifiers.load("emotion2vec?measure=label")
    for name in ("happy", "开心", "sad", "难过", "angry", "生气", "neutral", "中立"):
        assert judge.score([], Target(emotion=name)) == []
    with pytest.raises(verifiers.VerifierError, match="did you mean 'angry'"):
        judge.score([], Target(emotion="angr"))
