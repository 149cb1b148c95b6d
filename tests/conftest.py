"""Shared by all tests: no hub, tiny models with random weights that are built once, and what `make check`
leaves out.

A test that loads a model or starts a process has a marker, by the place or the fixtures below, or by a
decorator of its own. A test that starts a process without a marker fails.
"""

import os
import signal
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
# Kernels for a GPU are tried on the CPU; it has to be said before anything imports Triton.
os.environ.setdefault("TRITON_INTERPRET", "1")
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and tests send it

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from llasa_core.audio import SAMPLE_RATE, Waveform, write_audio
from llasa_core.presets import PRESETS
from tests.plain_verifiers import plain_kinds
from tests.tiny import build_codec, build_generator
from verifiers.instances import unload

__all__ = ["plain_kinds"]

# What an example may take depends on what else the machine does. The same commit draws the same examples, so
# that a change is judged by itself; new ones are drawn by `make fuzz`.
settings.register_profile("project", deadline=None, derandomize=True)
settings.register_profile("fuzz", deadline=None, max_examples=3000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "project"))

HEAVY = {"ray", "models", "processes", "slow"}
PLACES = {
    "tests/llasa_core/lm": "models",
    "tests/llasa_core/codec/test_codec.py": "models",
    "tests/verifiers/models": "models",
    "tests/experiments/nano": "models",
    "tests/experiments/report_page": "models",
    "tests/experiments/studies": "models",
    "tests/experiments/cli/test_studies.py": "models",
    "tests/experiments/cli/test_eval.py": "models",
    "tests/experiments/cli/test_score.py": "models",
    "tests/verifiers/test_contract.py": "models",
    "tests/verifiers/test_foreign_code.py": "models",
    "tests/docs": "models",
    "tests/experiments/cli/test_verifiers.py": "processes",
    "tests/experiments/cli/test_surroundings.py": "processes",
    "tests/experiments/runs/test_killed.py": "processes",
}
FIXTURES = {
    "cluster": "ray",
    "tiny_generator": "models",
    "tiny_codec": "models",
    "generator": "models",
    "codec": "models",
    "generator_folder": "models",
    "codec_folder": "models",
    "whisper_folder": "models",
    "hubert_folder": "models",
    "wavlm_folder": "models",
    "nano": "models",
}
LONG = (
    "tests/experiments/studies/test_sweep_killed.py",
    "tests/experiments/runs/test_killed.py",
    "tests/experiments/narration/speaking",
    "tests/experiments/nano",
)
"""Where single tests take a minute: they begin first, so that no worker ends alone."""
STARTS = {"subprocess.Popen", "os.fork", "os.posix_spawn"}
"""Audit events of a process that is started."""
NANO = PRESETS["nano"]
"""As it is shipped."""
_light_test = ""
"""The test that runs now, if it may start no process."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for place, marker in PLACES.items():
            if item.nodeid.startswith(place):
                item.add_marker(marker)
        for fixture in FIXTURES.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(FIXTURES[fixture])
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    global _light_test
    _light_test = "" if HEAVY & {marker.name for marker in item.iter_markers()} else item.nodeid
    found = yield
    _light_test = ""
    return found


def _refuse_processes(event: str, _: tuple[object, ...]) -> None:
    if _light_test and event in STARTS:
        pytest.fail(f"{_light_test} starts a process: give it the marker `processes`")


sys.addaudithook(_refuse_processes)


@pytest.fixture(scope="session", autouse=True)
def packaged_ears() -> Iterator[None]:
    """The nano preset searches and judges by the verifiers of this package, which cost a tenth of released
    ones and are there wherever tests run. `shipped_preset` is for tests of the preset itself."""
    packaged = replace(
        NANO, verifiers=("whisper:nano", "wavlm-sv:nano"), judges=("hubert-ctc:nano",), instead={}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "nano", packaged)
        yield


@pytest.fixture
def shipped_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nano preset as users have it."""
    monkeypatch.setitem(PRESETS, "nano", NANO)


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
