"""Each kind of catastrophic failure with the evidence that recognisers give, and what is none."""

import pytest

from search.results.failures import CUT_OFF, EMPTY, FAILURES, INVENTED, LOOP, WRONG, failures_of, repeated
from verifiers import Score
from verifiers.base import Target
from verifiers.selection.cascade import not_asked
from verifiers.shared.recogniser import compare

TEXT = "the old king saw a ship on the river"


def judged(transcript: str, text: str = TEXT, language: str = "en", unit: str = "word") -> Score:
    """As a recogniser that writes this scores it."""
    found = compare(transcript, Target(text=text, language=language), False, None, unit)
    return Score(found.value, found.evidence)


@pytest.mark.parametrize(
    ("transcript", "found"),
    [
        ("The old king saw a ship on the river.", ()),
        ("the old king saw a sheep on the river", ()),
        ("the old king saw a ship on the", ()),  # one word is missing
        ("the the old king saw a a ship on the river", ()),  # slips of the tongue
        ("the old the old king saw a ship on the river", ()),
        ("the old king the old king saw a ship on the river", (LOOP,)),
        ("the old bold king saw him a ship on the river", ()),
        ("", (EMPTY,)),
        (" . ", (EMPTY,)),
        ("the old king saw a ship on", (CUT_OFF,)),
        ("the old king", (CUT_OFF, WRONG)),
        ("the old king saw a ship ship ship ship on the river", (LOOP,)),
        ("the old king the old king the old king saw a ship on the river", (LOOP, WRONG)),
        ("the old king saw a ship on the river and then it sank", (INVENTED,)),
        ("the old king saw in the early morning a ship on the river", (INVENTED,)),
        ("they all think so of chips and a liver", (WRONG,)),
        ("thank you for watching", (WRONG,)),
    ],
)
def test_what_a_recogniser_hears(transcript: str, found: tuple[str, ...]) -> None:
    failures = failures_of(judged(transcript))
    assert failures is not None
    assert set(found) <= set(failures)
    assert bool(failures) == bool(found)
    if WRONG not in found:
        assert failures == found
    assert list(failures) == [name for name in FAILURES if name in failures]


def test_speech_that_the_model_had_not_ended_is_cut_off() -> None:
    assert failures_of(judged(TEXT), cut_off=True) == (CUT_OFF,)
    assert failures_of(judged(TEXT), cut_off=False) == ()


def test_what_the_text_itself_repeats_is_no_loop() -> None:
    text = "no no no no he said"
    assert failures_of(judged(text, text)) == ()
    assert failures_of(judged("no no no no no no no no he said", text)) == (LOOP, WRONG)


def test_audio_that_could_not_be_judged_is_empty_unless_it_is_only_short_for_a_metric() -> None:
    assert failures_of(Score(1.0, {}, False, "the audio is silent")) == (EMPTY,)
    assert failures_of(Score(-1.0, {}, False, "too short for an embedding", True)) is None
    assert failures_of(Score(0.9, {"seconds": 1.0})) is None


def test_what_a_cascade_did_not_ask_about_is_no_failure() -> None:
    assert failures_of(not_asked("sim")) is None
    assert failures_of(not_asked("sim"), cut_off=True) is None


def test_characters_of_chinese_count_as_words() -> None:
    text = "今天下午我们去公园"
    assert failures_of(judged(text, text, "zh")) == ()
    assert failures_of(judged("今天下午我们去", text, "zh")) == (CUT_OFF,)
    assert LOOP in (failures_of(judged("今天下午我们我们我们我们去公园", text, "zh")) or ())


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("", 0),
        ("a b c", 0),
        ("go go go go", 3),
        ("the ship the ship", 2),
        ("the ship the ship the", 3),
        ("a b a c a d", 0),
    ],
)
def test_words_that_are_said_again(words: str, count: int) -> None:
    assert repeated(words.split()) == count
