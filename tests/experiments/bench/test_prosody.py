"""What the prosody verifier measures of speech whose prosody is known: the tables, and bad options."""

from importlib.util import find_spec

import numpy as np
import pytest

from experiments.bench import prosody
from llasa_core.audio import read_audio
from llasa_core.voices import find_voice


@pytest.mark.slow
@pytest.mark.skipif(find_spec("librosa") is None, reason="librosa is not installed")
def test_the_tables_are_of_readers_and_of_shipped_styles(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    voice = read_audio(find_voice("slt").path)
    halves = [voice[:28_000], voice[28_000:]]
    monkeypatch.setattr(prosody, "human_readers", lambda longest: [halves, [np.zeros(32_000, np.float32)]])
    monkeypatch.setattr(prosody, "STEPS", (0.0, 2.0))
    assert prosody.main([]) == 0
    out = capsys.readouterr().out
    assert "3 pieces of 2 human readers, 6 s" in out and "ms for a second of speech" in out
    for words in ("Spread", "pitch", "Changed", "1.00 of 1", "Styles", "slt-sad", "kit-happy"):
        assert words in out
    assert "nan" not in out


def test_bad_options_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert prosody.main(["--longest", "nan"]) == 2
    assert capsys.readouterr().err.startswith("error: --longest nan is no number")
