"""Recognisers accept what says the text, however it is written; the benchmark's figure stays apart."""

import pytest

from llasa_core.text import spoken_form
from verifiers.base import Target
from verifiers.errors import VerifierError
from verifiers.shared.recogniser import Recogniser, check_text, compare
from verifiers.shared.wer import seed_tts_eval, word_errors
from verifiers.spec import Spec


def target(written: str, language: str = "en") -> Target:
    return Target(spoken_form(written, language).spoken, language, written=written)


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("Room 21.", "Room 21."),
        ("Room 21.", "room twenty-one"),
        ("It costs $21.", "It costs 21 dollars."),
        ("My neighbour is OK.", "My neighbor is okay."),
        ("The high-school café", "the high school cafe"),
        ("Dr. Stephens came—everyone left.", "Doctor Stevens came. Everyone left."),
        ("It was -5 again.", "It was minus five again."),
        ("'They didn\u2019t see it.'", "They did not see it."),
        ("\ufeffWait\u200b… what?", "Wait, what?"),
        ("\uff21\uff22\uff23 \ufb01ne", "ABC fine"),
    ],
)
def test_a_right_reading_has_no_errors(written: str, heard: str) -> None:
    found = compare(heard, target(written), partial=False)
    assert found.value == 0 and found.evidence["transcript"] == heard


@pytest.mark.parametrize(
    ("written", "heard", "errors"),
    [
        ("It was -5 again.", "It was five again.", 1),
        ("The train is late—again.", "The train is late.", 1),
        ("Fifteen birds", "fifty birds", 1),
        ("Mary came", "Martin came", 1),
        ("It was late", "It was was late", 1),
    ],
)
def test_a_wrong_reading_counts_and_is_placed(written: str, heard: str, errors: int) -> None:
    evidence = compare(heard, target(written), partial=False).evidence
    counted = evidence["substitutions"] + evidence["deletions"] + evidence["insertions"]
    assert counted == errors == sum(len(evidence[kind]) for kind in ("missed", "added", "changed"))
    assert evidence["words"] == len(evidence["reference"].split())


def test_each_equivalence_is_named() -> None:
    found = compare("my neighbor has 21 dogs", target("My neighbour has twenty one dogs."), partial=False)
    named = {name for *_, name in found.evidence["equivalent"]}
    assert len(named) == 2 and "number" in named


def test_a_benchmark_compares_with_the_text_as_it_is_written() -> None:
    text = target("My neighbour has 21 dogs.")
    found = compare("My neighbor has 21 dogs.", text, partial=False, normalize=seed_tts_eval)
    assert found.value == word_errors(text.written or "", "My neighbor has 21 dogs.").rate == 1 / 5
    assert "equivalent" not in found.evidence


def test_a_written_text_that_a_benchmark_leaves_nothing_of_is_refused() -> None:
    """Spoken it has words, so that the product's own comparison can judge it."""
    text = target("&")
    assert compare("and", text, partial=False).value == 0.0
    check_text(text, None)
    with pytest.raises(VerifierError, match="no words"):
        check_text(text, seed_tts_eval)


def test_each_comparison_has_a_name_of_its_own() -> None:
    names = [
        Recogniser.metric(Spec.parse(f"whisper:x{options}"))[0]
        for options in (
            "",
            "?normalizer=seed-tts-eval",
            "?normalizer=whisper",
            "?pinyin=yes",
            "?unit=character",
        )
    ]
    assert names == ["wer", "wer-seed-tts-eval", "wer-whisper", "wer-pinyin", "cer"]


@pytest.mark.parametrize(
    "heard", ["Room twenty", "Room 20", "Room twenty one", "Room 21 is", "Room twenty one is o"]
)
def test_the_beginning_of_a_reading_has_no_errors(heard: str) -> None:
    found = compare(heard, target("Room 21 is open now."), partial=True)
    assert found.value == 0 and 0 < found.evidence["position"] <= found.evidence["words"]


def test_chinese_by_character_and_by_sound() -> None:
    text = target("他有21只鸟。", "zh")
    assert compare("他有二十一只鸟", text, partial=False).value == 0
    assert compare("他有二十一支鸟", text, partial=False).value > 0
    assert compare("他有二十一支鸟", text, partial=False, pinyin=True).value == 0


def test_characters_can_be_counted() -> None:
    found = compare("room 22", target("Room 21"), partial=False, unit="character")
    assert 0 < found.value < 0.5 and found.evidence["words"] == len("roomtwentyone")


def test_pinyin_is_for_acceptance() -> None:
    with pytest.raises(VerifierError, match="pinyin=yes goes with"):
        Recogniser(spec="x", normalizer="seed-tts-eval", pinyin="yes")
