"""The engine as it is called from Python, with the shipped models."""

import pytest

from llasa_core.audio import read_audio
from llasa_core.errors import UserError
from llasa_core.request import Request
from llasa_core.voices import find_voice
from search.engine import Searcher

TEXT = "The morning train is late."


def test_a_spec_is_enough_and_metrics_are_those_of_the_loaded_verifiers() -> None:
    with Searcher.from_preset("nano", verifiers=["whisper:nano"], judges=["hubert-ctc"]) as searcher:
        result = searcher.run(Request(TEXT), "best-of-n?n=2")
        again = searcher.run(Request(TEXT), {"name": "best-of-n", "n": 2})
        assert result.manifest["strategy"] == {
            "name": "best-of-n",
            "n": 2,
            "wide": 4,
            "select": "wer",
            "verifiers": ["wer"],
        }
        assert result.tokens == again.tokens
        assert result.directions == {"wer": False, "hubert-ctc:nano": False}
        with pytest.raises(UserError, match="no strategy 'best-of': did you mean 'best-of-n'"):
            searcher.run(Request(TEXT), "best-of?n=2")
        with pytest.raises(UserError, match="n=1000000000 of best-of-n: has to be at most 4096"):
            searcher.run(Request(TEXT), "best-of-n?n=1000000000")


def test_a_request_without_a_voice_is_told_what_to_add_or_drop(nano: Searcher) -> None:
    with pytest.raises(UserError) as found:
        nano.run(Request(TEXT), "best-of-n?n=2")
    assert str(found.value) == (
        "wavlm-sv:nano compares with a voice, and the request has none: give the request prompt_audio and "
        "prompt_text, or load the models without this verifier or judge"
    )


def test_a_text_without_room_is_refused_before_it_is_spoken(nano: Searcher) -> None:
    voice = find_voice(None)
    long = Request("He saw a ship. " * 25, prompt_audio=read_audio(voice.path), prompt_text=voice.text)
    with pytest.raises(UserError, match=r"takes about \d+\.\d s to say.*split it"):
        nano.run(long, "best-of-n?n=2")
