"""A wanted emotion beside probabilities: nearness, whether it is reached, and what is told."""

import pytest

from verifiers.base import Target
from verifiers.errors import VerifierError
from verifiers.shared.wanted import Wanted

NAMES = {"happy/开心": "happy", "sad/难过": "sad", "neutral/中立": "neutral", "surprised/吃惊": "surprised"}
FOUND = {"happy": 0.3, "sad": 0.18, "neutral": 0.4, "surprised": 0.12}


def wanted(**target: object) -> Wanted:
    return Wanted.of(Target(**target), NAMES)  # type: ignore[arg-type]


def test_a_label_scores_its_probability() -> None:
    sad = wanted(emotion="sadness")
    assert sad.score(FOUND) == 0.18
    assert sad.evidence(FOUND) == {"reached": False, "found": "sad 0.18, neutral 0.40"}
    assert wanted(emotion="中性").evidence(FOUND) == {"reached": True, "found": "neutral 0.40"}


@pytest.mark.parametrize(
    ("found", "reached"), [(0.5, False), (0.6, True), (0.7, True), (0.8, True), (0.95, False)]
)
def test_a_strength_is_wanted_as_it_is_neither_less_nor_more(found: float, reached: bool) -> None:
    sad = wanted(emotion="sad", strength=0.7)
    heard = {"happy": 0.0, "sad": found, "neutral": 1 - found, "surprised": 0.0}
    assert sad.score(heard) == pytest.approx(1 - abs(found - 0.7))
    assert sad.reached(heard) is reached
    assert sad.evidence(heard)["found"].startswith(f"sad {found:.2f} for 0.70")


def test_a_mix_scores_by_total_variation_and_the_rest_is_neutral() -> None:
    mix = wanted(emotion="happy", mix={"joy": 0.5, "surprise": 0.3})
    assert mix.weights == pytest.approx({"happy": 0.5, "surprised": 0.3, "neutral": 0.2})
    assert mix.score(FOUND) == pytest.approx(1 - (0.2 + 0.18 + 0.2 + 0.18) / 2)
    assert mix.score({**mix.weights, "sad": 0.0}) == pytest.approx(1.0)
    assert mix.score({"happy": 0.0, "sad": 1.0, "neutral": 0.0, "surprised": 0.0}) == pytest.approx(0.0)
    assert not mix.reached(FOUND) and mix.reached({"happy": 0.6, "surprised": 0.3, "neutral": 0.1, "sad": 0})
    assert "happy 0.30 for 0.50" in mix.evidence(FOUND)["found"]


def test_names_of_one_emotion_are_added_up() -> None:
    assert wanted(emotion="joy", mix={"joy": 0.5, "happy": 0.5}).weights == {"happy": 1.0}


def test_what_cannot_be_wanted_of_a_classifier() -> None:
    with pytest.raises(VerifierError, match="give the target an emotion"):
        wanted()
    with pytest.raises(VerifierError, match="did you mean 'happy'"):
        wanted(emotion="hapy")
    with pytest.raises(VerifierError, match="unknown emotion 'bored'"):
        wanted(emotion="happy", mix={"happy": 0.5, "bored": 0.5})
    with pytest.raises(VerifierError, match="no neutral that the rest could be"):
        Wanted.of(Target(emotion="sad", mix={"sad": 0.5}), {"sad": "sad", "happy": "happy"})
