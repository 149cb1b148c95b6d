"""Emotions as text: every form is read, written again, and refused in one line where it is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llasa_core.emotion import DIMENSIONS, Emotion, read_strength
from llasa_core.errors import UserError
from llasa_core.request import Request


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (" sad ", "sad"),
        ("生气", "生气"),
        ("开心/happy", "开心/happy"),
        ("sad@max", "sad"),
        ("sad @ 0.70", "sad@0.7"),
        ("happy = 0.6 , surprised=.4", "happy=0.6,surprised=0.4"),
        ("happy=0.5", "happy=0.5"),
        ("happy=1", "happy"),
        ("Valence=0.3, arousal=.8", "arousal=0.8,valence=0.3"),
        ("happy=0.3333333,sad=0.3333333,angry=0.3333334", "happy=0.333333,sad=0.333333,angry=0.333333"),
    ],
)
def test_an_emotion_has_one_canonical_form(text: str, canonical: str) -> None:
    found = Emotion.parse(text)
    assert str(found) == canonical
    assert str(Emotion.parse(canonical)) == canonical
    assert Request("one", emotion=text).emotion == canonical


def test_what_an_emotion_asks_for() -> None:
    mix = Emotion.parse("happy=0.4,surprised=0.5")
    assert (mix.is_mix, mix.label, mix.strength, mix.dimensions) == (True, "surprised", None, None)
    part = Emotion.parse("happy=0.5")
    assert part.is_mix and part.label == "happy"
    single = Emotion.parse("sad@0.7")
    assert (single.is_mix, single.label, single.strength) == (False, "sad", 0.7)
    axes = Emotion.parse("arousal=0.8,dominance=0")
    assert (axes.is_mix, axes.label, axes.dimensions) == (False, "", {"arousal": 0.8, "dominance": 0.0})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("happy=0.7,sad=0.6", "sum to 1.3"),
        ("happy=0,sad=1", "happy=0: give a number above 0 to 1"),
        ("happy=much", "happy=much: give a number"),
        ("happy=nan", "give a number"),
        ("happy=0.5,sad", "cannot read 'sad'"),
        ("happy=0.5,Happy=0.2", "twice"),
        ("happy=0.5@0.7", "a strength is of one label alone"),
        ("sad@", "cannot read"),
        ("@0.7", "cannot read"),
        ("sad@0.7@0.8", "cannot read"),
        ("sad,angry", "cannot read"),
        ("sad@2", "strength=2: give a number above 0 to 1"),
        ("arousal=1.2", "arousal=1.2: give a number from 0 to 1"),
        ("arousal=0.5,happy=0.5", "mixes labels and dimensions: leave out happy, or arousal"),
    ],
)
def test_what_is_no_emotion_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(UserError) as caught:
        Emotion.parse(text)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_strength_belongs_to_one_label_without_its_own() -> None:
    assert str(Emotion.parse("sad").with_strength(read_strength("0.7"))) == "sad@0.7"
    assert str(Emotion.parse("sad").with_strength(read_strength("MAX"))) == "sad"
    assert str(Emotion.parse("sad@0.7").with_strength(0.7)) == "sad@0.7"
    for text in ("sad@0.5", "happy=0.5", "arousal=0.5"):
        with pytest.raises(UserError, match="leave one out"):
            Emotion.parse(text).with_strength(0.7)
    with pytest.raises(UserError, match="strength=x"):
        read_strength("x")


@given(
    st.dictionaries(
        st.text(st.characters(categories=["L"]), min_size=1, max_size=8)
        .map(str.casefold)
        .filter(lambda name: name not in DIMENSIONS),
        st.integers(1, 100),
        min_size=2,
        max_size=5,
    )
)
def test_a_mix_is_read_as_it_is_written(parts: dict[str, int]) -> None:
    total = sum(parts.values())
    text = ",".join(f"{name}={count / total:.6f}" for name, count in parts.items())
    if len({name.casefold() for name in parts}) < len(parts) or any(
        f"{count / total:.6f}" == "0.000000" for count in parts.values()
    ):
        return
    found = Emotion.parse(text)
    assert Emotion.parse(str(found)) == found
