"""Text before it is spoken: what is refused, and white space."""

import re

from llasa_core.errors import UserError

_APOSTROPHE = re.compile(r"(?<=[A-Za-z])\u2019(?=[A-Za-z])")
_MARKER = re.compile(r"<\|[^<>|]*\|>")


def no_character(text: str) -> str | None:
    """The first code point in the text that is no character: half of a surrogate pair, a NUL, or a
    non-character such as U+FFFE. None if there is none."""
    for character in text:
        code = ord(character)
        if code == 0 or 0xD800 <= code <= 0xDFFF or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE:
            return f"U+{code:04X}"
    return None


def check_text(text: str) -> str:
    """The text with its white space normalised, and typographic apostrophes within words as the typewriter's.

    Raises UserError if there is nothing to say (empty, or punctuation only), and for a text that holds a
    code point that is no character, or one of the model's own markers such as `<|s_7|>`, which would break
    the prompt.
    """
    if not isinstance(text, str):
        raise UserError(f"the text has to be a string, not {type(text).__name__}: give the words to speak")
    text = _APOSTROPHE.sub("'", " ".join(text.split()))
    if code := no_character(text):
        raise UserError(f"the text holds {code}, which is no character: write it as UTF-8 again")
    if not text:
        raise UserError("the text is empty: give the words to speak")
    if not any(character.isalnum() for character in text):
        raise UserError(f"the text {text[:40]!r} holds no letter or digit: give words to speak")
    check_markers(text)
    return text


def check_markers(text: str) -> None:
    """Raises UserError for a marker of the model's own, which the spoken form may have even where the text
    has it in other characters."""
    if marker := _MARKER.search(text):
        raise UserError(f"the text holds {marker.group()!r}, a marker of the model's own: remove it")
