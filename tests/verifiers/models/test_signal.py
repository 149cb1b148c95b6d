"""Signal checks: the shipped voices are clean, and each fault is called by its name."""

import json

import numpy as np
import pytest
import soxr

from llasa_core.audio import SAMPLE_RATE, Waveform, loudness_dbfs, read_audio
from llasa_core.voices import VoicePrompt, shipped_voices
from verifiers.base import Target
from verifiers.errors import VerifierError
from verifiers.models.signal import Limits, SignalChecks, count_syllables, measure, silent_frames
from verifiers.registry import check, directions, load
from verifiers.spec import Spec

VOICES = shipped_voices()
JUDGE = SignalChecks()


def spoken(voice: VoicePrompt) -> tuple[Waveform, Target]:
    return read_audio(voice.path), Target(text=voice.text)


def failed(wave: Waveform, target: Target, partial: bool = False) -> list[str]:
    score = JUDGE.score([wave.astype(np.float32)], target, partial)[0]
    assert score.usable
    assert score.value == len(score.evidence["failed"])
    return list(score.evidence["failed"])


def at_level(wave: Waveform, dbfs: float) -> Waveform:
    return (wave * 10 ** ((dbfs - loudness_dbfs(wave)) / 20)).astype(np.float32)


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: voice.name)
def test_the_shipped_voices_pass_with_room(voice: VoicePrompt) -> None:
    wave, target = spoken(voice)
    assert failed(wave, target) == []
    measured = measure(wave, count_syllables(voice.text))
    limits = Limits()
    assert measured.clipped == 0.0
    assert limits.min_dbfs + 6 < measured.dbfs < limits.max_dbfs - 6
    assert abs(measured.dc) < limits.max_dc / 2
    assert measured.silence < limits.max_silence / 2
    assert measured.pause < limits.max_pause / 4
    assert max(measured.leading, measured.trailing) < limits.max_leading / 4
    assert measured.rate is not None
    assert limits.min_rate * 1.8 < measured.rate < limits.max_rate / 1.2


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: voice.name)
def test_each_fault_is_called_by_its_name(voice: VoicePrompt) -> None:
    wave, target = spoken(voice)
    quiet = np.zeros(SAMPLE_RATE, np.float32)
    loudest = np.abs(wave).max()
    assert failed(wave / loudest, target) in ([], ["max_clipped"])
    assert "max_clipped" in failed(np.clip(wave / loudest * 4, -1, 1), target)
    assert failed(at_level(wave, -45.0), target) == ["min_dbfs"]
    assert failed(soxr.resample(wave, 3, 1), target) == ["max_rate"]
    assert failed(soxr.resample(wave, 1, 4), target) == ["min_rate"]
    half = len(wave) // 2
    paused = np.concatenate([wave[:half], *[quiet] * 4, wave[half:]])
    assert failed(paused, target) == ["max_silence", "max_pause"]
    assert failed(np.concatenate([*[quiet] * 4, wave]), target) == ["max_silence", "max_leading"]
    assert failed(np.concatenate([wave, *[quiet] * 4]), target) == ["max_silence", "max_trailing"]
    assert failed(wave + 0.05, target) == ["max_dc"]
    assert failed(np.where(np.arange(len(wave)) < half, wave, 1e-5), target)[0] == "max_silence"


def test_loud_audio_is_a_fault_of_its_own() -> None:
    square = 0.6 * np.sign(np.sin(np.arange(SAMPLE_RATE) * 0.05))
    assert failed(square, Target()) == ["max_dbfs"]


def test_of_partial_audio_the_end_and_the_rate_are_not_judged() -> None:
    wave, target = spoken(VOICES[0])
    start = np.concatenate([wave[:12_000], np.zeros(20_000, np.float32)])
    assert failed(start, target) == ["max_silence", "max_trailing", "max_rate"]
    assert failed(start, target, partial=True) == ["max_silence"]
    assert failed(wave[:12_000], target, partial=True) == []


def test_without_a_text_the_rate_is_not_judged() -> None:
    wave, _ = spoken(VOICES[0])
    fast = soxr.resample(wave, 3, 1).astype(np.float32)
    score = JUDGE.score([fast], Target())[0]
    assert score.value == 0.0
    assert "syllables_per_second" not in score.evidence
    assert JUDGE.score([], Target()) == []


def test_a_batch_gives_what_single_calls_give_in_order() -> None:
    wave, target = spoken(VOICES[1])
    waves = [wave, at_level(wave, -45.0), np.zeros(16_000), wave[:1000], wave + 0.05, np.full(9000, np.nan)]
    waves = [w.astype(np.float32) for w in waves]
    together = JUDGE.score(waves, target)
    assert [s.usable for s in together] == [True, True, False, False, True, False]
    assert [s.value for s in together] == [0.0, 1.0, 10.0, 10.0, 1.0, 10.0]
    assert [s.reason[:20] for s in together if not s.usable] == [
        "the audio is silent",
        "the audio is too sho",
        "the audio has values",
    ]
    for w, score in zip(waves, together, strict=True):
        assert JUDGE.score([w], target)[0] == score
        assert json.loads(json.dumps(score.evidence)) == dict(score.evidence)


def test_a_click_in_digital_silence_and_a_bare_offset_are_silence() -> None:
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[8000:8100] = 0.5
    assert int((~silent_frames(click)).sum()) == 1
    assert failed(click, Target(text="a word")) == ["max_silence", "max_rate"]
    offset = np.full(SAMPLE_RATE, 0.3, np.float32)
    assert measure(offset).silence == 1.0
    assert "max_dc" in failed(offset, Target(text="a word"))


@pytest.mark.parametrize(
    ("text", "language", "syllables"),
    [
        ("the table is late", "en", 5),
        ("hole, whole house", "en", 3),
        ("eighty-four", "en", 3),
        ("你好世界", "zh", 4),
        ("我用 iPhone", "zh", 5),
        ("カメラ", "ja", 3),
        ("한국어", "ko", 3),
        ("où est l'été", "fr", 4),
        ("привет мир", "ru", 4),
        ("?!", "en", 1),
    ],
)
def test_syllables_are_counted_by_script(text: str, language: str, syllables: int) -> None:
    assert count_syllables(text, language) == syllables


def test_the_spec_has_no_source() -> None:
    assert load("signal").spec == "signal"
    strict = load("signal?max_pause=0.05&name=clean")
    assert (strict.spec, strict.name, strict.higher_is_better) == (
        "signal?max_pause=0.05&name=clean",
        "clean",
        False,
    )
    assert load(strict.spec).spec == strict.spec
    assert str(Spec("signal", "", {})) == "signal"
    assert directions("signal") == {"signal": False}
    wave, target = spoken(VOICES[0])
    assert strict.score([wave], target)[0].evidence["failed"] == ["max_pause"]
    without = load("signal:?max_rate=inf")
    assert without.spec == "signal?max_rate=inf"
    assert without.score([soxr.resample(wave, 3, 1).astype(np.float32)], target)[0].value == 0.0
    for spec, says in (
        ("signal:folder", "no source 'folder'"),
        ("signal?max_pauze=1", "did you mean 'max_pause'"),
        ("signal?max_pause=nan", "has to be a number"),
        ("signal?max_pause=long", "max_pause=long of signal"),
    ):
        with pytest.raises(VerifierError, match=says):
            check(spec)
