"""Audio that no model should hear, windows and batches."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llasa_core.audio import Waveform
from tests.verifiers.tiny_verifiers import speechlike
from verifiers.base import About, Score, Target
from verifiers.shared.gate import gated, refusal
from verifiers.shared.verifier import BaseVerifier
from verifiers.shared.windows import equal_lengths, split_windows

BAD: list[tuple[np.ndarray, str]] = [
    (np.zeros(0, np.float32), "too short"),
    (speechlike(0.05), "too short"),
    (np.zeros(16_000, np.float32), "silent"),
    (np.full(16_000, 1e-5, np.float32), "silent"),
    (np.where(np.arange(16_000) == 7, np.nan, speechlike(1.0)).astype(np.float32), "not finite"),
    (np.where(np.arange(16_000) == 7, np.inf, speechlike(1.0)).astype(np.float32), "not finite"),
    (np.ones((16_000, 2), np.float32), "2 axes"),
    ((speechlike(1.0) * 32767).astype(np.int16), "int16"),
]


@pytest.mark.parametrize(("waveform", "reason"), BAD)
def test_bad_audio_is_refused_with_the_reason(waveform: Waveform, reason: str) -> None:
    assert reason in refusal(waveform, 0.2)


def test_speech_passes() -> None:
    assert refusal(speechlike(0.2), 0.2) == ""


def test_only_good_audio_is_judged_and_the_order_is_kept() -> None:
    seen: list[Waveform] = []

    def judge(waveforms: list[Waveform]) -> list[Score]:
        seen.extend(waveforms)
        return [Score(float(len(waveform))) for waveform in waveforms]

    double = speechlike(1.0).astype(np.float64)
    found = gated([BAD[0][0], speechlike(0.5), BAD[2][0], double], 0.2, -1.0, judge)  # type: ignore[list-item]
    assert [score.value for score in found] == [-1.0, 8000.0, -1.0, 16000.0]
    assert [score.usable for score in found] == [False, True, False, True]
    assert [bool(score.reason) for score in found] == [True, False, True, False]
    assert all(waveform.dtype == np.float32 for waveform in seen)


def test_sound_audio_that_is_only_too_short_is_told_apart() -> None:
    waveforms: list[Any] = [one for one, _ in BAD] + [speechlike(0.05), np.zeros(800, np.float32)]
    judge = lambda heard: [Score(1.0) for _ in heard]
    found = gated(waveforms, 0.2, -1.0, judge, steps_back=True)
    assert [score.short for score in found] == [False, True, *[False] * 6, True, False]
    assert not any(score.usable for score in found)
    assert not any(score.short for score in gated(waveforms, 0.2, -1.0, judge))


class Loud(BaseVerifier):
    about = About(measures="loudness", needs=("reference",), min_seconds=0.5)
    score_one = staticmethod(lambda waveform, target, partial: Score(1.0))  # type: ignore[assignment]


class Heard(Loud):
    about = About(measures="words", needs=("text",), min_seconds=0.5)


@pytest.mark.parametrize(("kind", "short"), [(Loud, True), (Heard, False)])
def test_a_metric_of_the_words_never_steps_back(kind: type[BaseVerifier], short: bool) -> None:
    target = Target("no", reference=speechlike(1.0))
    verifier = kind(spec="loud", name="loud")
    scores = verifier.score([speechlike(0.4), speechlike(0.6), np.zeros(1600, np.float32)], target)
    assert [(score.usable, score.short) for score in scores] == [
        (False, short),
        (True, False),
        (False, False),
    ]


def test_nothing_to_judge_is_not_judged() -> None:
    assert gated([], 0.2, 1.0, lambda _: pytest.fail("called")) == []
    assert not gated([BAD[2][0]], 0.2, 1.0, lambda _: pytest.fail("called"))[0].usable


@given(count=st.integers(0, 5000), limit=st.integers(800, 2000), seed=st.integers(0, 3))
def test_windows_are_the_waveform_in_pieces(count: int, limit: int, seed: int) -> None:
    wave = np.random.default_rng(seed).standard_normal(count).astype(np.float32)
    pieces = split_windows(wave, limit)
    assert np.array_equal(np.concatenate(pieces), wave)
    assert all(len(piece) <= limit for piece in pieces)
    assert all(len(piece) >= limit // 2 for piece in pieces[:-1])


def test_windows_are_cut_in_the_pause() -> None:
    pause = np.zeros(3200, np.float32)
    wave = np.concatenate([speechlike(1.5), pause, speechlike(1.5, seed=1)])
    first, second = split_windows(wave, 32_000)
    assert 24_000 <= len(first) <= 27_200
    assert len(first) + len(second) == len(wave)


def test_batches_hold_equal_lengths_and_every_waveform_once() -> None:
    waves = [np.zeros(n, np.float32) for n in (3, 5, 3, 3, 5, 1)]
    assert list(equal_lengths(waves, 2)) == [[0, 2], [3], [1, 4], [5]]
