"""Remembered scores and shared models: judged once, loaded once, and never the wrong one."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import verifiers
from llasa_core.audio import Waveform
from tests.verifiers.tiny_verifiers import speechlike
from verifiers import instances, registry
from verifiers.base import Score, Target
from verifiers.cache import Remembering
from verifiers.errors import VerifierError

TARGET = Target(text="the train", reference=speechlike(1.0), emotion="happy")


class Counting:
    """Scores by the sum of the samples and keeps what it was asked."""

    name, spec, higher_is_better, min_seconds = "sum", "counting:nano", False, 0.25

    def __init__(self) -> None:
        self.calls: list[int] = []

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        if target.text is None:
            raise VerifierError("no text")
        self.calls.append(len(candidates))
        return [Score(float(np.sum(c)) + len(target.text), {"partial": partial}) for c in candidates]


def waves(*values: float) -> list[Waveform]:
    return [np.full(4, value, dtype=np.float32) for value in values]


def test_a_duplicate_in_a_call_and_a_repeated_call_are_judged_once() -> None:
    counting = Counting()
    remembering = Remembering(counting)
    first = remembering.score(waves(1, 2, 1, 3, 2), TARGET)
    assert first == Counting().score(waves(1, 2, 1, 3, 2), TARGET)
    assert counting.calls == [3]
    assert remembering.score(waves(3, 1, 4), TARGET) == Counting().score(waves(3, 1, 4), TARGET)
    assert remembering.score(waves(3, 1, 4), TARGET)[0] is first[3]
    assert counting.calls == [3, 1]
    remembering.forget()
    remembering.score(waves(1), TARGET)
    assert counting.calls == [3, 1, 1]


def test_it_looks_like_the_verifier_that_it_wraps() -> None:
    remembering = Remembering(Counting())
    as_verifier: verifiers.Verifier = remembering
    for field in ("name", "spec", "higher_is_better", "min_seconds"):
        assert getattr(as_verifier, field) == getattr(Counting, field)


def test_another_question_is_another_score() -> None:
    """Every field of the target, partial, and the kind of the samples count."""
    counting = Counting()
    remembering = Remembering(counting)
    wave = waves(1)
    others = (
        TARGET,
        replace(TARGET, text="the trains"),
        replace(TARGET, language="zh"),
        replace(TARGET, reference=speechlike(1.0, 1)),
        replace(TARGET, reference=None),
        replace(TARGET, reference=None, resynthesis=TARGET.reference),
        replace(TARGET, emotion=None),
        replace(TARGET, emotion="None"),
        replace(TARGET, emotion_reference=TARGET.reference),
    )
    for asked in (*others, *others):
        remembering.score(wave, asked)
    assert counting.calls == [1] * len(others)
    assert remembering.score(wave, TARGET, True)[0].evidence == {"partial": True}
    for other in (wave[0].astype(np.float64), wave[0][None], wave[0][:3], wave[0].view(np.int32)):
        remembering.score([other], TARGET)
    assert counting.calls == [1] * (len(others) + 5)


def test_a_target_is_still_checked() -> None:
    remembering = Remembering(Counting())
    remembering.score(waves(1), TARGET)
    for candidates in ([], waves(1)):
        with pytest.raises(VerifierError, match="no text"):
            remembering.score(candidates, Target())
    with pytest.raises(VerifierError, match="at least 1"):
        Remembering(Counting(), 0)


@given(st.integers(1, 5), st.lists(st.lists(st.integers(0, 7), max_size=12), max_size=8))
def test_it_is_bounded_and_right_whatever_is_asked(size: int, calls: list[list[int]]) -> None:
    remembering, plain = Remembering(Counting(), size), Counting()
    for call in calls:
        assert remembering.score(waves(*call), TARGET) == plain.score(waves(*call), TARGET)
        assert len(remembering) <= size


def test_the_last_ones_used_are_kept() -> None:
    counting = Counting()
    remembering = Remembering(counting, 2)
    for value in (1, 2, 1, 3, 1, 2):
        remembering.score(waves(value), TARGET)
    assert counting.calls == [1, 1, 1, 1]


def test_many_threads_get_their_own_scores() -> None:
    remembering = Remembering(Counting(), 3)
    asked = [list(np.random.default_rng(seed).integers(0, 6, size=5)) for seed in range(64)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda call: remembering.score(waves(*call), TARGET), asked))
    assert found == [Counting().score(waves(*call), TARGET) for call in asked]


def test_a_real_verifier_remembers(wavlm_folder: Path) -> None:
    remembering = Remembering(verifiers.load(f"wavlm-sv:{wavlm_folder}"))
    candidates = [speechlike(1.0, 1), speechlike(0.7, 2), speechlike(1.0, 1), np.zeros(16_000, np.float32)]
    plain = remembering.verifier.score(candidates, TARGET)
    for _ in range(2):
        found = remembering.score(candidates, TARGET)
        assert [score.usable for score in found] == [True, True, True, False]
        np.testing.assert_allclose([s.value for s in found], [s.value for s in plain], atol=1e-5)
    assert len(remembering) == 3


def test_a_model_is_loaded_once_for_each_spec_and_device(wavlm_folder: Path) -> None:
    spec = f"wavlm-sv:{wavlm_folder}"
    first = verifiers.load_shared(f"{spec}?name=a&batch=2")
    assert verifiers.load_shared(f" {spec}?batch=2&name=a") is first
    assert verifiers.load_shared(spec) is not first
    assert verifiers.load(f"{spec}?name=a&batch=2") is not first
    assert verifiers.unload(spec, device="cuda") == 0
    assert verifiers.unload(f"{spec}?batch=2&name=a") == 1
    assert verifiers.load_shared(f"{spec}?name=a&batch=2") is not first
    assert verifiers.unload() == 2
    assert verifiers.unload() == 0


@pytest.mark.usefixtures("plain_kinds")
def test_only_so_many_are_kept_and_those_asked_for_last() -> None:
    first = verifiers.load_shared("level:0")
    for number in range(1, instances.KEPT):
        verifiers.load_shared(f"level:{number}")
    assert verifiers.load_shared("level:0") is first
    verifiers.load_shared("level:one-more")
    assert verifiers.load_shared("level:0") is first
    assert verifiers.unload("level:1") == 0
    assert verifiers.unload() == instances.KEPT


@pytest.mark.usefixtures("plain_kinds")
def test_threads_that_ask_at_once_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    barrier = threading.Barrier(8)
    load = registry.load

    def slow(spec: str, device: str = "cpu") -> verifiers.Verifier:
        loaded.append(spec)
        return load(spec, device)

    monkeypatch.setattr(registry, "load", slow)

    def ask(_: int) -> verifiers.Verifier:
        barrier.wait()
        return verifiers.load_shared("level")

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert len({id(verifier) for verifier in found}) == 1
    assert loaded == ["level"]


def test_what_cannot_be_loaded_is_not_kept() -> None:
    for _ in range(2):
        with pytest.raises(VerifierError, match="unknown verifier"):
            verifiers.load_shared("wisper")
    assert verifiers.unload() == 0
