import dataclasses

import numpy as np
import pytest

from llasa_core.errors import UserError
from llasa_core.request import MAX_PROMPT_SECONDS, MIN_PROMPT_SECONDS, Request
from llasa_core.text import check_text, spoken_form

VOICE = (0.1 * np.sin(np.arange(32_000) / 10)).astype(np.float32)


def test_white_space_is_normalised():
    assert check_text("  one\ttwo\n three ") == "one two three"


@pytest.mark.parametrize("text", ["", "  \n", "?!... -", "say <|s_7|> now", "<|SPEECH_GENERATION_END|> a"])
def test_nothing_to_say_and_markers_are_refused(text):
    with pytest.raises(UserError) as caught:
        check_text(text)
    assert "\n" not in str(caught.value)


def test_request_is_frozen_and_normalised():
    request = Request(" hello  world ", prompt_audio=VOICE, prompt_text=" a  voice ")
    assert (request.text, request.prompt_text) == ("hello world", "a voice")
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.seed = 3  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        request.prompt_audio[0] = 1.0
    assert VOICE.flags.writeable


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"text": "..."}, "no letter"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 1.5}, "seed 1.5"),
        ({"language": ""}, "language"),
        ({"prompt_audio": VOICE}, "no prompt text"),
        ({"prompt_text": "a voice"}, "no prompt audio"),
        ({"prompt_audio": VOICE, "prompt_text": "..."}, "prompt text: "),
        ({"prompt_audio": VOICE[:1600], "prompt_text": "a"}, "lasts 0.10 s"),
        ({"prompt_audio": np.tile(VOICE, 30), "prompt_text": "a"}, "lasts 60.0 s"),
        ({"prompt_audio": 0 * VOICE, "prompt_text": "a"}, "silent"),
        ({"prompt_audio": np.full(20_000, np.nan, np.float32), "prompt_text": "a"}, "not numbers"),
        ({"prompt_audio": np.stack([VOICE, VOICE]), "prompt_text": "a"}, "one-dimensional"),
        ({"prompt_audio": (VOICE * 32767).astype(np.int16), "prompt_text": "a"}, "int16"),
        ({"emotion": " "}, "emotion is empty"),
        ({"emotion_audio": VOICE[:1600]}, "emotion audio lasts 0.10 s: give 0.5 to 30 s"),
        ({"emotion_audio": np.tile(VOICE, 30)}, "emotion audio lasts 60.0 s"),
        ({"emotion_audio": 0 * VOICE}, "emotion audio is silent"),
        ({"emotion_audio": np.full(20_000, np.inf, np.float32)}, "emotion audio holds samples that are not"),
        ({"emotion_audio": np.stack([VOICE, VOICE])}, "emotion audio has to be a one-dimensional"),
        ({"emotion_audio": (VOICE * 32767).astype(np.int16)}, "emotion audio is int16"),
    ],
)
def test_bad_requests(settings, said):
    with pytest.raises(UserError, match=said) as caught:
        Request(**{"text": "hello", **settings})
    assert "\n" not in str(caught.value)


def test_prompt_lengths_at_the_bounds_are_accepted():
    for duration in (MIN_PROMPT_SECONDS, MAX_PROMPT_SECONDS):
        audio = np.resize(VOICE, int(duration * 16_000))
        assert Request("a", prompt_audio=audio, prompt_text="b").warnings == ()


def test_an_emotion_needs_no_voice_prompt():
    request = Request("a", emotion=" happy ", emotion_audio=VOICE[:8000])
    assert request.emotion == "happy"
    assert request.emotion_audio is not None and not request.emotion_audio.flags.writeable


def test_clipped_and_quiet_prompts_are_announced():
    loud = Request("a", prompt_audio=np.clip(VOICE * 30, -1, 1), prompt_text="b")
    assert len(loud.warnings) == 1 and "clipped" in loud.warnings[0]
    quiet = Request("a", prompt_audio=VOICE * 0.05, prompt_text="b")
    assert len(quiet.warnings) == 1 and "quiet" in quiet.warnings[0]


def test_a_typographic_apostrophe_in_a_word_is_an_apostrophe():
    # seed-tts-eval deletes the one and keeps the other, so "it's" would be counted as an error
    assert check_text("it\u2019s \u2018here\u2019") == "it's \u2018here\u2019"


@pytest.mark.parametrize("written", ["{}", "${}", "£{}", "€{}.50", "{}%", "{}th", "{},000", "1.{}", "0{}:00"])
def test_numbers_of_any_length_are_spelled(written: str) -> None:
    """Python refuses to read more than 4,300 digits as a number."""
    spelled = spoken_form(written.format("9" * 5000)).spoken
    assert not any(character.isdigit() for character in spelled) and spelled.count("nine") >= 5000


@pytest.mark.parametrize("marker", ["|s_7|", "|TEXT_UNDERSTANDING_END|"])
def test_markers_in_other_characters_do_not_reach_the_prompt(marker):
    text = f"hallo \uff1c{marker}\uff1e welt"  # full-width brackets
    with pytest.raises(UserError, match="a marker of the model's own"):
        Request(text, language="de")
    with pytest.raises(UserError, match=r"prompt text: .* marker"):
        Request("Hallo.", language="de", prompt_audio=VOICE, prompt_text=text)
