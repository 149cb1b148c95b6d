"""A request's texts as they are spoken, its language, and the silence around its voice."""

import numpy as np
import pytest

from llasa_core.audio import SAMPLE_RATE, seconds, silence_around
from llasa_core.errors import UserError
from llasa_core.request import KEPT_SILENCE, MOST_SILENCE, Request

SPEECH = (0.1 * np.sin(np.arange(2 * SAMPLE_RATE) / 10)).astype(np.float32)


def voice(before: float, after: float, noise: float = 0.0) -> np.ndarray:
    """Two seconds of sound between silences of so many seconds."""
    ends = [np.zeros(round(length * SAMPLE_RATE), np.float32) for length in (before, after)]
    sound = np.concatenate([ends[0], SPEECH, ends[1]])
    return (sound + noise * np.random.default_rng(0).standard_normal(len(sound))).astype(np.float32)


@pytest.mark.parametrize("code", ["en", "EN", "en-US", "en_us", "eng", "English"])
def test_every_spelling_of_a_language_speaks_the_same(code: str) -> None:
    request = Request("We have 12 birds.", code)
    assert (request.language, request.spoken.spoken) == ("en-US", "We have twelve birds.")


def test_the_locale_decides_dates() -> None:
    assert "March" in Request("on 3/4/2024", "en-US").spoken.spoken
    assert "April" in Request("on 3/4/2024", "en-GB").spoken.spoken


@pytest.mark.parametrize(
    ("code", "hint"), [("englich", "english"), ("xx", "give a code"), ("", "give a code")]
)
def test_an_unknown_language_is_refused(code: str, hint: str) -> None:
    with pytest.raises(UserError, match=hint):
        Request("a", code)


def test_both_texts_are_spelled_and_the_record_says_how() -> None:
    request = Request("Room 21, 1984.", prompt_audio=SPEECH, prompt_text="Dr. Smith paid $5.")
    assert request.text == "Room 21, 1984." and request.prompt_text == "Dr. Smith paid $5."
    assert request.spoken.spoken == "Room twenty one, nineteen eighty four."
    assert request.spoken_prompt.spoken == "Doctor Smith paid five dollars."
    assert [str(one) for one in request.spoken.readings] == [
        "written: 21, spoken: twenty one",
        "written: 1984, spoken: nineteen eighty four",
    ]


def test_as_written_changes_nothing() -> None:
    request = Request("Room 21.", prompt_audio=SPEECH, prompt_text="$5", as_written=True)
    assert (request.spoken.spoken, request.spoken_prompt.spoken) == ("Room 21.", "$5")
    assert request.spoken.changes == ()


@pytest.mark.parametrize("text", ["\u200b\u00ad", "\U0001f600", "***"])
def test_what_cannot_be_said_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        Request(text)


@pytest.mark.parametrize(("before", "after"), [(1.0, 3.0), (0.0, 1.0), (2.0, 0.1), (0.5, 0.0)])
@pytest.mark.parametrize("noise", [0.0, 1e-4])
def test_long_silence_around_the_voice_is_left_out_and_told(
    before: float, after: float, noise: float
) -> None:
    request = Request("a", prompt_audio=voice(before, after, noise), prompt_text="b")
    assert request.prompt_audio is not None
    kept = [KEPT_SILENCE if length > MOST_SILENCE else length for length in (before, after)]
    assert seconds(request.prompt_audio) == pytest.approx(2 + sum(kept), abs=0.05)
    told = [warning for warning in request.warnings if "silence" in warning]
    assert len(told) == (before > MOST_SILENCE) + (after > MOST_SILENCE)


def test_a_voice_without_long_silence_is_kept_as_it_is() -> None:
    sound = voice(0.2, 0.25)
    request = Request("a", prompt_audio=sound, prompt_text="b")
    assert request.prompt_audio is not None and request.warnings == ()
    np.testing.assert_array_equal(request.prompt_audio, sound)


def test_what_is_left_of_a_silent_prompt_has_to_be_long_enough() -> None:
    sound = np.concatenate([SPEECH[: SAMPLE_RATE // 2], np.zeros(3 * SAMPLE_RATE, np.float32)])
    with pytest.raises(UserError, match="prompt audio"):
        Request("a", prompt_audio=sound, prompt_text="b")


def test_silence_is_measured_in_frames() -> None:
    assert silence_around(voice(1.0, 0.5)) == pytest.approx((1.0, 0.5), abs=0.03)
    assert silence_around(np.zeros(100, np.float32)) == (0.0, 0.0)
