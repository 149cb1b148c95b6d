"""Text: what is spoken, what is compared, and how long it will take.

`check_text` refuses what holds nothing to say; `spoken_form` reads numbers, dates, signs and abbreviations
as words; `compare` finds the errors of a transcript; `predict_seconds` and `unreadable` tell before any work
what will not fit. Nothing here needs a model.
"""

from llasa_core.text.check import check_markers, check_text, no_character
from llasa_core.text.language import base_language, language
from llasa_core.text.spoken import Change, SpokenText, as_written, spoken_form

__all__ = [
    "Change",
    "SpokenText",
    "as_written",
    "base_language",
    "check_markers",
    "check_text",
    "language",
    "no_character",
    "spoken_form",
]
