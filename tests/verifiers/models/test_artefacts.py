"""Defects put into human and synthetic speech are found, and few are found in the recordings as they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from experiments.human_speech import human_pieces
from llasa_core.audio import Waveform, read_audio
from llasa_core.voices import shipped_voices
from verifiers.base import Target
from verifiers.models.artefacts import Artefacts, find_artefacts, speech_level
from verifiers.models.signal import FRAME

Defect = Callable[[Waveform, int, float, np.random.Generator], Waveform]


def click(speech: Waveform, at: int, level: float, draw: np.random.Generator) -> Waveform:
    found = speech.copy()
    found[at : at + 3] += np.array([1, -1, 0.5], np.float32) * 4 * level
    return found


def burst(speech: Waveform, at: int, level: float, draw: np.random.Generator) -> Waveform:
    found = speech.copy()
    found[at : at + 1600] += draw.standard_normal(len(found[at : at + 1600])).astype(np.float32) * level
    return found


def loop(speech: Waveform, at: int, level: float, draw: np.random.Generator) -> Waveform:
    again = speech[at : at + 6400]
    return np.concatenate([speech[: at + 6400], again, again, speech[at + 6400 :]])


def cut(speech: Waveform, at: int, level: float, draw: np.random.Generator) -> Waveform:
    return speech[: max(at, 8000)]


DEFECTS: dict[str, Defect] = {"click": click, "burst": burst, "loop": loop, "cut-off": cut}


def spoiled(speech: Waveform, defect: Defect, seed: int) -> Waveform:
    """With the defect in the middle of a sound."""
    draw = np.random.default_rng(seed)
    level = 10 ** (speech_level(speech) / 20)
    count = len(speech) // FRAME
    frames = np.sqrt(np.square(speech[: count * FRAME].reshape(count, FRAME)).mean(axis=1))
    loud = np.flatnonzero(frames > level / 4)
    at = int(draw.choice(loud[(loud > 30) & (loud < count - 25)]))
    return defect(speech, at * FRAME + FRAME // 2, level, draw)


@pytest.fixture(scope="module")
def human() -> list[Waveform]:
    pieces = [piece for piece in human_pieces(6.0) if len(piece) > 24_000]
    if not pieces:
        pytest.skip("needs the recordings of the package moonshine-voice")
    return pieces


@pytest.fixture(scope="module")
def synthetic() -> list[Waveform]:
    return [read_audio(voice.path) for voice in shipped_voices()]


def found_in(pieces: list[Waveform], kind: str) -> int:
    return sum(any(one.kind == kind for one in find_artefacts(piece)) for piece in pieces)


@pytest.mark.parametrize(("kind", "least"), [("click", 0.6), ("burst", 0.9), ("loop", 0.9), ("cut-off", 0.9)])
def test_defects_in_human_speech_are_found(human: list[Waveform], kind: str, least: float) -> None:
    bad = [spoiled(piece, DEFECTS[kind], seed) for seed in range(3) for piece in human]
    assert found_in(bad, kind) >= least * len(bad)


@pytest.mark.parametrize("kind", ["click", "burst", "loop"])
def test_human_speech_as_it_is_has_none(human: list[Waveform], kind: str) -> None:
    assert found_in(human, kind) == 0


@pytest.mark.parametrize("kind", DEFECTS)
def test_defects_in_synthetic_speech_are_found(synthetic: list[Waveform], kind: str) -> None:
    bad = [spoiled(piece, DEFECTS[kind], seed) for seed in range(3) for piece in synthetic]
    assert found_in(bad, kind) >= 0.8 * len(bad)


def test_what_is_found_has_its_place(synthetic: list[Waveform]) -> None:
    speech = synthetic[0]
    level = 10 ** (speech_level(speech) / 20)
    score = Artefacts().score([click(speech, 16_000, level, np.random.default_rng(0))], Target())[0]
    assert score.value == 1
    kind, says, at = score.evidence["found"][0]
    assert (kind, says) == ("click", "There is a click at 1.00 s.")
    assert at == pytest.approx(1.0, abs=0.01)


def test_the_end_of_partial_audio_says_nothing(synthetic: list[Waveform]) -> None:
    bad = spoiled(synthetic[0], cut, 0)
    verifier = Artefacts()
    assert verifier.score([bad], Target())[0].value == 1
    assert verifier.score([bad], Target(), partial=True)[0].value == 0
