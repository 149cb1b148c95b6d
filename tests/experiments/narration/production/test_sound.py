"""Trimming, levels, the limiter, and words in time."""

from __future__ import annotations

from importlib import metadata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.narration.book import letters
from experiments.narration.production.captions import sentences_of, srt
from experiments.narration.production.loudness import (
    RATE,
    Loudness,
    limited,
    lufs,
    parse_loudness,
    true_peak,
)
from experiments.narration.production.mastering import (
    LOUDEST_TONE,
    TONE_BINS,
    Mastered,
    at_rate,
    mastered,
    pause,
)
from experiments.narration.production.meter import Meter
from experiments.narration.production.trimming import FRAME, LEAD, TAIL, cut, edges, levels
from experiments.narration.production.words import Timed, as_written, spread, tokens
from llasa_core.audio import SAMPLE_RATE, Waveform, read_audio
from llasa_core.voices import shipped_voices

VOICES = shipped_voices()


def _prompt(number: int) -> Waveform:
    return read_audio(VOICES[number].path)


@pytest.mark.parametrize("number", range(0, len(VOICES), 3))
@pytest.mark.parametrize("around", [(0.0, 0.0), (0.7, 1.3), (2.0, 0.01)])
def test_silence_is_trimmed_to_a_known_length_and_no_sound_is_cut(
    number: int, around: tuple[float, float]
) -> None:
    speech = _prompt(number)
    own = edges(speech)
    before, behind = (np.zeros(round(one * SAMPLE_RATE), np.float32) for one in around)
    padded = np.concatenate([before, speech, behind])
    found = edges(padded)
    assert abs(found.begins - len(before) - own.begins) <= 3 * FRAME
    assert abs(found.ends - len(before) - own.ends) <= 3 * FRAME
    kept = cut(padded, found)
    lost = np.square(padded, dtype=np.float64).sum() - np.square(kept, dtype=np.float64).sum()
    assert lost <= 1e-4 * np.square(padded, dtype=np.float64).sum()
    sound = np.flatnonzero(np.abs(kept) > 0.02 * np.abs(kept).max())
    assert LEAD - 0.02 <= sound[0] / SAMPLE_RATE <= LEAD + 0.15
    assert TAIL - 0.02 <= (len(kept) - sound[-1]) / SAMPLE_RATE <= TAIL + 0.25


