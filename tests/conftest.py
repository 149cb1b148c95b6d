"""Shared by all tests: no hub, and tiny models with random weights that are built once."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from llasa_core.audio import SAMPLE_RATE, Waveform, write_audio
from tests.plain_verifiers import plain_kinds
from tests.tiny import build_codec, build_generator
from verifiers.instances import unload

__all__ = ["plain_kinds"]


@pytest.fixture(autouse=True)
def no_shared_verifiers() -> Iterator[None]:
    """No test meets a verifier that another one loaded."""
    yield
    unload()


@pytest.fixture(scope="session")
def tiny_generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator folder with 1,024 codes."""
    return build_generator(tmp_path_factory.mktemp("models") / "generator")


@pytest.fixture(scope="session")
def tiny_codec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A codec folder with 1,024 codes."""
    return build_codec(tmp_path_factory.mktemp("models") / "codec")


@pytest.fixture(scope="session")
def voice() -> Waveform:
    """Two seconds of a buzz that changes its pitch."""
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 2 * time)) / SAMPLE_RATE
    return (0.2 * np.sign(np.sin(phase)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))).astype(np.float32)


@pytest.fixture(scope="session")
def voice_file(voice: Waveform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    write_audio(path, voice)
    return path
