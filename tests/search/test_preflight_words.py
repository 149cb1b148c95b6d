"""Texts that will not fit or cannot be read are refused before any weights are loaded."""

import pytest

from llasa_core.errors import UserError
from llasa_core.presets import find_preset, resolve_source
from llasa_core.request import Request
from search.preflight import check_prompt, predicted_seconds, unread_letters

NANO = resolve_source(find_preset("nano").generator)
SENTENCE = "The old man carried a heavy basket of apples across the narrow bridge. "


@pytest.mark.parametrize("count", [5, 20, 60])
def test_a_text_that_takes_too_long_is_refused(count: int) -> None:
    with pytest.raises(UserError, match=r"(takes about [\d.]+ s to say|text and voice prompt take).* split"):
        check_prompt(NANO, Request(SENTENCE * count), max_seconds=8.0)


def test_more_seconds_are_offered_where_the_model_has_them() -> None:
    with pytest.raises(UserError, match="allow more with --max-seconds"):
        check_prompt(NANO, Request(SENTENCE), max_seconds=1.0)
    assert check_prompt(NANO, Request(SENTENCE), max_seconds=8.0) > 0


def test_numbers_count_as_they_are_spoken() -> None:
    assert predicted_seconds(NANO, Request("1,234,567")) > 2 * predicted_seconds(NANO, Request("seven"))


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("こんにちは", "Hiragana"),
        ("привет", "Cyrillic"),
        ("say \u03b3\u03b5\u03b9\u03ac now", "Greek"),
        ("안녕", "Hangul"),
    ],
)
def test_a_script_that_the_model_cannot_read_is_named(text: str, script: str) -> None:
    with pytest.raises(UserError, match=rf"^the model cannot read .*{script}") as found:
        check_prompt(NANO, Request(text))
    assert "\n" not in str(found.value)


def test_single_letters_that_are_left_out_are_named() -> None:
    assert "ø" in unread_letters(NANO, ["Søren met Æsop at the café."])
    assert unread_letters(NANO, ["Every café has naïve guests."]) == ""
    check_prompt(NANO, Request("Søren is here."))
