"""The check of the second edition's voices: what is drawn, measured and reported."""

from collections import Counter

import numpy as np
import pytest

import verifiers
from experiments.nano.data.corpus import Utterance
from experiments.nano.data.extra import store
from experiments.nano.second import voices
from experiments.nano.second.check import Clip, Heard, draw, likeness, listen, report, styles_told
from experiments.nano.second.corpus import Shards, hops
from verifiers.models import ge2e

RATE = 16_000


def _clip(voice, style, hertz, seconds=2.0, seed=0):
    """A buzz with a formant at ten times its pitch."""
    times = np.arange(int(RATE * seconds)) / RATE
    noise = np.random.default_rng(seed).normal(0, 0.002, len(times))
    partials = sum(np.sin(2 * np.pi * hertz * k * times) / (1 + abs(k - 10)) for k in range(1, 25))
    samples = (0.1 * partials + noise).astype(np.float32)
    return Clip("a buzz", voice, style, samples, np.full(hops(len(samples)), hertz, np.float32))


def _heard(voice, style, wer=0.0, settings=(84.0, 5.0, 12.0, -20.0)):
    return Heard("", voice, style, "a text", "a text", wer, 3.0, list(settings))


@pytest.fixture
def shards(tmp_path):
    rows = []
    for style, kind, count in (("neutral", "example", 9), ("sad", "fortune", 2), ("happy", "word", 5)):
        for k in range(count):
            samples = np.full(2000 + k, 100 * k, np.int16)
            rows.append((Utterance(f"{kind} {k}", kind, "joe1", style, "train", 0, len(samples)), samples))
    folder = tmp_path / "0000"
    folder.mkdir()
    np.save(folder / "pitch.npy", np.concatenate([np.full(hops(len(s)), 100.0) for _, s in rows]))
    store(folder, rows)
    return Shards(tmp_path)


def test_clips_are_whole_texts_even_over_the_styles(shards):
    clips = draw(shards, ["joe1"], 6, seed=3)
    assert Counter(clip.style for clip in clips) == {"neutral": 4, "sad": 2}
    assert len({(clip.text, clip.style) for clip in clips}) == 6
    for clip in clips:
        assert not clip.text.startswith("word")
        assert len(clip.pitch) == hops(len(clip.samples))
    assert [clip.text for clip in clips] == [clip.text for clip in draw(shards, ["joe1"], 6, seed=3)]


def test_settings_of_a_clip():
    times = np.arange(2 * RATE) / RATE
    pitch = np.repeat([0.0, 100.0, 100.0, 200.0, 200.0], 20).astype(np.float32)
    clip = Clip("it's a test", "joe1", "sad", (0.1 * np.sin(600 * times)).astype(np.float32), pitch)
    middle, spread, pace, level = clip.settings()
    assert 12 * np.log2(100) <= middle <= 12 * np.log2(200)
    assert spread == pytest.approx(12)
    assert pace == 8 / 2
    assert level == pytest.approx(-23.01, abs=0.05)


def test_styles_are_told_by_what_differs():
    steps = dict(zip(voices.STYLES, range(4), strict=True))
    own = {"joe1": 80.0, "slt1": 92.0, "rms1": 77.0}
    apart = [
        _heard(voice, style, settings=(middle + 3 * step, 5.0, 12.0, -20.0))
        for voice, middle in own.items()
        for style, step in steps.items()
    ]
    assert styles_told(apart, ["pitch"]).mean == 1
    assert styles_told(apart, ["range", "pace", "level"]).mean == pytest.approx(1 / 4)


def test_the_report_names_the_voices_that_fail():
    heard = [
        *(_heard("joe1", style, wer) for style, wer in zip(voices.STYLES, (0, 0, 0, 0.2), strict=True)),
        *(_heard("slt1", style, wer) for style, wer in zip(voices.STYLES, (0, 0, 0, 0.8), strict=True)),
        *(_heard("rms1", style, 0.5) for style in voices.STYLES),
    ]
    alike = {"joe1": (0.9, "rms1", 0.6), "slt1": (0.7, "rms1", 0.71), "rms1": (0.8, "slt1", 0.71)}
    said = report(heard, alike).splitlines()
    assert "WER over 0.15: slt1 (perhaps), rms1 (surely)" in said
    assert "nearer to another voice than to itself: slt1 (rms1)" in said
    assert "| joe1 | 4 | 0.05 [0.00, 0.15] | 3.00 [3.00, 3.00] | 0.900 | 0.600 rms1 | 128 |" in said
    total = verifiers.bootstrap_mean([h.wer for h in heard])
    assert total.mean == pytest.approx(3 / 12)
    whole = f"0.25 [{total.low:.2f}, {total.high:.2f}]"
    assert f"| all | 12 | {whole} | 0.50 | 3.00 [3.00, 3.00] |" in said


def test_what_was_heard_is_not_heard_again(tmp_path):
    file = tmp_path / "check.jsonl"
    clips = [_clip("joe1", "neutral", 90.0), _clip("joe1", "sad", 110.0)]
    (first,) = listen(clips[:1], "whisper:nano", file)
    assert (first.voice, first.style, first.settings) == ("joe1", "neutral", clips[0].settings())
    assert first.wer > 0
    file.write_text(file.read_text().replace(first.text, "kept"))
    assert [h.text for h in listen(clips, "whisper:nano", file)] == ["kept", "a buzz"]
    assert len(file.read_text().splitlines()) == 2


@pytest.mark.skipif(not ge2e.WHEEL.installed, reason="needs resemblyzer")
def test_a_voice_is_likest_to_itself():
    clips = [
        _clip(voice, "neutral", hertz * factor, seed=seed)
        for voice, hertz in (("joe1", 90.0), ("joe2", 100.0), ("slt1", 230.0))
        for seed, factor in enumerate((1.0, 1.01))
    ]
    found = likeness(clips)
    assert found["joe1"][1] == "joe2" and found["joe2"][1] == "joe1"
    for within, _, other in found.values():
        assert other < within <= 1
