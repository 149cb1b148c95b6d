"""Searches with the nano models: signs in the text neither cost tokens nor decide the winner."""

import numpy as np
import pytest

from llasa_core.audio import SAMPLE_RATE, read_audio
from llasa_core.request import Request
from llasa_core.voices import find_voice
from search.engine import Searcher

PAIRS = [
    ("The train is late—again.", "The train is late again."),
    ("The old man…the green key.", "The old man the green key."),
    ("The bird/the ship is white.", "The bird the ship is white."),
    ("We saw it\u2013then it was gone.", "We saw it then it was gone."),
    ("'The morning train is late.'", "The morning train is late."),
    ("The old king\u00ad saw a ship\u200b.", "The old king saw a ship."),
    ("• The key is on the wall ™", "The key is on the wall"),
    ("The \ufb01re is red.", "The fire is red."),
    ("“Seven birds,” he said.", "Seven birds, he said."),
    ("The river -- the old river -- is wide.", "The river the old river is wide."),
]
STRATEGIES = ("adaptive?n=8&select=wer<=0,sim", "repair?first=4&n=2&rounds=2&select=wer<=0,sim")


def asked(text: str) -> Request:
    voice = find_voice(None)
    return Request(text, prompt_audio=read_audio(voice.path), prompt_text=voice.text, seed=1)


def compare_costs(searcher: Searcher, pairs: list[tuple[str, str]]) -> None:
    for strategy in STRATEGIES:
        for signs, plain in pairs:
            first, second = (searcher.run(asked(text), strategy) for text in (signs, plain))
            assert first.ledger.tokens_generated == second.ledger.tokens_generated, (signs, strategy)
            assert first.tokens == second.tokens
            assert first.scores["wer"].value == second.scores["wer"].value


def test_dashes_and_other_signs_cost_what_spaces_cost(nano: Searcher) -> None:
    compare_costs(nano, PAIRS[:2])


@pytest.mark.slow
def test_twenty_searches_with_signs_cost_what_they_cost_with_spaces(nano: Searcher) -> None:
    compare_costs(nano, PAIRS)


@pytest.mark.parametrize("text", ["No.", "I."])
@pytest.mark.parametrize("strategy", ["best-of-n?n=8", "adaptive?n=8&select=wer<=0,sim"])
def test_a_right_word_is_not_thrown_away_for_being_short(nano: Searcher, text: str, strategy: str) -> None:
    result = nano.run(asked(text), strategy)
    best = min(candidate.scores["wer"].value for candidate in result.candidates)
    assert result.scores["wer"].value == best == 0


def test_digits_of_the_prompt_text_are_spelled(nano: Searcher) -> None:
    voice = find_voice(None)
    sound = read_audio(voice.path)
    digits = Request("The key.", prompt_audio=sound, prompt_text="We have 12 birds.")
    words = Request("The key.", prompt_audio=sound, prompt_text="We have twelve birds.")
    assert nano.run(digits, "best-of-n?n=1").tokens == nano.run(words, "best-of-n?n=1").tokens


def test_silence_behind_the_prompt_changes_little(nano: Searcher) -> None:
    """The prompt keeps 0.15 s of the silence, whatever its length."""
    voice = find_voice(None)
    sound = read_audio(voice.path)
    results = [
        nano.run(
            Request(
                "The morning train is late.",
                prompt_audio=np.concatenate([sound, np.zeros(round(length * SAMPLE_RATE), np.float32)]),
                prompt_text=voice.text,
            ),
            "best-of-n?n=4",
        )
        for length in (1.0, 3.0)
    ]
    assert results[0].tokens == results[1].tokens
    assert all("silence at the end" in result.request.warnings[0] for result in results)