def test_a_weak_consonant_at_the_end_is_kept() -> None:
    """30 dB below the vowel, as an "f" is."""
    random = np.random.default_rng(0)
    vowel = 0.3 * np.sin(2 * np.pi * 140 * np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE)
    weak = random.normal(0, 0.3 / np.sqrt(2) * 10 ** (-30 / 20), SAMPLE_RATE // 8)
    noise = random.normal(0, 1e-4, 2 * SAMPLE_RATE)
    wave = noise.copy()
    wave[8_000:16_000] += vowel
    wave[16_000:18_000] += weak
    found = edges(wave.astype(np.float32))
    assert found.ends >= 18_000 + round(TAIL * SAMPLE_RATE) - FRAME
    assert found.begins <= 8_000


@pytest.mark.parametrize("target", [-16.0, -18.0, -23.0])
def test_every_chunk_is_as_loud_as_the_target(target: float) -> None:
    loudness = Loudness("ebu", target, -1.0)
    for number in range(0, len(VOICES), 2):
        found = mastered(_prompt(number), loudness)
        assert lufs(found.samples) == pytest.approx(target, abs=0.3)
        assert true_peak(found.samples) <= -0.99


def test_a_mastered_chunk_is_the_take_but_for_its_level() -> None:
    speech = _prompt(0)
    found = mastered(speech, parse_loudness("none"))
    whole = at_rate(cut(speech, edges(speech)))
    inside = slice(RATE // 100, -RATE // 100)
    assert np.array_equal(found.samples[inside], whole[inside])


def test_the_limiter_holds_true_peaks_and_leaves_the_rest() -> None:
    samples = at_rate(_prompt(1))
    samples = samples / np.abs(samples).max() * 0.5
    samples[len(samples) // 2 : len(samples) // 2 + 40] *= 6
    found = limited(samples, -3.0)
    assert true_peak(found) <= -2.95
    changed = np.flatnonzero(found != samples)
    assert changed[0] >= len(samples) // 2 - RATE // 50 and changed[-1] <= len(samples) // 2 + 40 + RATE // 50
    assert np.array_equal(limited(samples, 12.0), samples)


def test_the_meter_measures_in_blocks_what_pyloudnorm_measures_at_once() -> None:
    samples = np.concatenate([at_rate(_prompt(number)) for number in range(5)])
    meter = Meter()
    random = np.random.default_rng(1)
    place = 0
    while place < len(samples):
        size = int(random.integers(1, 40_000))
        meter.write(samples[place : place + size])
        place += size
    found = meter.levels
    assert found.lufs == pytest.approx(pyloudnorm.Meter(RATE).integrated_loudness(samples), abs=0.05)
    assert found.rms == pytest.approx(10 * np.log10(np.mean(np.square(samples, dtype=np.float64))), abs=1e-3)
    assert found.peak == pytest.approx(true_peak(samples), abs=0.1)
    assert found.seconds == pytest.approx(len(samples) / RATE)


def _said(text: str) -> list[Timed]:
    return spread(tokens(text), 0.0, float(len(tokens(text))))


@pytest.mark.parametrize(
    ("written", "spoken", "expected"),
    [
        ("Dr. Lee left.", "Doctor Lee left.", [("Dr.", 0, 6), ("Lee", 6, 9), ("left.", 9, 13)]),
        (
            "It cost $2.50 then.",
            "It cost two dollars fifty then.",
            [("It", 0, 2), ("cost", 2, 6), ("$2.50", 6, 21), ("then.", 21, 25)],
        ),
        ("他来了。", "他来了。", [("他", 0, 1), ("来", 1, 2), ("了。", 2, 3)]),
    ],
)
def test_written_words_last_as_long_as_what_is_said_for_them(
    written: str, spoken: str, expected: list[tuple[str, int, int]]
) -> None:
    words = tokens(spoken)
    said = spread(words, 0.0, float(sum(len(letters(word)) for word in words)))
    found = as_written(written, said)
    assert [(one.text, round(one.begins), round(one.ends)) for one in found] == expected


@given(st.text("ab 1.,—“”'他来", max_size=40), st.text("ab 1.,—“”'他来", max_size=40))
def test_every_written_word_has_a_time_and_they_stand_in_order(written: str, spoken: str) -> None:
    found = as_written(written, _said(spoken))
    assert [one.text for one in found] == tokens(written)
    assert all(one.begins <= one.ends for one in found)
    assert all(a.begins <= b.begins for a, b in pairwise(found))


@given(st.text(max_size=60))
def test_tokens_keep_every_character_but_white_space(text: str) -> None:
    if letters(text):
        assert letters("".join(tokens(text))) == letters(text)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("“Stop!” “No!”", ["“Stop!”", "“No!”"]),
        ("“Stop!”“No!” He left.", ["“Stop!” “No!”", "He left."]),  # one word in two sentences
        ("He came. — “Yes.” …", ["He came.", "— “Yes.” …"]),
        ("他来了。她走了。", ["他来了。", "她走了。"]),
    ],
)
def test_every_sentence_has_its_words(written: str, expected: list[str]) -> None:
    found = sentences_of(written, _said(written), "zh" if "他" in written else "en")
    assert [one.text for one in found] == expected
    assert [word.text for one in found for word in one.words] == tokens(written)


def test_a_caption_has_lines_of_equal_length() -> None:
    text = "The quick brown fox jumps over the lazy dogs and."
    cue = srt([Timed(text, 0.0, 2.0)]).splitlines()[2:]
    assert cue == ["The quick brown fox jumps", "over the lazy dogs and."]


def test_the_tones_of_both_sides_of_a_pause_are_no_louder_than_one() -> None:
    tone = np.full(TONE_BINS, 10 ** (LOUDEST_TONE / 20))
    side = Mastered(np.zeros(1, np.float32), 0.0, 0.0, 0.0, tone)
    for parts in np.array_split(pause(RATE, side, side)[RATE // 50 : -RATE // 50], 10):
        assert 20 * np.log10(np.sqrt(np.mean(np.square(parts)))) == pytest.approx(LOUDEST_TONE, abs=0.6)


HUMAN = ("beckett", "endgame_nagg_nell", "two_cities", "clone-test")


def _human(name: str) -> Path | None:
    try:
        package = metadata.distribution("moonshine-voice")
    except metadata.PackageNotFoundError:
        return None
    return Path(str(package.locate_file(f"moonshine_voice/assets/{name}.wav")))


@pytest.mark.skipif(_human("beckett") is None, reason="moonshine-voice is not installed")
@pytest.mark.parametrize("name", HUMAN)
def test_human_recordings_are_not_cut(name: str) -> None:
    """Of the energy of the frames within 40 dB of the loudest, all is between the edges."""
    file = _human(name)
    assert file is not None
    speech = read_audio(file)[: 30 * SAMPLE_RATE]
    found = edges(speech)
    found_levels = levels(speech)
    loud = np.flatnonzero(found_levels > found_levels.max() - 40)
    assert found.begins <= loud[0] * FRAME and found.ends >= (loud[-1] + 1) * FRAME
