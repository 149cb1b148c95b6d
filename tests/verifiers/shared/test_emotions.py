"""Names of emotions: what is meant by a synonym, and what is offered for a name that nobody knows."""

import pytest

from llasa_core.errors import UserError
from verifiers.errors import VerifierError
from verifiers.shared.emotions import DIMENSIONS, EMOTIONS, canonical, check_dimensions

KNOWN = tuple(EMOTIONS)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        *((emotion, emotion) for emotion in EMOTIONS),
        *((" Happy ", "happy"), ("JOY", "happy"), ("No  emotion", "neutral")),
        *(("anger", "angry"), ("mad", "angry"), ("afraid", "fearful"), ("surprise", "surprised")),
        *(("生气", "angry"), ("愤怒", "angry"), ("开心", "happy"), ("难过", "sad"), ("悲伤", "sad")),
        *(("开心/happy", "happy"), ("伤心 / Sadness", "sad")),
    ],
)
def test_a_synonym_means_the_known_name(name: str, meant: str) -> None:
    assert canonical(name, KNOWN) == meant


def test_no_synonym_has_two_meanings_and_all_are_written_as_they_are_compared() -> None:
    names = [name for emotion, synonyms in EMOTIONS.items() for name in (emotion, *synonyms)]
    assert len(set(names)) == len(names)
    assert [name for name in names if name != " ".join(name.casefold().split())] == []
    assert all(synonyms and not synonyms[0].isascii() for synonyms in EMOTIONS.values())


def test_what_is_known_may_be_any_names_and_the_very_name_counts_first() -> None:
    assert canonical("happy", ["Joy", "sorrow"]) == "Joy"
    assert canonical("joy", ["happy", "joy"]) == "joy"
    assert canonical("Bored", ["bored", "happy"]) == "bored"
    assert canonical("anger", ["生气/angry", "开心/happy"]) == "生气/angry"
    assert canonical("生气/angry", ["生气/angry", "开心/happy"]) == "生气/angry"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("hapy", "unknown emotion 'hapy': did you mean 'happy'? (there are angry, happy, sad)"),
        ("fearful", "unknown emotion 'fearful': (there are angry, happy, sad)"),
        ("难", "unknown emotion '难': did you mean '难过'? (there are 开心, 生气, 难过)"),
        ("happy/sad", "unknown emotion 'happy/sad': did you mean 'happy'? (there are angry, happy, sad)"),
        ("", "unknown emotion '': (there are angry, happy, sad)"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_known_one(name: str, says: str) -> None:
    for known in (["angry", "happy", "sad"], ["生气/angry", "开心/happy", "难过/sad"]):
        with pytest.raises(UserError) as caught:
            canonical(name, known)
        assert str(caught.value) == says


def test_the_error_is_of_the_kind_that_was_asked_for() -> None:
    with pytest.raises(VerifierError, match="bored"):
        canonical("bored", KNOWN, error=VerifierError)
    with pytest.raises(UserError, match="there are none"):
        canonical("happy", [])


def test_values_on_the_axes_are_from_0_to_1() -> None:
    check_dimensions({"arousal": 0, "valence": 1})
    check_dimensions(dict.fromkeys(DIMENSIONS, 0.5))
    for wrong, says in (
        ({}, "give one of arousal, dominance, valence"),
        ({"valance": 0.5}, "unknown axis of emotion 'valance': did you mean 'valence'?"),
        ({"arousal": 1.01}, "arousal is 1.01: give a number from 0 to 1"),
        ({"arousal": float("nan")}, "arousal is nan"),
    ):
        with pytest.raises(UserError) as caught:
            check_dimensions(wrong)
        assert says in str(caught.value)
