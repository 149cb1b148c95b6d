"""Emotion by prosody: what is measured, the table, flat readings, the baseline, what cannot be judged."""

from dataclasses import asdict, replace
from importlib.util import find_spec

import numpy as np
import pytest

from experiments.bench.prosody import WAYS, moved
from experiments.human_speech import human_readers
from llasa_core.audio import SAMPLE_RATE, Waveform, read_audio
from llasa_core.voices import find_voice, shipped_voices
from verifiers import catalogue, registry
from verifiers.base import Score, Target
from verifiers.errors import VerifierError
from verifiers.models.prosody import FLAT_SEMITONES, probabilities, table
from verifiers.models.prosody_cues import Change, change, measure
from verifiers.shared import loading
from verifiers.shared.emotions import EMOTIONS

pytestmark = pytest.mark.skipif(find_spec("librosa") is None, reason="librosa is not installed")
NEUTRAL = read_audio(find_voice("slt").path)
TARGET = Target(reference=NEUTRAL, emotion="happy")
STYLED = [voice for voice in shipped_voices() if voice.style != "neutral"]


def spoken(seconds: float = 3.0, hz: float = 150.0, semitones: float = 3.0, pace: float = 4.0) -> Waveform:
    """A buzz of syllables: so many semitones up and down around a pitch, once a second; so many syllables in
    a second."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = hz * 2 ** (semitones * np.sin(2 * np.pi * time) / 12)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    buzz = sum(np.sin(k * phase) / k for k in range(1, 11))
    loud = 0.55 - 0.45 * np.cos(2 * np.pi * pace * time)
    return (0.1 * buzz * loud).astype(np.float32)


def score(waveform: Waveform, target: Target = TARGET) -> Score:
    return registry.load("prosody").score([waveform], target)[0]


def neutral_of(name: str) -> Waveform:
    return read_audio(find_voice(name.partition("-")[0]).path)


@pytest.mark.parametrize(
    ("hz", "semitones", "pace"), [(150.0, 3.0, 4.0), (95.0, 1.5, 3.0), (240.0, 5.0, 6.0)]
)
def test_pitch_range_level_and_pace_are_those_of_the_sound(hz: float, semitones: float, pace: float) -> None:
    wave = spoken(3.0, hz, semitones, pace)
    found = measure(wave)
    assert found.pitch == pytest.approx(12 * np.log2(hz), abs=0.3)
    # The 10th and the 90th percentile of a sine are at 0.95 of its depth.
    assert found.range == pytest.approx(2 * 0.95 * semitones, abs=0.5)
    assert found.pace == pytest.approx(pace, rel=0.1)
    assert found.voiced == pytest.approx(3.0, abs=0.3) and found.share > 0.9
    louder = change(found, measure(wave * np.float32(2)))
    assert asdict(louder) == pytest.approx({"pitch": 0, "range": 0, "level": 6.02, "pace": 0}, abs=0.01)


def test_a_change_that_a_library_makes_is_found() -> None:
    before = measure(NEUTRAL)
    for emotion, (semitones, level) in WAYS.items():
        found = change(before, measure(moved(NEUTRAL, emotion, 1.0)))
        assert found.pitch == pytest.approx(semitones, abs=0.3)
        assert found.range == pytest.approx(0, abs=0.2)
        assert found.level == pytest.approx(level, abs=0.5)
        assert found.pace == pytest.approx(semitones / 12, abs=0.15)


def test_the_table_has_names_that_are_known_and_all_cues() -> None:
    cues = set(asdict(Change(0, 0, 0, 0)))
    assert set(table()["emotions"]) < set(EMOTIONS)
    assert all(set(directions) == cues for directions in table()["emotions"].values())
    assert set(table()["spread"]) == cues


@pytest.mark.parametrize("emotion", ["angry", "fearful", "happy", "sad"])
def test_going_farther_in_the_direction_of_an_emotion_makes_it_likelier(emotion: str) -> None:
    directions, spread = table()["emotions"][emotion], table()["spread"]
    steps = [
        probabilities(Change(**{cue: step * directions[cue] * spread[cue] for cue in spread}))
        for step in (-2.0, -1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 2.9)
    ]
    values = [found[emotion] for found in steps]
    assert values == sorted(values) and len(set(values)) == len(values)
    assert max(steps[-1], key=steps[-1].__getitem__) == emotion
    assert max(steps[2], key=steps[2].__getitem__) == "neutral"
    assert all(sum(found.values()) == pytest.approx(1) for found in steps)


@pytest.mark.parametrize("emotion", list(WAYS))
def test_the_score_rises_as_a_library_changes_the_speech_more(emotion: str) -> None:
    """The shipped voice, and a human reader where there is one."""
    for pieces in [[NEUTRAL], *(own[:1] for own in human_readers(4.0)[:2])]:
        target = Target(reference=pieces[0], emotion=emotion)
        values = [score(moved(pieces[0], emotion, step), target).value for step in (0.0, 0.5, 1.0, 1.5, 2.0)]
        assert values == sorted(values)
        assert values[0] < 0.1 and values[-1] > {"happy": 0.3, "sad": 0.9}[emotion]


@pytest.mark.parametrize("voice", STYLED, ids=lambda voice: voice.name)
def test_shipped_styles_are_told_from_neutral_speech_and_up_from_down(voice: object) -> None:
    name, style = voice.name, voice.style  # type: ignore[attr-defined]
    own = Target(reference=neutral_of(name), emotion=style)
    found = score(read_audio(find_voice(name).path), own)
    assert (found.evidence["label"] == "sad") == (style == "sad")
    assert found.value > score(neutral_of(name), own).value


def test_evidence_says_what_was_found() -> None:
    found = score(read_audio(find_voice("slt-happy").path))
    chances = found.evidence["probabilities"]
    assert list(chances) == ["angry", "fearful", "happy", "neutral", "sad"]
    assert found.value == pytest.approx(chances["happy"], abs=1e-5)
    assert found.evidence["delta_pitch"] == pytest.approx(3.6, abs=0.5)
    assert found.evidence["delta_level"] == pytest.approx(2.3, abs=0.7)
    assert found.evidence["flat"] == ""
    assert set(found.evidence) >= {"seconds", "voiced_seconds", "delta_range", "delta_pace", "range", "label"}


def test_a_flat_reading_is_no_emotion_but_sadness() -> None:
    lively = Target(reference=spoken(hz=120), emotion="happy")
    flat = spoken(hz=170, semitones=0.2, pace=5) * np.float32(2)
    found = score(flat, lively)
    assert found.value <= 0.2
    assert found.evidence["flat"].startswith("the pitch stays within 0.") and FLAT_SEMITONES == 1.0
    for emotion in ("angry", "fearful", "neutral"):
        assert score(flat, replace(lively, emotion=emotion)).value <= 0.2
    low = spoken(hz=100, semitones=0.2, pace=3) * np.float32(0.5)
    assert score(low, replace(lively, emotion="sad")).value > 0.8


def test_a_reading_that_is_hardly_voiced_is_flat() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE).astype(np.float32)
    found = score(np.concatenate([spoken(1.0, hz=250, semitones=5), noise]))
    assert found.usable and found.value <= 0.2
    assert found.evidence["flat"].endswith("% of the speech is voiced")


def test_without_voiced_speech_nothing_can_be_judged() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * SAMPLE_RATE).astype(np.float32)
    found = score(noise)
    assert (found.usable, found.value, found.short) == (False, 0.0, False)
    assert "s are voiced, at least 0.5 s needed" in found.reason
    brief = score(np.pad(spoken(0.4), (0, SAMPLE_RATE)))
    assert not brief.usable and brief.short
    with pytest.raises(
        VerifierError, match=r"reference voice cannot be used \(only 0.* s are voiced"
    ) as caught:
        score(NEUTRAL, replace(TARGET, reference=noise))
    assert "\n" not in str(caught.value)


def test_the_neutral_recording_stands_before_the_reference() -> None:
    """A prompt in a style is no measure of itself."""
    sad = read_audio(find_voice("slt-sad").path)
    target = Target(reference=sad, emotion="sad")
    assert score(sad, target).value < 0.1
    assert score(sad, replace(target, neutral=NEUTRAL)).value > 0.8
    with pytest.raises(VerifierError, match="neutral recording cannot be used"):
        score(sad, replace(target, neutral=np.zeros(16_000, np.float32)))


@pytest.mark.parametrize("name", ["joy", "开心", " HAPPY "])
def test_an_emotion_goes_by_any_of_its_names(name: str) -> None:
    wave = read_audio(find_voice("slt-happy").path)
    assert score(wave, replace(TARGET, emotion=name)).value == score(wave).value


@pytest.mark.parametrize("name", ["surprised", "hapy", ""])
def test_an_emotion_that_the_table_lacks_is_refused_at_once(name: str) -> None:
    with pytest.raises(VerifierError, match=r"\(there are angry, fearful, happy, neutral, sad\)"):
        registry.load("prosody").score([], replace(TARGET, emotion=name))


def test_the_catalogue_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert registry.directions("prosody") == {"prosody": True}
    assert registry.needs("prosody") == ("emotion", "reference")
    assert "Juslin and Laukka 2003" in catalogue.release("prosody").licence
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    with pytest.raises(VerifierError, match=r"pip install 'llasa-search\[prosody\]'"):
        registry.check("prosody")
